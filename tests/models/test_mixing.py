"""Unlabelled rows in training batches: beside the labelled ones, and without any hard gradient."""

import numpy as np
import pytest
import tensorflow as tf

from models import inputs
from models.scales import LabelStatistics
from models.store import Store
from models.terms import head_losses
from schema.errors import InputError
from schema.training import Training
from tests.models.conftest import SURFACE
from tests.models.reading import batches_of

LABELLED, UNLABELLED, BATCH, PER_ROW = 23, 40, 4, 3
SPEC = {
    "x": tf.io.FixedLenFeature([2], tf.float32),
    "label/y": tf.io.FixedLenFeature([], tf.float32),
    "teacher/t": tf.io.FixedLenFeature([], tf.float32),
}


def write(path, rows, label):
    with tf.io.TFRecordWriter(str(path), options="GZIP") as writer:
        for row in rows:
            features = tf.train.Features()
            features.feature["x"].float_list.value.extend([row, -row])
            features.feature["label/y"].float_list.value.append(label(row))
            features.feature["teacher/t"].float_list.value.append(row / 10)
            writer.write(tf.train.Example(features=features).SerializeToString())


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("records")
    write(folder / "labelled.gz", range(LABELLED), lambda row: row * 10)
    write(folder / "unlabelled.gz", range(1000, 1000 + UNLABELLED), lambda _: np.nan)
    return folder


def data_of(folder, memory_limit, unlabelled):
    training = Training(batch_size=BATCH, validation_fraction=0.25, seed=3)
    labelled = Store([str(folder / "labelled.gz")], SPEC)
    return inputs.transformed(labelled, training, unlabelled=unlabelled, memory_limit=memory_limit)


def rows_of(batch):
    return batch[0]["x"][:, 0].astype(int).tolist()


@pytest.mark.parametrize("memory_limit", [0, 2**30], ids=["streamed", "in_memory"])
def test_a_batch_is_the_control_s_and_then_so_many_unlabelled_rows_for_each(folder, memory_limit):
    pool = inputs.UnlabelledPairs(Store([str(folder / "unlabelled.gz")], SPEC), PER_ROW)
    control = data_of(folder, memory_limit, None)
    student = data_of(folder, memory_limit, pool)
    extra = []
    for number in range(2):
        plain, mixed = list(batches_of(control.epoch(number))), list(batches_of(student.epoch(number)))
        assert [rows_of(each) for each in plain] == [
            rows_of(each)[: len(rows_of(other))] for each, other in zip(mixed, plain, strict=True)
        ]
        for each, other in zip(mixed, plain, strict=True):
            more = rows_of(each)[len(rows_of(other)) :]
            assert len(more) == PER_ROW * len(rows_of(other))
            extra.append(more)
            assert np.isnan(each[1]["label/y"][len(rows_of(other)) :]).all()
            np.testing.assert_allclose(each[1]["teacher/t"], each[0]["x"][:, 0] / 10, rtol=1e-6)
    drawn = {row for each in extra for row in each}
    assert drawn <= set(range(1000, 1000 + UNLABELLED))
    assert len(drawn) > UNLABELLED / 2
    assert extra[: len(extra) // 2] != extra[len(extra) // 2 :]  # other ones in every epoch
    for one, other in zip(batches_of(control.held_out()), batches_of(student.held_out()), strict=True):
        assert rows_of(one) == rows_of(other)


@pytest.mark.parametrize("memory_limit", [0, 2**30], ids=["streamed", "in_memory"])
def test_pairs_that_are_not_there_are_an_error(folder, tmp_path, memory_limit):
    write(tmp_path / "empty.gz", [], lambda _: np.nan)
    pool = inputs.UnlabelledPairs(Store([str(tmp_path / "empty.gz")], SPEC), PER_ROW)
    with pytest.raises(InputError, match=r"expected unlabelled examples, 3 for each labelled one.*; found none"):
        data_of(folder, memory_limit, pool)


def test_an_unlabelled_row_moves_the_distillation_head_and_no_other():
    """Two labelled rows and two unlabelled: the hard mean is over two, the soft mean over four."""
    statistics = {"click": LabelStatistics(0.5, 0.5)}
    terms = {each.head: each for each in head_losses(only_click(), statistics, distil=True)}
    labels = {
        "label/click": tf.constant([1.0, 0.0, np.nan, np.nan]),
        "teacher/click": tf.constant([0.5, -0.5, 2.0, -1.0]),
    }
    outputs = {
        "serving_click": tf.Variable([[0.0], [0.0], [3.0], [-3.0]]),
        "distillation_click": tf.Variable([[0.0], [0.0], [1.0], [1.0]]),
    }
    with tf.GradientTape() as tape:
        hard = terms["serving_click"](labels, outputs)
        soft = terms["distillation_click"](labels, outputs)
        total = hard + soft
    assert hard.numpy() == pytest.approx(np.log(2))
    assert soft.numpy() == pytest.approx((0.25 + 0.25 + 1.0 + 4.0) / 4)
    of_serving, of_distillation = tape.gradient(total, list(outputs.values()))
    np.testing.assert_allclose(of_serving[:, 0], [-0.25, 0.25, 0, 0], atol=1e-6)
    np.testing.assert_allclose(of_distillation[:, 0], np.array([-0.5, 0.5, -1.0, 2.0]) * 2 / 4, atol=1e-6)


def only_click():
    return SURFACE.model_copy(update={"tasks": {"click": SURFACE.tasks["click"]}, "non_serving_heads": {}})
