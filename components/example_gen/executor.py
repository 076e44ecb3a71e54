"""Takes files of examples in whole, and names the one that is none."""

from __future__ import annotations

import io
from typing import IO, Any, cast

import apache_beam as beam
import tensorflow as tf
from absl import logging
from tfx import types
from tfx.components.example_gen import utils, write_split
from tfx.components.util import examples_utils
from tfx.dsl.components.base import base_beam_executor
from tfx.dsl.io import fileio
from tfx.proto import example_gen_pb2
from tfx.types import artifact_utils, standard_component_specs
from tfx.utils import proto_utils

from records.examples import among
from records.shards import naming_file
from records.tf_example import parse
from records.tfrecords import read_records
from schema.errors import InputError

_BATCH = 4096
# As TFX's own writer names shards, which TFX's readers look for.
_SHARD = "data_tfrecord-{:05d}-of-{:05d}.gz"


class Executor(base_beam_executor.BaseBeamExecutor):
    """Executor of ExampleGen."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Copies each file of a split, its records checked on the way.

        A record is read for its length, its checksum and whether it is a tf.Example; nothing
        is taken apart to be put together again, which cost a microsecond for every ten bytes.

        Args:
          input_dict: Nothing.
          output_dict: examples.
          exec_properties: input_base, a folder; input_config, JSON of an `example_gen_pb2.Input`.

        Raises:
          InputError: A file is no gzipped TFRecord of tf.Examples, or a split has no files.
        """
        config = example_gen_pb2.Input()
        proto_utils.json_to_proto(exec_properties[standard_component_specs.INPUT_CONFIG_KEY], config)
        base = exec_properties[standard_component_specs.INPUT_BASE_KEY].rstrip("/")
        artifact = artifact_utils.get_single_instance(output_dict[standard_component_specs.EXAMPLES_KEY])
        no_splits = example_gen_pb2.Output()
        names = utils.generate_output_split_names(config, no_splits)
        artifact.split_names = artifact_utils.encode_split_names(names)
        shards = {
            split.name: _shards(f"{base}/{split.pattern}", artifact_utils.get_split_uri([artifact], split.name))
            for split in config.splits
        }
        with self._make_beam_pipeline() as pipeline:
            for name, copies in shards.items():
                _ = (
                    pipeline
                    | f"Files[{name}]" >> beam.Create(copies)
                    | f"Spread[{name}]" >> beam.Reshuffle()
                    | f"Copy[{name}]" >> beam.MapTuple(copy_examples)
                )
        examples_utils.set_payload_format(artifact, exec_properties[standard_component_specs.OUTPUT_DATA_FORMAT_KEY])
        file_format = exec_properties[standard_component_specs.OUTPUT_FILE_FORMAT_KEY]
        examples_utils.set_file_format(artifact, write_split.to_file_format_str(file_format))


def _shards(pattern: str, out: str) -> list[tuple[str, str]]:
    """Each file with the path of its copy."""
    files = among(map(str, fileio.glob(pattern)))
    if not files:
        raise InputError(f"{pattern}: expected gzipped TFRecords of tf.Example, found none")
    fileio.makedirs(out)
    return [(path, f"{out}/{_SHARD.format(number, len(files))}") for number, path in enumerate(files)]


def copy_examples(path: str, out: str) -> int:
    """Copies a gzipped TFRecord byte by byte, and checks its records on the way.

    Args:
      path: The file.
      out: Where the copy goes; what lies there is replaced.

    Returns:
      The number of records.

    Raises:
      InputError: It is truncated, corrupted, holds other records than tf.Examples, or cannot be read or written.
    """
    position = 0
    with naming_file(path, f"copying to {out}"), fileio.open(path, "rb") as file, fileio.open(out, "wb") as copy:
        for batch in read_records(cast(IO[bytes], _Copied(file, copy)), compressed=True, batch_size=_BATCH):
            _expect_examples(batch, path, position)
            position += len(batch)
    logging.info("Took in %d records of %s.", position, path)
    return position


class _Copied(io.RawIOBase):
    """A file that is copied as it is read."""

    def __init__(self, file: IO[bytes], copy: IO[bytes]):
        self._file, self._copy = file, copy

    def read(self, size: int = -1) -> bytes:
        content = self._file.read(size)
        self._copy.write(content)
        return content


def _expect_examples(records: list[bytes], path: str, position: int) -> None:
    """TensorFlow's parser passes over all columns of a batch at once; only to name a record is one looked at."""
    try:
        tf.io.parse_example(records, {"": tf.io.VarLenFeature(tf.int64)})
    # TensorFlow quotes the record in its error, which Python then may fail to decode.
    except (tf.errors.InvalidArgumentError, UnicodeDecodeError):
        wrong = next((number for number, record in enumerate(records) if parse(record) is None), None)
        if wrong is not None:
            raise InputError(
                f"{path}: expected tf.Examples, found other bytes in record {position + wrong:,} (from 0)"
            ) from None
