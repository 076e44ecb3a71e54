"""Which examples hold an id that the teacher does not know."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from components.teacher_labeler.inspection import unknown_rows

KNOWN = np.array([1, 2, 3])


def test_padding_of_a_list_is_no_unknown_id():
    lists = tf.constant([[1, 2, -1], [3, -1, -1], [1, 9, -1], [-1, -1, -1], [9, 9, 9]])
    assert unknown_rows(lists, np.zeros(5, bool), KNOWN, -1) == 2
    # A number that pads nothing is an id as any other.
    assert unknown_rows(lists, np.zeros(5, bool), KNOWN, None) == 5


def test_padding_of_text():
    lists = tf.constant([["a", ""], ["a", "b"], ["c", ""]])
    assert unknown_rows(lists, np.zeros(3, bool), np.array([b"a", b"b"], object), "") == 1


@pytest.mark.parametrize(("filled", "rows"), [([False, False], 1), ([False, True], 0)])
def test_what_is_filled_is_not_counted(filled, rows):
    assert unknown_rows(tf.constant([[1], [9]]), np.array(filled), KNOWN, None) == rows
