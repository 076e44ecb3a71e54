"""Examples artifacts in and out: which files there are, and what the output says of itself."""

from __future__ import annotations

from collections.abc import Sequence

from tfx.components.util import examples_utils
from tfx.dsl.io import fileio
from tfx.types import Artifact, artifact_utils

from components.teacher_labeler.plan import Shard
from components.teacher_labeler.spec import KEY_COLUMN_KEY, TEACHER_FINGERPRINT_KEY
from components.teacher_labeler.staging import Staging
from components.teacher_labeler.statistics import SAMPLE_SIZE
from schema.errors import InputError

_FILE_FORMAT = "tfrecords_gzip"
_PAYLOAD_FORMAT = "FORMAT_TF_EXAMPLE"
_SPAN_PROPERTIES = ("span", "version")
_SHARD_NAME = "labelled_examples-{number:05d}-of-{total:05d}"
# A shard may hold more than its share of the sample by this factor before its surplus is dropped.
_SAMPLE_HEADROOM = 4
_LEAST_SAMPLE = 2000


def match_outputs(output: Artifact, inputs: Sequence[Artifact]) -> list[Artifact]:
    """One output artifact for each of the input, in folders under that of `output` if they are several.

    Each keeps its own span and version; merged into one they would lose them.
    """
    return [output] if len(inputs) == 1 else artifact_utils.replicate_artifacts(output, len(inputs))


def describe_outputs(
    outputs: Sequence[Artifact], inputs: Sequence[Artifact], teacher_fingerprint: str, key_column: str
) -> None:
    """Gives each output the splits, span and version of its input, the formats, the teacher's fingerprint, and the key.

    Without a key column they are whole examples, which is what a run trains on.
    """
    for output, source in zip(outputs, inputs, strict=True):
        output.split_names = source.split_names
        for name in _SPAN_PROPERTIES:
            if source.has_property(name):
                setattr(output, name, getattr(source, name))
            if source.has_custom_property(name):
                output.set_int_custom_property(name, source.get_int_custom_property(name))
        examples_utils.set_payload_format(output, examples_utils.get_payload_format(source))
        examples_utils.set_file_format(output, _FILE_FORMAT)
        output.set_string_custom_property(TEACHER_FINGERPRINT_KEY, teacher_fingerprint)
        if key_column:
            output.set_string_custom_property(KEY_COLUMN_KEY, key_column)


def list_shards(inputs: Sequence[Artifact], outputs: Sequence[Artifact], staging: Staging) -> list[Shard]:
    """All files to label, artifact by artifact and split by split, in the order of their names.

    Raises:
      InputError: An artifact is of another format, has no splits, or a split has no file.
    """
    shards: list[Shard] = []
    for source, output in zip(inputs, outputs, strict=True):
        _check_format(source)
        for split in artifact_utils.decode_split_names(source.split_names):
            shards.extend(_list_split(source, output, split, staging, len(shards)))
    if not shards:
        raise InputError(f"{inputs[0].uri}: expected examples with at least one split, found no split names")
    return shards


def _list_split(source: Artifact, output: Artifact, split: str, staging: Staging, first: int) -> list[Shard]:
    (pattern,) = examples_utils.get_split_file_patterns([source], split)
    paths = sorted(str(path) for path in fileio.glob(pattern))
    if not paths:
        raise InputError(f"{pattern}: split {split!r} is empty: expected files of gzipped TFRecords, found none")
    letters = output.uri.replace(staging.examples_uri, staging.dead_letters_uri, 1)
    sample_size = max(_LEAST_SAMPLE, _SAMPLE_HEADROOM * SAMPLE_SIZE // len(paths))
    shards = []
    for number, path in enumerate(paths):
        name = _SHARD_NAME.format(number=number, total=len(paths))
        shards.append(
            Shard(
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


def _check_format(source: Artifact) -> None:
    files = examples_utils.get_file_format(source)
    payload = examples_utils.get_payload_format_string(source)
    if payload != _PAYLOAD_FORMAT:
        raise InputError(f"{source.uri}: expected examples of payload format {_PAYLOAD_FORMAT}, found {payload}")
    if files != _FILE_FORMAT:
        raise InputError(f"{source.uri}: expected examples of file format {_FILE_FORMAT}, found {files}")
