"""Reads the files of examples, and names the one that is none."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import apache_beam as beam
from absl import logging
from tfx.components.example_gen import base_example_gen_executor
from tfx.dsl.io import fileio
from tfx.types import standard_component_specs

from records.examples import among
from records.shards import read_batches
from records.tf_example import parse
from schema.errors import InputError

_BATCH = 1024


class Executor(base_example_gen_executor.BaseExampleGenExecutor):
    """Executor of ExampleGen."""

    def GetInputSourceToExamplePTransform(self) -> Any:
        """Overrides ImportExampleGen's, whose reader takes every file for examples; it is a maker of transforms."""
        return _read_split


@beam.ptransform_fn
@beam.typehints.with_input_types(beam.Pipeline)
@beam.typehints.with_output_types(bytes)
def _read_split(
    pipeline: beam.Pipeline, exec_properties: dict[str, Any], split_pattern: str
) -> beam.pvalue.PCollection[Any]:
    """Serialized tf.Examples of one split.

    Args:
      pipeline: Beam pipeline.
      exec_properties: `input_base`, a folder.
      split_pattern: Pattern of the split's files below it.

    Raises:
      InputError: A file is no gzipped TFRecord by its name, or there is none.
    """
    pattern = f"{exec_properties[standard_component_specs.INPUT_BASE_KEY].rstrip('/')}/{split_pattern}"
    files = among(map(str, fileio.glob(pattern)))
    if not files:
        raise InputError(f"{pattern}: expected gzipped TFRecords of tf.Example, found none")
    logging.info("Reading %d files of %s.", len(files), pattern)
    return pipeline | "Files" >> beam.Create(files) | "Read" >> beam.FlatMap(_examples).with_output_types(bytes)


def _examples(path: str) -> Iterator[bytes]:
    position = 0
    for batch in read_batches(path, _BATCH):
        for record in batch:
            if parse(record) is None:
                raise InputError(f"{path}: expected tf.Examples, found other bytes in record {position:,} (from 0)")
            position += 1
            yield record
