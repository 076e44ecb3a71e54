"""Labels of classes, and what an example counts for where negatives were sampled, out of parsed examples."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from evaluation.labels import labels_of, stands_for
from schema.errors import InputError
from schema.labels import LabelRule, Sampled

NAMES = LabelRule.model_validate({"classes": ["top", "low"]})
NUMBERS = LabelRule.model_validate({"classes": [3, 1, -2]})


def batch(**columns: list[Any]) -> pa.RecordBatch:
    return pa.RecordBatch.from_pydict(columns)


def test_a_label_is_the_place_of_its_class() -> None:
    found = labels_of(batch(shelf=[[b"low"], None, [b"top"], [b"attic"], []]), "shelf", NAMES)
    np.testing.assert_array_equal(found, [1, np.nan, 0, -1, np.nan])
    found = labels_of(batch(stars=[[1], [3], [-2], [2], None]), "stars", NUMBERS)
    np.testing.assert_array_equal(found, [1, 0, 2, -1, np.nan])
    np.testing.assert_array_equal(labels_of(batch(other=[[1]]), "shelf", NAMES), [np.nan])


def test_names_are_texts_and_one_for_each_example() -> None:
    with pytest.raises(InputError, match="label 'shelf': expected names of classes, found type list"):
        labels_of(batch(shelf=[[1]]), "shelf", NAMES)
    with pytest.raises(InputError, match="label 'shelf': expected at most one value per example, found 2"):
        labels_of(batch(shelf=[[b"top", b"low"]]), "shelf", NAMES)


def test_a_negative_stands_for_those_that_were_sampled_away() -> None:
    labels = np.array([1.0, 0.0, 0.0, np.nan])
    kept = batch(kept=[[0.5], [0.25], None, [0.1]])
    by_column = Sampled(probability="kept")
    np.testing.assert_array_equal(stands_for(kept, labels, by_column), [1, 4, 1, 1])
    np.testing.assert_array_equal(stands_for(kept, labels, Sampled(negatives=0.1)), [1, 10, 10, 1])
    np.testing.assert_array_equal(stands_for(kept, labels, None), [1, 1, 1, 1])
    for wrong in (0.0, -0.5, 1.5):
        with pytest.raises(InputError, match="expected probabilities above 0 and up to 1, found"):
            stands_for(batch(kept=[[wrong]]), np.array([0.0]), by_column)
