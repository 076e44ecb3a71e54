"""Each metric against an independent implementation, on 10,000 random rows and on edges."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy.stats import spearmanr
from sklearn import metrics as sklearn_metrics

from evaluation.registry import COMPUTATIONS, score
from schema import metrics
from schema.base import TaskKind
from schema.metrics import METRICS, Metric
from tests.evaluation.combining import compute
from tests.evaluation.test_registry import BY_KIND, OF_ROWS, made, named

ROWS = 10_000
Numbers = Any
# Takes labels, predictions, weights and groups.
Independent = Callable[[Numbers, Numbers, Numbers, Numbers], float]


def by_group(value: Independent, by_examples: bool = False) -> Independent:
    """The weighted mean of a value of each group; one that is NaN does not count."""

    def mean(y: Numbers, p: Numbers, w: Numbers, groups: Numbers) -> float:
        found = []
        for group in np.unique(groups):
            mine = groups == group
            weight = w[mine].sum() if by_examples else w[mine].mean()
            found.append((value(y[mine], p[mine], w[mine], groups[mine]), weight))
        known = [(number, weight) for number, weight in found if not math.isnan(number)]
        return sum(number * weight for number, weight in known) / sum(weight for _, weight in known)

    return mean


def auc_of_group(y: Numbers, p: Numbers, w: Numbers, _: Numbers) -> float:
    if len(np.unique(y[w > 0])) < 2:
        return math.nan
    return float(sklearn_metrics.roc_auc_score(y, p, sample_weight=w))


def ndcg_of_group(y: Numbers, p: Numbers, w: Numbers, _: Numbers) -> float:
    if len(y) == 1:  # scikit-learn does not rank one row
        return 1.0 if y.any() else math.nan
    return float(sklearn_metrics.ndcg_score([y], [p], k=10)) if y.any() else math.nan


def over_orders(value: Callable[[list[float]], float]) -> Independent:
    """A value of labels in the order of scores, best first; the mean over the orders of each block of equal scores."""

    def mean(y: Numbers, p: Numbers, w: Numbers, _: Numbers) -> float:
        if not y.any():
            return math.nan
        blocks = [list(y[p == each]) for each in sorted(set(p), reverse=True)]
        chosen = itertools.product(*[sorted(set(itertools.permutations(block))) for block in blocks])
        return float(np.mean([value([label for block in each for label in block]) for each in chosen]))

    return mean


def first_hit(labels: list[float]) -> float:
    return 1 / (labels.index(1.0) + 1)


def hits(labels: list[float]) -> float:
    return sum(labels[: metrics.RANKS]) / sum(labels)


def spearman_of_group(y: Numbers, p: Numbers, w: Numbers, _: Numbers) -> float:
    if len(np.unique(y)) < 2:
        return math.nan
    return float(spearmanr(y, p).statistic) if len(np.unique(p)) > 1 else 0.0


def calibration_error(y: Numbers, p: Numbers, w: Numbers, _: Numbers) -> float:
    """Goes through the different predictions one by one, and fills one bin after the other."""
    bins: dict[int, list[float]] = {}
    below = 0.0
    for each in sorted(set(p)):
        mine = p == each
        weight = w[mine].sum()
        place = int((below + weight / 2) / w.sum() * 10)
        of_bin = bins.setdefault(place, [0.0, 0.0])
        of_bin[0] += (w[mine] * p[mine]).sum()
        of_bin[1] += (w[mine] * y[mine]).sum()
        below += weight
    return sum(abs(predicted - found) for predicted, found in bins.values()) / w.sum()


def normalized_entropy(y: Numbers, p: Numbers, w: Numbers, _: Numbers) -> float:
    base = np.full(len(y), np.average(y, weights=w))
    found, bound = (sklearn_metrics.log_loss(y, each, sample_weight=w) for each in (p, base))
    return float(found / bound)


# Those of classes are held against scikit-learn in `test_classes`.
OF_NUMBERS = [each for each in METRICS.values() if each.kinds != (TaskKind.MULTICLASS,)]
INDEPENDENT: dict[str, Independent] = {
    "auc": lambda y, p, w, _: sklearn_metrics.roc_auc_score(y, p, sample_weight=w),
    "r2": lambda y, p, w, _: sklearn_metrics.r2_score(y, p, sample_weight=w),
    "labelled_examples": lambda y, p, w, _: len(y),
    "positives": lambda y, p, w, _: y.sum(),
    "mean_label": lambda y, p, w, _: np.average(y, weights=w),
    "mean_prediction": lambda y, p, w, _: np.average(p, weights=w),
    "calibration": lambda y, p, w, _: (w * p).sum() / (w * y).sum(),
    "calibration_error": calibration_error,
    "brier": lambda y, p, w, _: sklearn_metrics.brier_score_loss(y, p, sample_weight=w),
    "log_loss": lambda y, p, w, _: sklearn_metrics.log_loss(y, p, sample_weight=w),
    "normalized_entropy": normalized_entropy,
    "pr_auc": lambda y, p, w, _: sklearn_metrics.average_precision_score(y, p, sample_weight=w),
    "mean_squared_error": lambda y, p, w, _: sklearn_metrics.mean_squared_error(y, p, sample_weight=w),
    "rmse": lambda y, p, w, _: sklearn_metrics.root_mean_squared_error(y, p, sample_weight=w),
    "mae": lambda y, p, w, _: sklearn_metrics.mean_absolute_error(y, p, sample_weight=w),
    "bias": lambda y, p, w, _: np.average(p - y, weights=w),
    "grouped_auc": by_group(auc_of_group, by_examples=True),
    "ndcg_at_10": by_group(ndcg_of_group),
    "mrr": by_group(over_orders(first_hit)),
    "recall_at_10": by_group(over_orders(hits)),
    "grouped_spearman": by_group(spearman_of_group),
}


def rows(kind: TaskKind, digits: int) -> tuple[Numbers, Numbers, Numbers, Numbers]:
    """Labels, predictions with few or many ties, weights of which some are 0, and groups of 1 to 16 rows."""
    rng = np.random.default_rng(20)
    truth = rng.normal(size=ROWS)
    weights = np.where(rng.random(ROWS) < 0.1, 0.0, rng.uniform(0, 3, ROWS))
    groups = rng.permutation(np.repeat(np.arange(ROWS), rng.integers(1, 17, ROWS))[:ROWS])
    if kind is TaskKind.BINARY:
        labels = (rng.random(ROWS) < 1 / (1 + np.exp(2 - 2 * truth))).astype(float)
        predictions = np.clip(1 / (1 + np.exp(2 - 2 * truth - rng.normal(size=ROWS))), 0.01, 0.99)
    else:
        labels, predictions = np.round(3 + truth, 1), 3 + truth + rng.normal(size=ROWS)
    return labels, np.round(predictions, digits).astype(np.float32).astype(float), weights, groups


def both(metric: Metric, y: Numbers, p: Numbers, w: Numbers | None, groups: Numbers) -> list[float]:
    """The metric as TFMA gets it and, where it can be had so, of rows at hand; NaN where it is undefined."""
    found = [float(compute(made(COMPUTATIONS[metric.name], metric), y, p, w, groups=groups, parts=3))]
    if metric in OF_ROWS:
        of_rows = score(metric, y, p, w, groups)
        found.append(math.nan if of_rows is None else of_rows.value)
    return found


def test_every_metric_has_an_independent_implementation() -> None:
    assert set(INDEPENDENT) == {each.name for each in OF_NUMBERS}


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("digits", [9, 2])
@pytest.mark.parametrize(
    ("metric", "kind"), [each for each in BY_KIND if each[1] is not TaskKind.MULTICLASS], ids=named
)
def test_it_is_what_an_independent_implementation_says(
    metric: Metric, kind: TaskKind, digits: int, weighted: bool
) -> None:
    y, p, w, groups = rows(kind, digits)
    if digits == 9 or metric.name not in ("mrr", "recall_at_10"):
        expected = INDEPENDENT[metric.name](y, p, w if weighted else np.ones(ROWS), groups)
    else:  # all orders of large groups with many ties are too many
        kept = groups < 200
        y, p, w, groups = y[kept], np.where(groups[kept] % 2, p[kept], np.round(p[kept], 1)), w[kept], groups[kept]
        sizes = np.bincount(groups, minlength=200)
        small = sizes[groups] <= 7
        y, p, w, groups = y[small], p[small], w[small], groups[small]
        expected = INDEPENDENT[metric.name](y, p, w if weighted else np.ones(len(y)), groups)
    for found in both(metric, y, p, w if weighted else None, groups):
        # TFMA's form keeps scores to 14 bits.
        assert found == pytest.approx(expected, rel=2e-4, abs=1e-4)


EDGES = {
    "one class": (np.zeros(6), np.linspace(0.1, 0.6, 6), np.ones(6), np.zeros(6, np.int64)),
    "the other class": (np.ones(6), np.linspace(0.1, 0.6, 6), np.ones(6), np.zeros(6, np.int64)),
    "no rows": (np.zeros(0), np.zeros(0), np.zeros(0), np.zeros(0, np.int64)),
    "weights of 0": (np.array([0.0, 1.0, 1.0]), np.array([0.1, 0.2, 0.9]), np.zeros(3), np.zeros(3, np.int64)),
    "groups of one": (np.array([0.0, 1.0, 1.0]), np.array([0.1, 0.2, 0.9]), np.ones(3), np.arange(3)),
    "all alike": (np.array([0.0, 1.0, 1.0, 0.0]), np.full(4, 0.5), np.ones(4), np.array([0, 0, 1, 1])),
}
NAN = math.nan
# One value for each of the edges, in their order, by hand.
AT_EDGES: dict[str, list[float]] = {
    "auc": [NAN, NAN, NAN, NAN, 1.0, 0.5],
    "r2": [NAN, NAN, NAN, NAN, 1 - (0.01 + 0.64 + 0.01) / (2 / 3), 0.0],
    "labelled_examples": [6, 6, 0, 3, 3, 4],
    "positives": [0, 6, 0, 2, 2, 2],
    "mean_label": [0, 1, NAN, NAN, 2 / 3, 0.5],
    "mean_prediction": [0.35, 0.35, NAN, NAN, 0.4, 0.5],
    "calibration": [NAN, 0.35, NAN, NAN, 0.6, 1.0],
    "calibration_error": [0.35, 0.65, NAN, NAN, (0.1 + 0.8 + 0.1) / 3, 0.0],
    "brier": [0.91 / 6, 6 - 2 * 2.1 + 0.91, NAN, NAN, 0.22, 0.25],
    "log_loss": [
        -sum(math.log(1 - p / 10) for p in range(1, 7)) / 6,
        -sum(math.log(p / 10) for p in range(1, 7)) / 6,
        *(NAN, NAN),
        -(math.log(0.9) + math.log(0.2) + math.log(0.9)) / 3,
        math.log(2),
    ],
    "normalized_entropy": [
        *(NAN, NAN, NAN, NAN),
        -(math.log(0.9) + math.log(0.2) + math.log(0.9)) / (math.log(3) + 2 * math.log(1.5)),
        1.0,
    ],
    "pr_auc": [NAN, 1.0, NAN, NAN, 1.0, 0.5],
    "mean_squared_error": [0.91 / 6, (6 - 2 * 2.1 + 0.91) / 6, NAN, NAN, 0.22, 0.25],
    "rmse": [math.sqrt(0.91 / 6), math.sqrt((6 - 2 * 2.1 + 0.91) / 6), NAN, NAN, math.sqrt(0.22), 0.5],
    "mae": [0.35, 0.65, NAN, NAN, 1 / 3, 0.5],
    "bias": [0.35, -0.65, NAN, NAN, 0.4 - 2 / 3, 0.0],
    "grouped_auc": [NAN, NAN, NAN, NAN, NAN, 0.5],
    "ndcg_at_10": [NAN, 1.0, NAN, NAN, 1.0, (1 + 1 / math.log2(3)) / 2],
    "mrr": [NAN, 1.0, NAN, NAN, 1.0, 0.75],
    "recall_at_10": [NAN, 1.0, NAN, NAN, 1.0, 1.0],
    "grouped_spearman": [NAN, NAN, NAN, NAN, NAN, 0.0],
}
AT_EDGES["brier"][1] /= 6


@pytest.mark.parametrize("edge", EDGES)
@pytest.mark.parametrize("metric", OF_NUMBERS, ids=named)
def test_edges_by_hand(metric: Metric, edge: str) -> None:
    expected = AT_EDGES[metric.name][list(EDGES).index(edge)]
    for found in both(metric, *EDGES[edge]):
        assert found == pytest.approx(expected, abs=1e-4, nan_ok=True)
