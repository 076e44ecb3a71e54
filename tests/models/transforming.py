"""Sends rows through Transform, as a run does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import apache_beam as beam
import tensorflow_transform as tft
import tensorflow_transform.beam as tft_beam
from tensorflow_transform.tf_metadata import dataset_metadata, metadata_io, schema_utils

from models.preprocessing import preprocessing_fn
from schema.surface import Surface


def through_transform(
    surface: Surface, rows: list[dict[str, Any]], spec: dict[str, Any], folder: Path
) -> tuple[str, list[str]]:
    """Analyzes and transforms rows; the examples are in `Split-train`, in two shards.

    Returns:
      Transform's graph, and the pattern of the transformed examples.
    """
    metadata = dataset_metadata.DatasetMetadata(schema_utils.schema_from_feature_spec(spec))
    config = {"surface": surface.model_dump_json(by_alias=True)}
    with (
        beam.Pipeline(argv=["--runner=FnApiRunner"]) as pipeline,
        tft_beam.Context(temp_dir=str(folder / "tmp")),
    ):
        raw = pipeline | beam.Create(rows), metadata
        (data, transformed_metadata), function = raw | tft_beam.AnalyzeAndTransformDataset(
            lambda columns: preprocessing_fn(columns, config)
        )
        coder = tft.coders.ExampleProtoCoder(transformed_metadata.schema)
        _ = (
            data
            | beam.Map(coder.encode)
            | beam.io.WriteToTFRecord(str(folder / "Split-train" / "part"), file_name_suffix=".gz", num_shards=2)
        )
        _ = function | tft_beam.WriteTransformFn(str(folder / "graph"))
    metadata_io.write_metadata(metadata, str(folder / "graph" / tft.TFTransformOutput.RAW_METADATA_DIR))
    return str(folder / "graph"), [str(folder / "Split-train" / "*")]
