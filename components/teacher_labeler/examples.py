"""Examples artifacts in and out: which files there are, and what the output says of itself."""

from __future__ import annotations

from collections.abc import Sequence

from tfx.types import Artifact, artifact_utils

from components.teacher_labeler.plan import LabelShard
from components.teacher_labeler.staging import Staging
from components.teacher_labeler.statistics import SAMPLE_SIZE
from contracts import properties
from records import example_artifacts
from schema.errors import InputError

_SHARD_NAME = "labelled_examples-{number:05d}-of-{total:05d}"
# A shard may hold more than its share of the sample by this factor before its surplus is dropped.
_SAMPLE_HEADROOM = 4
_LEAST_SAMPLE = 2000


def describe_outputs(
    outputs: Sequence[Artifact], inputs: Sequence[Artifact], teacher_fingerprint: str, key_column: str
) -> None:
    """Gives each output the splits, span and version of its input, the formats, the teacher's fingerprint, and the key.

    Without a key column they are whole examples, which is what a run trains on.
    """
    for output, source in zip(outputs, inputs, strict=True):
        output.split_names = source.split_names
        example_artifacts.take_over(output, source)
        output.set_string_custom_property(properties.TEACHER_FINGERPRINT, teacher_fingerprint)
        if key_column:
            output.set_string_custom_property(properties.KEY_COLUMN, key_column)


def list_shards(inputs: Sequence[Artifact], outputs: Sequence[Artifact], staging: Staging) -> list[LabelShard]:
    """All files to label, artifact by artifact and split by split, in the order of their names.

    Raises:
      InputError: An artifact is of another format, has no splits, or a split has no file.
    """
    shards: list[LabelShard] = []
    for source, output in zip(inputs, outputs, strict=True):
        example_artifacts.check_format(source)
        for split in artifact_utils.decode_split_names(source.split_names):
            shards.extend(_list_split(source, output, split, staging, len(shards)))
    if not shards:
        raise InputError(f"{inputs[0].uri}: expected examples with at least one split, found no split names")
    return shards


def _list_split(source: Artifact, output: Artifact, split: str, staging: Staging, first: int) -> list[LabelShard]:
    paths = example_artifacts.split_files(source, split)
    letters = output.uri.replace(staging.examples_uri, staging.dead_letters_uri, 1)
    sample_size = max(_LEAST_SAMPLE, _SAMPLE_HEADROOM * SAMPLE_SIZE // len(paths))
    shards = []
    for number, path in enumerate(paths):
        name = _SHARD_NAME.format(number=number, total=len(paths))
        shards.append(
            LabelShard(
                split=split,
                path=path,
                examples=f"{output.uri}/Split-{split}/{name}.gz",
                dead_letters=f"{letters}/Split-{split}/{name}.jsonl.gz",
                examples_staging=staging.examples,
                dead_letters_staging=staging.dead_letters,
                index=first + number,
                sample_size=min(sample_size, SAMPLE_SIZE),
            )
        )
    return shards
