"""The labels of a score: what a good ranking puts first."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from scipy import special

from evaluation.jackknife import Floats
from schema.errors import InputError
from schema.score import Expression

FUNCTIONS = {
    "exp": np.exp,
    "log": np.log,
    "log1p": np.log1p,
    "sqrt": np.sqrt,
    "abs": np.abs,
    "sigmoid": special.expit,
    "min": np.minimum,
    "max": np.maximum,
}


def gains_of(expression: Expression, labels: Mapping[str, Floats], constants: Mapping[str, float]) -> Floats:
    """The gain of each row.

    Args:
      expression: The gain as an expression over labels.
      labels: By task, float [rows], NaN where absent.
      constants: By name.

    Returns:
      Float [rows]; NaN where no label is there that the expression reads, and where others are
      there, an absent label counts as 0.

    Raises:
      InputError: A gain is negative or no number.
    """
    read = [name for name in expression.names if name in labels]
    there = np.any([~np.isnan(labels[name]) for name in read], axis=0)
    known = {name: np.nan_to_num(labels[name], nan=0.0) for name in read}
    with np.errstate(all="ignore"):
        found = expression.value({**known, **constants}, FUNCTIONS)
    gains: NDArray[np.float64] = np.where(there, np.broadcast_to(found, there.shape), np.nan).astype(np.float64)
    wrong = gains[there & ~((gains >= 0) & np.isfinite(gains))]
    if wrong.size:
        raise InputError(
            f"score: expected gains of 0 or more, found {wrong[0]:g} by {expression.text!r} over the labels. "
            "Give the score a `gain:` that is never negative, such as a task of its own."
        )
    return gains
