"""The files of examples that come in, those that go out, and splits that pass through."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from tfx.dsl.io import fileio
from tfx.types import Artifact, artifact_utils

from components.candidate_sampler.catalogue import CatalogueFile
from components.candidate_sampler.drawing import PairShard
from components.candidate_sampler.sides import Source
from records.example_artifacts import check_format, files_in, split_files, take_over
from schema.candidates import ITEMS, PEOPLE, UNLABELLED_SPLIT
from schema.errors import InputError
from schema.surface import EVAL_SPLIT, TRAIN_SPLIT

_SHARD_NAME = "unlabelled-{number:05d}-of-{total:05d}.gz"


def list_sources(inputs: Sequence[Artifact]) -> list[Source]:
    """The files of the training and the evaluation split of all artifacts.

    Raises:
      InputError: An artifact is of another format, or lacks one of the two.
    """
    found: list[Source] = []
    for artifact in inputs:
        check_format(artifact)
        for split in (TRAIN_SPLIT, EVAL_SPLIT):
            found.extend(Source(split, path, len(found) + at) for at, path in enumerate(split_files(artifact, split)))
    return found


def list_catalogues(given: Mapping[str, str], at_hand: Mapping[str, str]) -> list[CatalogueFile]:
    """The files of the catalogues.

    Args:
      given: Folders as the user gave them, by what pairs are made of.
      at_hand: The same ones where Beam reads them.

    Raises:
      InputError: A catalogue holds no files, or files that are no gzipped TFRecords.
    """
    found: list[CatalogueFile] = []
    for which in (each for each in (PEOPLE, ITEMS) if each in given):
        paths = files_in(at_hand[which])
        if not paths:
            raise InputError(
                f"--{which} {given[which]}: expected gzipped TFRecords of tf.Example (*.gz), a row for each of the "
                f"{which}; found no file"
            )
        found.extend(CatalogueFile(which, given[which], path, len(found) + at) for at, path in enumerate(paths))
    return found


def shards_of_examples(
    inputs: Sequence[Artifact], outputs: Sequence[Artifact], catalogues: Sequence[CatalogueFile] = ()
) -> list[PairShard]:
    """One output file for each file of the training split and of people, which are dealt out to the artifacts."""
    shards: list[PairShard] = []
    people = [file for file in catalogues if file.of == PEOPLE]
    for number, (source, output) in enumerate(zip(inputs, outputs, strict=True)):
        sources: list[str | CatalogueFile] = [*split_files(source, TRAIN_SPLIT), *people[number :: len(outputs)]]
        shards.extend(_shards(sources, output, len(shards)))
    return shards


def shards_of_logs(folder: str, outputs: Sequence[Artifact]) -> list[PairShard]:
    """One output file for each file of candidates, dealt out to the artifacts in turn.

    Raises:
      InputError: There are fewer files than artifacts, or files that are no gzipped TFRecords.
    """
    paths = files_in(folder)
    if len(paths) < len(outputs):
        raise InputError(
            f"{folder}: expected gzipped TFRecords of tf.Example (*.gz), at least one for each of the "
            f"{len(outputs)} artifacts of examples; found {len(paths)}"
        )
    shards: list[PairShard] = []
    for number, output in enumerate(outputs):
        shards.extend(_shards(paths[number :: len(outputs)], output, len(shards)))
    return shards


def _shards(sources: Sequence[str | CatalogueFile], output: Artifact, first: int) -> Iterator[PairShard]:
    folder = artifact_utils.get_split_uri([output], UNLABELLED_SPLIT)
    for number, source in enumerate(sources):
        path = f"{folder}/{_SHARD_NAME.format(number=number, total=len(sources))}"
        if isinstance(source, CatalogueFile):
            yield PairShard(source.path, path, first + number, source)
        else:
            yield PairShard(source, path, first + number)


def describe(outputs: Sequence[Artifact], inputs: Sequence[Artifact]) -> None:
    """Gives each output its input's splits and one more, its span and version, and the formats."""
    for output, source in zip(outputs, inputs, strict=True):
        splits = artifact_utils.decode_split_names(source.split_names)
        output.split_names = artifact_utils.encode_split_names([*splits, UNLABELLED_SPLIT])
        take_over(output, source)


def pass_through(inputs: Sequence[Artifact], outputs: Sequence[Artifact]) -> None:
    """Every split as it is: the same files by hard links, or copies where there are none."""
    for source, output in zip(inputs, outputs, strict=True):
        for split in artifact_utils.decode_split_names(source.split_names):
            folder = artifact_utils.get_split_uri([output], split)
            fileio.makedirs(folder)
            for path in split_files(source, split):
                _link(path, f"{folder}/{path.rpartition('/')[2]}")


def _link(source: str, target: str) -> None:
    if not Path(source).is_file():  # an object store has no links
        fileio.copy(source, target, overwrite=True)
        return
    Path(target).unlink(missing_ok=True)
    try:
        os.link(source, target)
    except OSError:  # another file system, or one without links
        fileio.copy(source, target, overwrite=True)
