"""Columns that say what a label says: nobody has them when a page is ranked, and a feature of them is a lie."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from crosskd.draft.sample import ExampleSample

_NEAR_1 = 0.95
_LEAST_ROWS = 50
_FEW_VALUES = 50
# With a smaller part of the rows present, or absent, presence says too little.
_LEAST_PART = 0.005


def derived(sample: ExampleSample, labels: Iterable[str], names: Iterable[str]) -> dict[str, str]:
    """The columns among `names` that a label determines, or that determine it, with what was found."""
    hard = {label: sample.numbers(label) for label in labels}
    found: dict[str, str] = {}
    for name in names:
        for label, values in hard.items():
            why = _why(sample, name, label, values)
            if why is not None and name not in found:
                found[name] = why
    return found


def repeats(sample: ExampleSample, name: str, labels: Iterable[str]) -> bool:
    """Whether a label's values are those of one of `labels`, or their opposite."""
    values = sample.numbers(name)
    return any(abs(_correlation(values, sample.numbers(label))) >= _NEAR_1 for label in labels)


def _why(sample: ExampleSample, name: str, label: str, hard: NDArray[np.float64]) -> str | None:
    column = sample.columns[name]
    values = sample.numbers(name)
    presence = _correlation((~np.isnan(values)).astype(float), hard, _LEAST_PART)
    if abs(presence) >= _NEAR_1:
        side = "is there" if presence > 0 else "is missing"
        return f"it {side} where {label} is high (correlation {presence:.2f})"
    if column.size != 1:
        return None
    if column.is_number:
        for what, near in (("correlation", _correlation(values, hard)), ("rank correlation", _by_rank(values, hard))):
            if abs(near) >= _NEAR_1:
                return f"{what} {near:.2f} with {label}"
    explained = _explained(values, hard) if column.distinct <= _FEW_VALUES else 0.0
    return f"its values tell {label} ({explained:.0%} of its variance)" if explained >= _NEAR_1 else None


def _correlation(values: NDArray[np.float64], hard: NDArray[np.float64], least: float = 0.0) -> float:
    both = ~np.isnan(values) & ~np.isnan(hard)
    one, other = values[both], hard[both]
    if len(one) < _LEAST_ROWS or not one.std() or not other.std():
        return 0.0
    if least and not least <= one.mean() <= 1 - least:
        return 0.0
    return float(np.corrcoef(one, other)[0, 1])


def _by_rank(values: NDArray[np.float64], hard: NDArray[np.float64]) -> float:
    """Spearman's for a label of many values; for one of two, how well the column's order separates them."""
    both = ~np.isnan(values) & ~np.isnan(hard)
    one, other = values[both], hard[both]
    if len(one) < _LEAST_ROWS or not one.std() or not other.std():
        return 0.0
    ranks = _ranks(one)
    if len(np.unique(other)) > len((0, 1)):
        return _correlation(ranks, _ranks(other))
    high = other == other.max()
    above = ranks[high].sum() - high.sum() * (high.sum() + 1) / 2
    return float(2 * above / (high.sum() * (~high).sum()) - 1)


def _ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.array(pd.Series(values).rank(), np.float64)


def _explained(values: NDArray[np.float64], hard: NDArray[np.float64]) -> float:
    """The part of the label's variance that lies between the column's values."""
    both = ~np.isnan(values) & ~np.isnan(hard)
    one, other = values[both], hard[both]
    if len(one) < _LEAST_ROWS or not other.std():
        return 0.0
    means = pd.Series(other).groupby(one).transform("mean").to_numpy()
    return float(means.var() / other.var())
