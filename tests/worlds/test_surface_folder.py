"""What the schemas, written by hand or made, mean to the libraries that read them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import tfx  # noqa: F401  tensorflow_data_validation cannot be imported before it
import yaml
from google.protobuf import text_format
from tensorflow_data_validation import StatsOptions, validate_statistics
from tensorflow_data_validation.statistics.stats_impl import generate_statistics_in_memory
from tensorflow_metadata.proto.v0 import schema_pb2, statistics_pb2
from tensorflow_transform.tf_metadata.schema_utils import schema_as_feature_spec
from tfx_bsl.coders.example_coder import ExamplesToRecordBatchDecoder

from schema.loader import RAW, SERVING, TRAINING, load_surface, read_schema
from worlds.records import Columns, ExampleColumn, encode
from worlds.simulated import Sizes, draw_domains
from worlds.surface_folder import schema_text, surface_text, teacher_section

SCHEMAS = Path(__file__).parents[2] / "schema"
SCALAR = tf.io.FixedLenFeature([], tf.float32)
UNGATED = "made for a test"

SOURCE: dict[str, Any] = {
    "name": "shop_source",
    "features": {
        "shopper": {"kind": "categorical", "side": "user"},
        "ware": {"kind": "categorical", "side": "item"},
        "vector": {"kind": "numeric", "size": 2},
        "price": {"kind": "numeric", "default": 2.0},
    },
    "tasks": {"bought": {"kind": "binary", "label": "bought", "ungated": UNGATED}},
}
COLUMNS: Columns = {
    "shopper": ExampleColumn(np.array([1, 2, 3])),
    "ware": ExampleColumn(np.array(["a", "b", "c"])),
    "vector": ExampleColumn(np.ones((3, 2), dtype=np.float32)),
    "price": ExampleColumn(np.array([1.0, 2.0, 3.0], dtype=np.float32), np.array([True, False, True])),
    "bought": ExampleColumn(np.array([0, 1, 1]), np.array([True, True, False])),
    "season": ExampleColumn(np.array([1, 1, 2])),
}


def statistics_of(columns: Columns, schema: schema_pb2.Schema) -> statistics_pb2.DatasetFeatureStatisticsList:
    rows = len(next(iter(columns.values())).values)
    batch = ExamplesToRecordBatchDecoder().DecodeBatch(list(encode(columns, 0, rows)))
    return generate_statistics_in_memory(batch, StatsOptions(schema=schema))


@pytest.fixture(scope="module")
def domains(sizes: Sizes) -> dict[str, dict[str, Columns]]:
    return draw_domains(sizes, seed=0)


@pytest.mark.parametrize("name", ["homepage", "radio", "video"])
@pytest.mark.parametrize("split", ["train", "eval"])
def test_raw_examples_are_without_anomalies(domains: dict[str, dict[str, Columns]], name: str, split: str) -> None:
    schema = read_schema(SCHEMAS / name / "schema.pbtxt")
    found = validate_statistics(statistics_of(domains[name][split], schema), schema, environment=RAW)
    assert dict(found.anomaly_info) == {}


def test_unlabelled_examples_are_no_training_examples(domains: dict[str, dict[str, Columns]]) -> None:
    schema = read_schema(SCHEMAS / "homepage" / "schema.pbtxt")
    found = validate_statistics(statistics_of(domains["homepage"]["train"], schema), schema, environment=TRAINING)
    assert found.anomaly_info.keys() == {"teacher/click", "teacher/trail_engagement"}


def labelled(columns: Columns, logits: np.ndarray) -> Columns:
    soft = ExampleColumn(logits.astype(np.float32))
    return {**columns, "teacher/click": soft, "teacher/trail_engagement": soft}


def test_labelled_examples_are_training_examples_unless_a_logit_is_unsound(
    domains: dict[str, dict[str, Columns]],
) -> None:
    schema = read_schema(SCHEMAS / "homepage" / "schema.pbtxt")
    columns = domains["homepage"]["train"]
    logits = np.linspace(-9, 9, len(columns["click"].values))
    sound = statistics_of(labelled(columns, logits), schema)
    assert dict(validate_statistics(sound, schema, environment=TRAINING).anomaly_info) == {}
    for value in (np.nan, np.inf, 51.0):
        logits[3] = value
        unsound = statistics_of(labelled(columns, logits), schema)
        found = validate_statistics(unsound, schema, environment=TRAINING)
        assert found.anomaly_info.keys() == {"teacher/click", "teacher/trail_engagement"}, value


def test_what_transform_reads_of_homepage() -> None:
    spec = schema_as_feature_spec(read_schema(SCHEMAS / "homepage" / "schema.pbtxt")).feature_spec
    assert spec["user_id"] == tf.io.FixedLenFeature([], tf.int64)
    assert spec["hour_sin"] == SCALAR
    assert spec["item_content"] == tf.io.FixedLenFeature([8], tf.float32)
    assert spec["click"] == tf.io.FixedLenFeature([], tf.int64)
    assert spec["trail_engagement"] == tf.io.VarLenFeature(tf.float32)
    assert spec["teacher/click"] == tf.io.VarLenFeature(tf.float32)


@pytest.mark.parametrize("name", ["homepage", "radio", "video"])
def test_a_server_sends_the_features_and_nothing_else(name: str) -> None:
    folder = load_surface(SCHEMAS / name)
    served = {column.name for column in folder.schema.feature if SERVING not in column.not_in_environment}
    assert served == folder.surface.features.keys()


def test_a_made_schema() -> None:
    target = {
        **SOURCE,
        "tasks": {"bought": SOURCE["tasks"]["bought"] | {"distil": {"from": "bought"}}},
        "teacher": teacher_section(SOURCE, COLUMNS, ["bought"], {}),
    }
    schema = text_format.Parse(schema_text(target, {"train": COLUMNS, "eval": COLUMNS}), schema_pb2.Schema())
    spec = schema_as_feature_spec(schema).feature_spec
    assert spec == {
        "shopper": tf.io.FixedLenFeature([], tf.int64),
        "ware": tf.io.FixedLenFeature([], tf.string),
        "vector": tf.io.FixedLenFeature([2], tf.float32),
        "price": tf.io.VarLenFeature(tf.float32),
        "bought": tf.io.VarLenFeature(tf.int64),
        "season": tf.io.FixedLenFeature([], tf.int64),
        "teacher/bought": tf.io.VarLenFeature(tf.float32),
    }
    outside = {column.name: list(column.not_in_environment) for column in schema.feature}
    assert outside["shopper"] == []
    assert outside["season"] == outside["bought"] == [SERVING]
    assert outside["teacher/bought"] == [RAW, SERVING]
    found = validate_statistics(statistics_of(COLUMNS, schema), schema, environment=RAW)
    assert dict(found.anomaly_info) == {}


def test_a_column_absent_in_one_split_is_optional() -> None:
    whole = {**COLUMNS, "season": ExampleColumn(COLUMNS["season"].values, None)}
    partly = {**COLUMNS, "season": ExampleColumn(COLUMNS["season"].values, np.array([True, False, True]))}
    schema = text_format.Parse(schema_text(SOURCE, {"train": whole, "eval": partly}), schema_pb2.Schema())
    assert schema_as_feature_spec(schema).feature_spec["season"] == tf.io.VarLenFeature(tf.int64)


def test_the_teacher_section_has_every_input_of_the_source() -> None:
    section = teacher_section(SOURCE, COLUMNS, ["bought"], {"price": {"default": 1.5}, "ware": {"from": "item"}})
    assert section == {
        "tasks": {"bought": {"kind": "binary"}},
        "features": {
            "shopper": {"dtype": "int"},
            "ware": {"dtype": "string", "from": "item"},
            "vector": {"dtype": "float", "size": 2},
            "price": {"dtype": "float", "default": 1.5},
        },
    }


def test_a_made_folder_loads(tmp_path: Path) -> None:
    (tmp_path / "surface.yaml").write_text(surface_text(SOURCE, ("Two lines", "of comment.")))
    (tmp_path / "schema.pbtxt").write_text(schema_text(SOURCE, {"train": COLUMNS}))
    assert (tmp_path / "surface.yaml").read_text().startswith("# Two lines\n# of comment.\nname: shop_source\n")
    assert yaml.safe_load((tmp_path / "surface.yaml").read_text()) == SOURCE
    assert load_surface(tmp_path).surface.tasks["bought"].label == "bought"


def test_a_list_is_of_any_length_and_padded_for_the_teacher():
    source = SOURCE | {
        "features": {
            "ware": {"kind": "categorical", "side": "item"},
            "colours": {"kind": "categorical", "many": True, "length": 4},
            "recent_wares": {"kind": "categorical", "sequence": "recent", "embedding_of": "ware"},
        },
        "sequences": {"recent": {"length": 7}},
    }
    columns = {
        "ware": ExampleColumn(np.array([1, 2, 3])),
        "colours": ExampleColumn(np.ones((3, 4), np.int64), counts=np.array([0, 1, 4])),
        "recent_wares": ExampleColumn(np.ones((3, 9), np.int64), counts=np.array([9, 0, 2])),
        "bought": ExampleColumn(np.array([0, 1, 1])),
    }
    schema = text_format.Parse(schema_text(source, {"train": columns}), schema_pb2.Schema())
    for feature in schema.feature:
        if feature.name in ("colours", "recent_wares"):
            assert not feature.HasField("shape")
            assert not feature.HasField("value_count")
            assert feature.presence.min_fraction == 0
    assert not list(validate_statistics(statistics_of(columns, schema), schema).anomaly_info)
    assert teacher_section(source, columns, ["bought"], {})["features"] == {
        "ware": {"dtype": "int"},
        "colours": {"dtype": "int", "size": 4, "pad": -1},
        "recent_wares": {"dtype": "int", "size": 7, "pad": -1},
    }
