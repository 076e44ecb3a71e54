import gzip
import math

import numpy as np
import pytest
import tensorflow as tf
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from models import inputs
from models.store import Store
from schema.errors import InputError
from schema.training import Training
from tests.models.reading import batches_of

ROWS = 23
SPEC = {"x": tf.io.FixedLenFeature([2], tf.float32), "label/y": tf.io.FixedLenFeature([], tf.float32)}


@pytest.fixture(scope="module")
def patterns(tmp_path_factory):
    folder = tmp_path_factory.mktemp("records")
    for part in range(2):
        with tf.io.TFRecordWriter(str(folder / f"part-{part}.gz"), options="GZIP") as writer:
            for row in range(ROWS)[part * 12 : part * 12 + 12]:
                features = tf.train.Features()
                features.feature["x"].float_list.value.extend([row, -row])
                features.feature["label/y"].float_list.value.append(row * 10)
                writer.write(tf.train.Example(features=features).SerializeToString())
    return [str(folder / "part-*")]


TRAINING = Training(batch_size=4, validation_fraction=0.25, seed=3)


def data_of(patterns, memory_limit):
    return inputs.transformed(Store(patterns, SPEC), TRAINING, memory_limit=memory_limit)


def rows_of(batches):
    return [int(value) for features, _ in batches_of(batches) for value in features["x"][:, 0]]


@pytest.mark.parametrize("memory_limit", [0, 2**30], ids=["streamed", "in_memory"])
def test_every_fourth_record_is_held_out_and_the_rest_trains(patterns, memory_limit):
    data = data_of(patterns, memory_limit)
    held_out = list(range(0, ROWS, 4))
    assert rows_of(data.held_out()) == held_out
    assert data.epoch(0).steps == 5
    first, second = (rows_of(data.epoch(number)) for number in (1, 2))
    assert sorted(first) == sorted(second) == sorted(set(range(ROWS)) - set(held_out))
    assert first != second  # another order in every epoch
    assert rows_of(data.held_out()) == held_out


@pytest.mark.parametrize("memory_limit", [0, 2**30], ids=["streamed", "in_memory"])
def test_the_last_records_are_held_out_where_it_is_asked(patterns, memory_limit):
    last = TRAINING.model_copy(update={"hold_out": "last"})
    data = inputs.transformed(Store(patterns, SPEC), last, memory_limit=memory_limit)
    fitted = ROWS - math.ceil(ROWS / 4)
    assert rows_of(data.held_out()) == list(range(fitted, ROWS))
    assert sorted(rows_of(data.epoch(0))) == list(range(fitted))


@pytest.mark.parametrize("memory_limit", [0, 2**30], ids=["streamed", "in_memory"])
def test_labels_travel_with_their_features(patterns, memory_limit):
    for features, labels in batches_of(data_of(patterns, memory_limit).epoch(0)):
        assert set(features) == {"x"}
        np.testing.assert_array_equal(labels["label/y"], features["x"][:, 0] * 10)


@pytest.mark.parametrize("memory_limit", [0, 2**30], ids=["streamed", "in_memory"])
def test_the_order_depends_on_the_epoch_alone(patterns, memory_limit):
    """And not on what was drawn before, or on anybody's global seed."""
    first, again = data_of(patterns, memory_limit), data_of(patterns, memory_limit)
    orders = [rows_of(first.epoch(number)) for number in (0, 1)]
    tf.random.set_seed(99)
    assert [rows_of(again.epoch(number)) for number in (1, 0)] == orders[::-1]


def test_windows_and_blocks_of_any_size_stream_every_row_once(patterns, monkeypatch):
    monkeypatch.setattr("models.batching._BLOCK", 2)
    monkeypatch.setattr("models.epochs._WINDOW", 8)
    monkeypatch.setattr("models.epochs.HELD_OUT_BATCH", 4)
    data = data_of(patterns, 0)
    found = [[len(part.feed.rows) for part in data.epoch(number).parts()] for number in range(2)]
    assert found == [[8, 8, 1]] * 2
    held_out = list(range(0, ROWS, 4))
    assert sorted(rows_of(data.epoch(0))) == sorted(set(range(ROWS)) - set(held_out))
    assert rows_of(data.epoch(0)) != rows_of(data.epoch(1))
    assert rows_of(data.held_out()) == held_out
    assert data.held_out().steps == sum(part.steps for part in data.held_out().parts()) == 2


def test_groups_must_fit_in_memory(patterns):
    spec = {**SPEC, "group/id": tf.io.FixedLenFeature([], tf.int64, -1)}
    by_group = TRAINING.model_copy(update={"batch_by": "group"})
    with pytest.raises(InputError, match=r"batches by group need all rows in memory: 23 rows of 20 bytes .* 9 bytes"):
        inputs.transformed(Store(patterns, spec), by_group, memory_limit=9)


def schema(text: str) -> schema_pb2.Schema:
    return text_format.Parse(text, schema_pb2.Schema())


def test_raw_columns_mark_absent_numbers_with_nan(tmp_path):
    with tf.io.TFRecordWriter(str(tmp_path / "a.gz"), options="GZIP") as writer:
        for values in ([], [2], []):
            features = tf.train.Features()
            features.feature["n"].int64_list.value.extend(values)
            writer.write(tf.train.Example(features=features).SerializeToString())
    columns = inputs.raw_columns(tmp_path, schema('feature { name: "n" type: INT value_count { max: 1 } }'), ["n"])
    np.testing.assert_array_equal(columns["n"], [np.nan, 2, np.nan])


def test_raw_columns_of_a_split_without_records_are_an_error(tmp_path):
    gzip.open(tmp_path / "a.gz", "wb").close()
    with pytest.raises(InputError, match="no examples"):
        inputs.raw_columns(tmp_path, schema('feature { name: "n" type: INT value_count { max: 1 } }'), ["n"])
