"""The files of examples that come in, those that go out, and splits that pass through."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from tfx.dsl.io import fileio
from tfx.types import Artifact, artifact_utils

from components.candidate_sampler.catalogue import Source
from components.candidate_sampler.drawing import PairShard
from records.example_artifacts import check_format, files_in, split_files, take_over
from schema.candidates import UNLABELLED_SPLIT
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


def shards_of_examples(inputs: Sequence[Artifact], outputs: Sequence[Artifact]) -> list[PairShard]:
    """One output file for each file of the training split."""
    shards: list[PairShard] = []
    for source, output in zip(inputs, outputs, strict=True):
        shards.extend(_shards(split_files(source, TRAIN_SPLIT), output, len(shards)))
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


def _shards(paths: Sequence[str], output: Artifact, first: int) -> Iterator[PairShard]:
    folder = artifact_utils.get_split_uri([output], UNLABELLED_SPLIT)
    for number, path in enumerate(paths):
        yield PairShard(path, f"{folder}/{_SHARD_NAME.format(number=number, total=len(paths))}", first + number)


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
