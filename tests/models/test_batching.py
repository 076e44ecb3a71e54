"""Batches from memory: whole ones in blocks, and yet in the order that published results were trained in."""

import numpy as np
import pytest
import tensorflow as tf

from models import inputs
from models.columns import GROUP_COLUMN

IDS = {"id": np.arange(20)}
GROUPS = {**IDS, GROUP_COLUMN: np.array([0, 1, 2] * 6 + [0, 1])}


def two_epochs(batches):
    return [[features["id"].tolist() for features, _ in batches.as_numpy_iterator()] for _ in range(2)]


@pytest.fixture(autouse=True)
def seeded():
    tf.random.set_seed(5)
    yield
    tf.random.set_seed(None)


def test_rows_are_shuffled_as_ever():
    assert two_epochs(inputs.in_memory(IDS, np.arange(9), 4, seed=3)) == [
        [[0, 3, 5, 2], [8, 7, 1, 6], [4]],
        [[7, 6, 3, 4], [0, 8, 2, 5], [1]],
    ]


def test_groups_are_shuffled_as_ever():
    assert two_epochs(inputs.in_memory(GROUPS, np.arange(9), 4, seed=3)) == [
        [[0, 3, 6, 1], [4, 7, 2, 5], [8]],
        [[1, 4, 7, 2], [5, 8, 0, 3], [6]],
    ]


def test_unlabelled_rows_are_drawn_as_ever():
    batches = inputs.in_memory(IDS, np.arange(5), 2, seed=3, unlabelled=np.arange(9, 20), per_row=2)
    assert two_epochs(batches) == [
        [[0, 3, 18, 10, 18, 13], [4, 1, 10, 13, 16, 10], [2, 13, 17]],
        [[4, 2, 11, 10, 14, 12], [0, 1, 11, 18, 18, 18], [3, 14, 12]],
    ]
    assert len(batches) == 3


@pytest.mark.parametrize("block", [1, 4, 6, 100])
def test_blocks_do_not_show(monkeypatch, block):
    monkeypatch.setattr(inputs, "_BLOCK", block)
    batches = inputs.in_memory(IDS, np.arange(9)[::-1].copy(), 4, seed=None)
    assert two_epochs(batches) == [[[8, 7, 6, 5], [4, 3, 2, 1], [0]]] * 2
    assert len(batches) == 3
