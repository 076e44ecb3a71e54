"""Pairs never shown in Transform: their ids have rows of their own, and numbers are scaled without them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import apache_beam as beam
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_transform as tft
import tensorflow_transform.beam as tft_beam
from tensorflow_transform.tf_metadata import dataset_metadata, schema_utils

from models.preprocessing import preprocessing_fn
from models.vocabulary import known_values, sizes
from schema.surface import Surface

ROWS, PAIRS = 40, 200
NUMBERS = ("plain", "bounded", "ranked", "logged", "cut")
SURFACE = Surface.model_validate(
    {
        "name": "paired",
        "features": {
            "user": {"kind": "categorical", "side": "user"},
            "item": {"kind": "categorical", "side": "item", "min_count": 2},
            "plain": {"kind": "numeric"},
            "bounded": {"kind": "numeric", "scale": "min_max"},
            "ranked": {"kind": "numeric", "scale": "quantile"},
            "logged": {"kind": "numeric", "scale": "log1p"},
            "cut": {"kind": "numeric", "buckets": 4},
            "ages": {"kind": "numeric", "sequence": "recent"},
        },
        "sequences": {"recent": {"length": 2}},
        "tasks": {
            "click": {"kind": "binary", "label": "clicked", "distil": {"from": "click"}, "ungated": "test"},
            "minutes": {"kind": "regression", "label": "minutes", "ungated": "test"},
        },
        "teacher": {
            "tasks": {"click": {"kind": "binary"}},
            "features": {"user": {"dtype": "int"}},
            "representations": {"layer": {"size": 2}},
        },
        "unlabelled": {"per_row": 5},
    }
)
SPEC = {
    "user": tf.io.FixedLenFeature([], tf.string),
    "item": tf.io.FixedLenFeature([], tf.int64),
    **{name: tf.io.FixedLenFeature([], tf.float32) for name in NUMBERS},
    "ages": tf.io.VarLenFeature(tf.float32),
    "clicked": tf.io.VarLenFeature(tf.int64),
    "minutes": tf.io.VarLenFeature(tf.float32),
    "teacher/click": tf.io.VarLenFeature(tf.float32),
    "teacher/layer": tf.io.VarLenFeature(tf.float32),
}


def labelled() -> list[dict]:
    rng = np.random.default_rng(0)
    return [
        {
            "user": f"known-{row % 5}",
            "item": row % 4,
            **{name: float(rng.normal()) for name in NUMBERS},
            "ages": [float(row % 3), float(row % 7)][: row % 3],
            # Of every fourth the click is not known: one label of the two makes a row a labelled one.
            "clicked": [row % 2] if row % 4 else [],
            "minutes": [1.0] if row % 4 == 0 else [],
            "teacher/click": [float(rng.normal())] if row % 5 else [],
            "teacher/layer": [float(rng.normal()), 3.0 * row] if row % 5 else [],
        }
        for row in range(ROWS)
    ]


def pairs() -> list[dict]:
    """Far from all that was observed, so that a statistic that takes them in is far off as well."""
    return [
        {
            "user": f"stranger-{row % 50}",
            "item": 100 if row else 101,
            **dict.fromkeys(NUMBERS, 50.0 + row),
            "ages": [90.0, 95.0],
            "clicked": [],
            "minutes": [],
            "teacher/click": [40.0],
            "teacher/layer": [-70.0, 70.0],
        }
        for row in range(PAIRS)
    ]


def transform_of(folder: Path, surface: Surface, rows: list[dict]) -> tft.TFTransformOutput:
    """The transform graph that these rows make."""
    metadata = dataset_metadata.DatasetMetadata(schema_utils.schema_from_feature_spec(SPEC))
    config = {"surface": surface.model_dump_json(by_alias=True)}
    with beam.Pipeline(argv=["--runner=FnApiRunner"]) as pipeline, tft_beam.Context(temp_dir=str(folder / "tmp")):
        raw = pipeline | beam.Create(rows), metadata
        function = raw | tft_beam.AnalyzeDataset(lambda inputs: preprocessing_fn(inputs, config))
        _ = function | tft_beam.WriteTransformFn(str(folder / "graph"))
    return tft.TFTransformOutput(str(folder / "graph"))


def columns(transform: tft.TFTransformOutput, rows: list[dict]) -> dict[str, np.ndarray]:
    coder = tft.coders.ExampleProtoCoder(schema_utils.schema_from_feature_spec(SPEC))
    parsed = tf.io.parse_example([coder.encode(row) for row in rows], SPEC)
    return {name: column.numpy() for name, column in transform.transform_features_layer()(parsed).items()}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], tft.TFTransformOutput]:
    with_pairs = transform_of(tmp_path_factory.mktemp("with"), SURFACE, labelled() + pairs())
    alone = transform_of(tmp_path_factory.mktemp("alone"), SURFACE.model_copy(update={"unlabelled": None}), labelled())
    return {"with": with_pairs, "alone": alone}.__getitem__


def test_whoever_has_pairs_alone_has_a_row_of_their_own(made):
    transform = made("with")
    known = known_values(SURFACE, transform)
    assert set(known["user"]) == {*(b"known-%d" % each for each in range(5)), *(b"stranger-%d" % i for i in range(50))}
    assert sizes(SURFACE, transform)["user"] == 5 + 50 + 1
    strangers = columns(transform, pairs())["user"]
    assert len(set(strangers)) == 50
    assert strangers.max() < 55


def test_min_count_counts_pairs_too(made):
    known = set(known_values(SURFACE, made("with"))["item"])
    assert known == {b"0", b"1", b"2", b"3", b"100"}


@pytest.mark.parametrize("name", [*NUMBERS, "ages", "teacher/click", "teacher/layer"])
def test_numbers_are_scaled_by_the_labelled_rows_alone(name, made):
    ours, expected = (columns(made(which), labelled())[name] for which in ("with", "alone"))
    assert len(np.unique(expected[~np.isnan(expected)])) > 2
    np.testing.assert_allclose(ours, expected, atol=2e-3, rtol=1e-4)


def test_a_pair_is_scaled_like_a_row(made):
    found = columns(made("with"), pairs())
    rows = np.array([row["plain"] for row in labelled()], np.float32)
    values = np.array([row["plain"] for row in pairs()], np.float32)
    np.testing.assert_allclose(found["plain"][:, 0], (values - rows.mean()) / rows.std(), rtol=1e-3)
    assert np.isnan(found["label/click"]).all()
    assert (found["bounded"] == 1).all()
