"""Every kind of feature: values worked out by hand, through Transform and through what serves."""

from __future__ import annotations

import math

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_transform as tft
from tensorflow_transform.saved import saved_transform_io_v2

from models import vocabulary
from models.columns import input_columns
from models.export import EXAMPLES_INPUT, SIGNATURE, export_student
from models.lookups import hashed
from models.pretrained import apply as start_from_vectors
from models.ranker import build
from models.scales import LabelStatistics
from schema.surface import ABSENT_PREFIX, POOL_PREFIX
from tests.models import all_kinds
from tests.models.promises import expect_promised

NONE = -1
LOG_AGES = [3.0, 2.0, 1.0, 3.0, 2.0]  # in units of log 2, of what is kept of `recent_age`


def z_scored(values):
    return (np.array(values) - np.mean(values)) / np.std(values)


# By column, the first places of the rows of `all_kinds.ROWS`; what comes after them is padding.
EXPECTED = {
    # 7 is there seven times in all columns that share it, 9 five times and 8 four times.
    "item": [0, 2, 0, 1],
    "seen": [[0, 2], [NONE, NONE], [NONE, NONE], [1, NONE]],
    "recent": [[0, 0, 2], [0, NONE, NONE], [NONE, NONE, NONE], [1, 0, NONE]],  # the newest is last, and is read first
    "listened": [[2, NONE], [1, 1], [NONE, NONE], [NONE, NONE]],
    "recent_action": [[0, 0, 1], [0, NONE, NONE], [NONE, NONE, NONE], [1, 0, NONE]],
    "recent_age": [z_scored(LOG_AGES)[:3], [0, 0, 0], [0, 0, 0], [*z_scored(LOG_AGES)[3:], 0]],
    "language": [0, 3, 3, 2],
    "genres": [[1, NONE, NONE], [1, 0, 2], [NONE, NONE, NONE], [0, 0, NONE]],
    POOL_PREFIX + "tags": [[3, 4, 1], [1, 1, 1], [1, 1, 1], [0, 0, 0]],
    "price": z_scored([4, 2, 0, 6])[:, None],
    ABSENT_PREFIX + "price": [[0], [0], [1], [0]],
    "views": z_scored([0, 1, 2, 3])[:, None],
    "share": [[0.0], [0.5], [1.0], [0.25]],
    "raw": [[0, -2], [1, 0.5], [2, 0], [3, 3]],
    "age": [0, 1, 2, 3],
    "income": [1, 2, 0, 3],
}


@pytest.fixture(scope="module")
def surface(tmp_path_factory):
    return all_kinds.surface_in(tmp_path_factory.mktemp("surface"))


@pytest.fixture(scope="module")
def graph_and_files(surface, tmp_path_factory):
    return all_kinds.transform(surface, all_kinds.ROWS, tmp_path_factory.mktemp("transform"))


@pytest.fixture(scope="module")
def transformed(graph_and_files):
    return all_kinds.columns_of(*graph_and_files)


@pytest.fixture(scope="module")
def as_served(surface, graph_and_files):
    """The columns as the exported model makes them of requests."""
    loader = saved_transform_io_v2.SavedModelLoader(tft.TFTransformOutput(graph_and_files[0]).transform_savedmodel_dir)
    spec = {name: all_kinds.RAW_SPEC[name] for name in surface.raw_columns}
    requests = [all_kinds.serialized(row, labels=False) for row in all_kinds.ROWS]
    found = loader.apply_transform_model(tf.io.parse_example(requests, spec))
    return {name: found[name].numpy() for name in input_columns(surface)}


def test_the_columns_are_those_that_are_declared(surface, transformed):
    for name, column in input_columns(surface).items():
        assert (transformed[name].shape[1:], transformed[name].dtype) == (column.shape, column.dtype)


@pytest.mark.parametrize("name", EXPECTED)
def test_values_are_those_worked_out_by_hand(name, transformed, as_served):
    expected = np.array(EXPECTED[name], float)
    for found in (transformed[name], as_served[name]):
        np.testing.assert_allclose(found[:, : expected.shape[1]] if expected.ndim > 1 else found, expected, atol=1e-6)


def test_what_follows_the_values_of_a_list_is_padding(transformed):
    for name in ("seen", "listened", "tags", "searched"):
        assert (transformed[name][2] == NONE).all()
    assert (transformed["seen"][:, 2:] == NONE).all()
    assert transformed["listened"].shape == (4, 50)


def test_transform_and_serving_agree_on_every_column(surface, transformed, as_served):
    for name in input_columns(surface):
        np.testing.assert_allclose(as_served[name], transformed[name], atol=1e-6)


def test_hashes_are_the_same_in_every_run_and_on_every_platform(transformed):
    """The numbers are FarmHash's fingerprints of the text's bytes, modulo the rows."""
    assert transformed["user"].tolist() == hashed(tf.constant(["ana", "ben", "ana", "日本"]), 50).numpy().tolist()
    assert hashed(tf.constant(["ana", "日本語", ""]), 1_000_000).numpy().tolist() == HASHES
    assert hashed(tf.constant([7], tf.int64), 1000).numpy() == hashed(tf.constant(["7"]), 1000).numpy()
    crossed = hashed(tf.constant(["ana\x1fKöln", "ben\x1fKöln", "ana\x1fnowhere", "日本\x1fLyon"]), 40)
    assert transformed["user_city"].tolist() == crossed.numpy().tolist()


HASHES = [370375, 675783, 397263]


def test_unknown_values_are_told_apart_by_their_hash(transformed):
    assert transformed["hour"].tolist()[0] == 23
    assert transformed["hour"].tolist()[3] == 0
    assert set(transformed["hour"][1:3].tolist()) <= {24, 25}
    assert transformed["city"].tolist()[:2] == [0, 0]
    assert set(transformed["city"][2:].tolist()) <= {1, 2, 3}


def test_ranks_go_from_0_to_1_in_the_order_of_the_values(transformed):
    ranks = transformed["rank"].ravel()
    assert (np.diff(ranks) > 0).all()
    assert 0 <= ranks[0] < 0.26
    assert 0.74 < ranks[3] <= 1


def test_the_rows_of_each_embedding(surface, graph_and_files):
    transform = tft.TFTransformOutput(graph_and_files[0])
    assert vocabulary.sizes(surface, transform) == {
        "item": 4, "user": 50, "hour": 26, "language": 4, "city": 4, "genres": 4, "tags": 20, "recent_action": 3,
        "searched": 30, "age": 4, "income": 4, "user_city": 40,
    }  # fmt: skip
    known = vocabulary.known_values(surface, transform)
    assert known["item"] == [b"7", b"9", b"8"]
    assert known["language"] == [each.encode() for each in all_kinds.LANGUAGES]
    assert known["hour"][:2] == [b"0", b"1"]
    assert set(known) == {"item", "hour", "language", "city", "genres", "recent_action"}


@pytest.fixture(scope="module")
def ranker(surface, graph_and_files):
    transform = tft.TFTransformOutput(graph_and_files[0])
    statistics = {name: LabelStatistics(0.5, 0.5) for name in surface.tasks}
    made = build(surface, vocabulary.sizes(surface, transform), statistics, distil=True)
    start_from_vectors(made, surface, vocabulary.known_values(surface, transform))
    return made


def test_the_export_answers_as_the_model_does_on_transformed_columns(
    ranker, surface, graph_and_files, transformed, tmp_path
):
    export_student(ranker, surface, graph_and_files[0], str(tmp_path / "model"))
    requests = [all_kinds.serialized(row, labels=False) for row in all_kinds.ROWS]
    signature = tf.saved_model.load(str(tmp_path / "model")).signatures[SIGNATURE]
    served = signature(**{EXAMPLES_INPUT: tf.constant(requests)})
    expected = ranker.serving({name: transformed[name] for name in input_columns(surface)})
    assert set(served) == {"click", "minutes"}
    for task, values in served.items():
        np.testing.assert_allclose(values, expected[task], atol=1e-6)
    expect_promised(surface, all_kinds.RAW_SPEC, str(tmp_path / "model"))


def test_an_absent_list_and_an_empty_one_are_the_same(surface, graph_and_files, as_served):
    row = {name: value for name, value in all_kinds.ROWS[2].items() if value != []}
    loader = saved_transform_io_v2.SavedModelLoader(tft.TFTransformOutput(graph_and_files[0]).transform_savedmodel_dir)
    spec = {name: all_kinds.RAW_SPEC[name] for name in surface.raw_columns}
    found = loader.apply_transform_model(tf.io.parse_example([all_kinds.serialized(row, labels=False)], spec))
    for name in input_columns(surface):
        np.testing.assert_array_equal(found[name].numpy()[0], as_served[name][2])


def test_shared_embeddings_are_one_table_and_frozen_vectors_stay(ranker):
    tables = [each.name for each in ranker.training.layers if each.name.startswith("embedding_")]
    assert len(tables) == 12
    assert not {"embedding_recent", "embedding_seen", "embedding_listened"} & set(tables)
    language = ranker.training.get_layer("embedding_language")
    vectors = language.get_weights()[0]
    np.testing.assert_allclose(vectors[[0, 2]], [all_kinds.VECTORS["de"], all_kinds.VECTORS["日本語"]])
    assert language.trainable_variables == []


@pytest.mark.parametrize(
    ("name", "layer"),
    [("seen", "pool_seen"), ("genres", "pool_genres"), ("tags", "pool_tags"), ("recent", "sequence_history.read"),
     ("listened", "sequence_plays.mean"), ("searched", "sequence_searches.mean")],
)  # fmt: skip
def test_what_is_not_there_does_not_count(name, layer, ranker, surface, transformed):
    """A vector of zeros for no value; and what padding looks up does not matter, however much there is of it."""
    import keras

    columns = {each: transformed[each] for each in input_columns(surface)}
    model = keras.Model(ranker.training.input, ranker.training.get_layer(layer).output)
    before = model(columns).numpy()
    assert (before[2] == 0).all()
    assert np.abs(before[0]).max() > 0
    owner = surface.owner(name)
    table = ranker.training.get_layer(f"embedding_{owner}")
    kept = table.get_weights()
    rows = np.unique(transformed[name][transformed[name] >= 0])
    changed = kept[0].copy()
    changed[[row for row in range(len(changed)) if row not in rows]] = 100.0
    table.set_weights([changed])
    after = model(columns).numpy()
    table.set_weights(kept)
    if name != "recent":  # attention also reads the candidate, whose row is another
        np.testing.assert_allclose(after, before, atol=1e-5)


def test_pools_are_sums_means_and_roots(ranker, surface, transformed):
    import keras

    columns = {each: transformed[each] for each in input_columns(surface)}
    items = ranker.training.get_layer("embedding_item").get_weights()[0]
    genres = ranker.training.get_layer("embedding_genres").get_weights()[0]
    tags = ranker.training.get_layer("embedding_tags").get_weights()[0]
    found = {
        name: keras.Model(ranker.training.input, ranker.training.get_layer(f"pool_{name}").output)(columns).numpy()
        for name in ("seen", "genres", "tags")
    }
    np.testing.assert_allclose(found["seen"][0], items[0] + items[2], atol=1e-6)
    np.testing.assert_allclose(found["genres"][1], (genres[1] + genres[0] + genres[2]) / 3, atol=1e-6)
    first, second = transformed["tags"][0][:2]
    np.testing.assert_allclose(found["tags"][0], (3 * tags[first] + 4 * tags[second]) / 5, atol=1e-6)
    assert (found["tags"][3] == 0).all()  # three tags that weigh nothing
    assert math.isclose(np.abs(found["genres"][3] - genres[0]).max(), 0, abs_tol=1e-6)
