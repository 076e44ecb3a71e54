from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from records.labels import label_of, label_of_array, label_of_numbers
from schema.labels import LabelRule

RATINGS = np.array([1, 2, 3.5, 4, 5, np.nan], np.float32)


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ({"positive": {"at_least": 4}}, [0, 0, 0, 1, 1, np.nan]),
        ({"positive": {"at_most": 2}}, [1, 1, 0, 0, 0, np.nan]),
        ({"positive": {"at_least": 2, "at_most": 4}}, [0, 1, 1, 1, 0, np.nan]),
        ({"positive": {"any_of": [1, 5]}}, [1, 0, 0, 0, 1, np.nan]),
        ({"positive": {"any_of": [1, 5], "at_least": 2}}, [0, 0, 0, 0, 1, np.nan]),
        ({"clip": {"min": 2, "max": 4}}, [2, 2, 3.5, 4, 4, np.nan]),
        ({"clip": {"max": 3}}, [1, 2, 3, 3, 3, np.nan]),
    ],
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_labels_follow_from_their_column(rule: dict[str, Any], expected: list[float], dtype: type) -> None:
    found = label_of_numbers(LabelRule.model_validate(rule), RATINGS.astype(dtype))
    np.testing.assert_array_equal(found, expected)
    assert found.dtype == dtype


def test_without_a_rule_the_column_is_the_label() -> None:
    assert label_of_numbers(None, RATINGS) is RATINGS


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("positive", [{"at_least": 0.1}, {"at_most": 0.1}, {"any_of": [0.1]}])
def test_a_bound_is_what_an_example_holds_of_it(positive: dict[str, Any], dtype: type) -> None:
    """A tf.Example holds 32-bit floats: its .1 is more than that of surface.yaml."""
    found = label_of_numbers(LabelRule.model_validate({"positive": positive}), np.array([np.float32(0.1)], dtype))
    assert found.tolist() == [1.0]


def test_in_a_graph_it_is_the_same() -> None:
    rule = LabelRule.model_validate({"positive": {"any_of": [1, 4]}})
    traced = tf.function(lambda values: label_of(rule, values), input_signature=[tf.TensorSpec([None], tf.float32)])
    np.testing.assert_array_equal(traced(tf.constant(RATINGS)).numpy(), label_of_numbers(rule, RATINGS))
    assert traced(tf.zeros([0])).shape == (0,)


def test_a_class_is_its_place_in_a_graph_and_at_hand() -> None:
    rule = LabelRule.model_validate({"classes": [5, 1]})
    expected = [1, -1, -1, -1, 0, np.nan]
    np.testing.assert_array_equal(label_of_numbers(rule, RATINGS), expected)
    np.testing.assert_array_equal(label_of_array(rule, RATINGS), expected)
    names = LabelRule.model_validate({"classes": ["ja", "日本"]})
    assert (names.of_text, rule.of_text) == (True, False)
    texts = np.array(["日本".encode(), b"", b"ja", b"nein"], object)
    np.testing.assert_array_equal(label_of_array(names, texts), [1, np.nan, 0, -1])
