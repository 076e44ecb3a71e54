"""Examples artifacts in and out: their files, and what an output takes over from its input."""

from __future__ import annotations

from collections.abc import Sequence

from tfx.components.util import examples_utils
from tfx.dsl.io import fileio
from tfx.types import Artifact, artifact_utils

from records.examples import among
from schema.errors import InputError

FILE_FORMAT = "tfrecords_gzip"
_PAYLOAD_FORMAT = "FORMAT_TF_EXAMPLE"
# TFX's names of an artifact's span.
_SPAN_PROPERTIES = ("span", "version")


def one_for_each(output: Artifact, inputs: Sequence[Artifact]) -> list[Artifact]:
    """One output artifact for each of the input, in folders under that of `output` if they are several.

    Each keeps its own span and version; merged into one they would lose them.
    """
    return [output] if len(inputs) == 1 else list(artifact_utils.replicate_artifacts(output, len(inputs)))


def take_over(output: Artifact, source: Artifact) -> None:
    """Gives an output the span, version and payload format of its input, and the format that this project writes."""
    for name in _SPAN_PROPERTIES:
        if source.has_property(name):
            setattr(output, name, getattr(source, name))
        if source.has_custom_property(name):
            output.set_int_custom_property(name, source.get_int_custom_property(name))
    examples_utils.set_payload_format(output, examples_utils.get_payload_format(source))
    examples_utils.set_file_format(output, FILE_FORMAT)


def check_format(artifact: Artifact) -> None:
    """Checks that an artifact holds what this project reads: tf.Examples in gzipped TFRecords.

    Raises:
      InputError: It is of another format.
    """
    files = examples_utils.get_file_format(artifact)
    payload = examples_utils.get_payload_format_string(artifact)
    if payload != _PAYLOAD_FORMAT:
        raise InputError(f"{artifact.uri}: expected examples of payload format {_PAYLOAD_FORMAT}, found {payload}")
    if files != FILE_FORMAT:
        raise InputError(f"{artifact.uri}: expected examples of file format {FILE_FORMAT}, found {files}")


def split_files(artifact: Artifact, split: str) -> list[str]:
    """The files of one split, in the order of their names.

    Raises:
      InputError: There is no such split, or no file in it.
    """
    if split not in artifact_utils.decode_split_names(artifact.split_names):
        raise InputError(f"{artifact.uri}: expected a split {split!r}, found {artifact.split_names}")
    paths = files_in(artifact_utils.get_split_uri([artifact], split))
    if not paths:
        raise InputError(f"{artifact.uri}: split {split!r} is empty: expected files of gzipped TFRecords, found none")
    return paths


def files_in(folder: str) -> list[str]:
    """The files of examples in a folder of any file system, in the order of their names; none if it does not exist.

    Raises:
      InputError: The folder holds other files; see `records.examples`.
    """
    if not fileio.isdir(folder):
        return []
    return among(f"{folder.rstrip('/')}/{name}" for name in map(str, fileio.listdir(folder)))
