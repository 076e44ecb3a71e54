"""Labels, and what each example counts for, from parsed examples."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from evaluation.jackknife import Floats
from records.labels import first_texts, is_of_texts, label_of_array
from schema.errors import InputError
from schema.labels import LabelRule, Sampled


def label_column(batch: pa.RecordBatch, name: str) -> Floats:
    """A hard label per row, NaN where it is absent.

    Args:
      batch: Parsed examples.
      name: The label's column.

    Returns:
      Labels, shape [rows].

    Raises:
      InputError: The column holds no numbers, or several per example.
    """
    return _numbers(batch, name, f"label {name!r}")


def labels_of(batch: pa.RecordBatch, name: str, rule: LabelRule | None) -> Floats:
    """The label of each row as it follows from its column, NaN where it is absent.

    Args:
      batch: Parsed examples.
      name: The label's column.
      rule: How it follows.

    Returns:
      Labels, shape [rows]; of a multiclass task the place of the class, -1 for what is none of them.

    Raises:
      InputError: The column holds neither numbers nor, for names of classes, texts, or several per example.
    """
    if rule is None or not rule.of_text:
        return label_of_array(rule, label_column(batch, name))
    index = batch.schema.get_field_index(name)
    if index < 0 or pa.types.is_null(batch.schema.field(index).type):
        return np.full(batch.num_rows, np.nan)
    column = batch.column(index)
    most = max(column.value_lengths().fill_null(0).to_pylist(), default=0)
    if most > 1:
        raise InputError(f"label {name!r}: expected at most one value per example, found {most}")
    if not is_of_texts(column):
        raise InputError(f"label {name!r}: expected names of classes, found type {column.type}")
    return label_of_array(rule, first_texts(column))


def weight_column(batch: pa.RecordBatch, name: str) -> Floats:
    """The weight of each row, 1 where it is absent, as in training.

    Args:
      batch: Parsed examples.
      name: The column.

    Returns:
      Weights, shape [rows].

    Raises:
      InputError: The column holds what is no number from 0 up, or several per example.
    """
    found = _numbers(batch, name, f"weight_column {name!r}")
    weights = np.where(np.isnan(found), 1.0, found)
    wrong = weights[(weights < 0) | np.isinf(weights)]
    if wrong.size:
        raise InputError(f"weight_column {name!r}: expected finite numbers from 0 up, found {wrong[0]:g}")
    return weights


def _numbers(batch: pa.RecordBatch, name: str, told: str) -> Floats:
    """A column of at most one number per row, NaN where it is absent; `told` is what an error calls it."""
    numbers = np.full(batch.num_rows, np.nan)
    index = batch.schema.get_field_index(name)
    if index < 0 or pa.types.is_null(batch.schema.field(index).type):
        return numbers
    column = batch.column(index)
    counts = column.value_lengths().fill_null(0).to_numpy(zero_copy_only=False)
    if counts.size and counts.max() > 1:
        raise InputError(f"{told}: expected at most one value per example, found {counts.max()}")
    if not counts.any():
        return numbers
    values = column.flatten()
    if not (pa.types.is_integer(values.type) or pa.types.is_floating(values.type)):
        raise InputError(f"{told}: expected a number, found type {values.type}")
    numbers[counts == 1] = values.to_numpy(zero_copy_only=False)
    return numbers


def stands_for(batch: pa.RecordBatch, labels: Floats, sampled: Sampled | None) -> Floats:
    """How many examples each one stands for, [rows]: a negative also for those that were sampled away with it.

    Args:
      batch: Parsed examples.
      labels: The task's labels, [rows].
      sampled: How its negatives were sampled; None if they were not.

    Raises:
      InputError: A probability of being kept is not above 0 and up to 1.
    """
    if sampled is None:
        return np.ones(len(labels))
    if sampled.probability is None:
        return np.where(labels == 0, 1.0 / (sampled.negatives or 1.0), 1.0)
    found = _numbers(batch, sampled.probability, f"sampled.probability {sampled.probability!r}")
    kept = np.where(np.isnan(found), 1.0, found)
    wrong = kept[(kept <= 0) | (kept > 1)]
    if wrong.size:
        raise InputError(
            f"sampled.probability {sampled.probability!r}: expected probabilities above 0 and up to 1, "
            f"found {wrong[0]:g}"
        )
    return np.where(labels == 0, 1.0 / kept, 1.0)
