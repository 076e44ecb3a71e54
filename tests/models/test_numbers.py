"""Numbers as data have them: large, far off, several; what Transform makes of them, and the reference teacher."""

from __future__ import annotations

import apache_beam as beam
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_transform as tft
import tensorflow_transform.beam as tft_beam
from tensorflow_transform.tf_metadata import dataset_metadata, schema_utils

from models.preprocessing import preprocessing_fn
from models.teacher import _NumberEncoder
from schema.surface import Feature, Surface

ROWS = 60
RAW = {
    "pages": np.array([10**8 + 7 * row % 50 for row in range(ROWS)]),
    "seen": np.array([1_700_000_000 + row for row in range(ROWS)]),
    "price": np.array([1e30 if row == 3 else row for row in range(ROWS)], np.float32),
}
LISTS = {
    "year": [[] if row % 3 == 0 else [row] if row % 3 == 1 else [row, 5, 6] for row in range(ROWS)],
    "stars": [[] if row % 3 == 0 else [float(row)] if row % 3 == 1 else [row, row + 1.0] for row in range(ROWS)],
    "genre": [["a"] if row % 2 else ["b", "c"] for row in range(ROWS)],
    "who": [[row % 4] if row % 2 else [row % 4, 99] for row in range(ROWS)],
}
SURFACE = Surface.model_validate(
    {
        "name": "numbers",
        "features": {
            "pages": {"kind": "numeric"},
            "seen": {"kind": "numeric"},
            "price": {"kind": "numeric", "clip": {"max": 100}},
            "year": {"kind": "numeric", "default": 200},
            "stars": {"kind": "numeric", "default": 3, "several": "mean"},
            "genre": {"kind": "categorical", "default": "none"},
        },
        "group": "who",
        "tasks": {"click": {"kind": "binary", "label": "clicked", "ungated": "test"}},
    }
)
SPEC = {
    "pages": tf.io.FixedLenFeature([], tf.int64),
    "seen": tf.io.FixedLenFeature([], tf.int64),
    "price": tf.io.FixedLenFeature([], tf.float32),
    "year": tf.io.VarLenFeature(tf.int64),
    "stars": tf.io.VarLenFeature(tf.float32),
    "genre": tf.io.VarLenFeature(tf.string),
    "who": tf.io.VarLenFeature(tf.int64),
    "clicked": tf.io.FixedLenFeature([], tf.int64),
}


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, np.ndarray]:
    """What a server would see: the rows through the transform graph as it was saved."""
    folder = tmp_path_factory.mktemp("numbers")
    rows = [
        {**{name: RAW[name][row] for name in RAW}, **{name: LISTS[name][row] for name in LISTS}, "clicked": row % 2}
        for row in range(ROWS)
    ]
    metadata = dataset_metadata.DatasetMetadata(schema_utils.schema_from_feature_spec(SPEC))
    config = {"surface": SURFACE.model_dump_json(by_alias=True)}
    with beam.Pipeline(argv=["--runner=FnApiRunner"]) as pipeline, tft_beam.Context(temp_dir=str(folder / "tmp")):
        raw = pipeline | beam.Create(rows), metadata
        function = raw | tft_beam.AnalyzeDataset(lambda inputs: preprocessing_fn(inputs, config))
        _ = function | tft_beam.WriteTransformFn(str(folder / "graph"))
    coder = tft.coders.ExampleProtoCoder(metadata.schema)
    parsed = tf.io.parse_example([coder.encode(row) for row in rows], SPEC)
    layer = tft.TFTransformOutput(str(folder / "graph")).transform_features_layer()
    return {name: value.numpy().squeeze() for name, value in layer(parsed).items()}


def scored(values: np.ndarray) -> np.ndarray:
    values = np.asarray(values, np.float64)
    return (values - values.mean()) / values.std()


def test_large_whole_numbers_stay_apart(found: dict[str, np.ndarray]) -> None:
    for name, distinct in (("pages", 50), ("seen", 60)):
        assert found[name].dtype == np.float32
        assert len(np.unique(found[name])) == distinct
        np.testing.assert_allclose(found[name], scored(RAW[name]), atol=1e-6)


def test_one_number_far_off_is_clipped_before_the_mean_is_taken(found: dict[str, np.ndarray]) -> None:
    np.testing.assert_allclose(found["price"], scored(np.minimum(RAW["price"], 100)), atol=1e-6)


def test_of_several_values_the_first_or_the_mean_stands(found: dict[str, np.ndarray]) -> None:
    years = [each[0] if each else 200 for each in LISTS["year"]]
    stars = [np.mean(each) if each else 3 for each in LISTS["stars"]]
    np.testing.assert_allclose(found["year"], scored(years), atol=1e-6)
    np.testing.assert_allclose(found["stars"], scored(stars), atol=1e-6)
    genres, groups = found["genre"], found["group/id"]
    assert set(genres[1::2]).isdisjoint(genres[::2])
    assert len(set(genres)) == 2
    assert len(set(groups)) == 4


def test_the_reference_teacher_reads_numbers_alike() -> None:
    pages = _NumberEncoder("pages", RAW["pages"], Feature.model_validate({"kind": "numeric"}))
    np.testing.assert_allclose(pages(RAW["pages"]).numpy().ravel(), scored(RAW["pages"]), atol=1e-6)
    price = _NumberEncoder("price", RAW["price"], SURFACE.features["price"])
    np.testing.assert_allclose(price(RAW["price"]).numpy().ravel(), scored(np.minimum(RAW["price"], 100)), atol=1e-6)


def test_a_pool_or_bounds_that_have_no_meaning() -> None:
    for odd in ({"kind": "categorical", "clip": {"max": 1}}, {"kind": "numeric", "size": 2, "several": "mean"}):
        with pytest.raises(ValueError, match="numeric features"):
            Feature.model_validate(odd)
