"""What `schema.metrics` says of each metric is what `evaluation.registry` computes."""

from __future__ import annotations

import importlib
import math
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from tensorflow_model_analysis.metrics import metric_types

from evaluation.registry import COMPUTATIONS, PLOTS, Computation, name_of, score
from schema import metrics
from schema.base import TaskKind
from schema.metrics import METRICS, Direction, Metric
from tests.evaluation.combining import compute, dealt_folds

ROWS = 4000
GROUPS = np.arange(ROWS) // 20
OF_ROWS = [METRICS[name] for name, each in COMPUTATIONS.items() if each.rows]
# What follows from the labels alone is the same whatever is predicted.
OF_LABELS = [*metrics.COUNTS, metrics.MEAN_LABEL.name]
BY_KIND = [(metric, kind) for metric in METRICS.values() for kind in metric.kinds]


def named(value: object) -> str:
    return value.name if isinstance(value, Metric) else str(value)


CLASSES = 4


def made(computation: Computation, metric: Metric | None = None, kind: TaskKind | None = None) -> metric_types.Metric:
    settings = dict(computation.settings) | ({"group": "request"} if metric and metric.by_group else {})
    of_classes = kind is TaskKind.MULTICLASS
    name = computation.class_of_classes if of_classes else computation.class_name
    settings |= {"classes_count": CLASSES} if of_classes else {}
    found: metric_types.Metric = getattr(importlib.import_module(computation.module), name)(**settings)
    return found


def rows(kind: TaskKind, noise: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Labels and predictions, probabilities but for a regression, that are off by more the more noise there is."""
    rng = np.random.default_rng(0)
    truth, error = rng.normal(size=ROWS), noise * rng.normal(size=ROWS)
    if kind is TaskKind.BINARY:
        labels = (rng.random(ROWS) < 1 / (1 + np.exp(1 - 2 * truth))).astype(float)
        return labels, (1 / (1 + np.exp(1 - 2 * truth - error))).astype(np.float32).astype(float)
    if kind is TaskKind.MULTICLASS:
        of_class = rng.normal(size=(ROWS, CLASSES))
        drawn = np.argmax(2 * of_class + rng.gumbel(size=of_class.shape), axis=1)
        powers = np.exp(2 * of_class + noise * rng.normal(size=of_class.shape))
        return drawn.astype(float), powers / powers.sum(axis=1, keepdims=True)
    return 3 + truth + 0.5 * rng.normal(size=ROWS), 3 + truth + error


def by_tfma(metric: Metric, labels: np.ndarray, predictions: np.ndarray, folds: np.ndarray | None = None) -> Any:
    """The metric as TFMA gets it: a number, with folds one that has an interval."""
    kind = TaskKind.MULTICLASS if predictions.ndim == 2 else None
    found = made(COMPUTATIONS[metric.name], metric, kind)
    return compute(found, labels, predictions, folds=folds, groups=GROUPS, parts=3)


def test_both_hold_the_same_metrics() -> None:
    assert list(COMPUTATIONS) == list(METRICS)
    assert all(name == metric.name for name, metric in METRICS.items())


@pytest.mark.parametrize(("metric", "kind"), BY_KIND, ids=named)
def test_tfma_finds_the_class_and_reports_it_under_the_name(metric: Metric, kind: TaskKind) -> None:
    computation = COMPUTATIONS[metric.name]
    found = made(computation, metric, kind)
    assert isinstance(found, metric_types.Metric)
    assert found.name == metric.name
    assert name_of(type(found).__name__, dict(computation.settings)) == metric.name


def test_plots_are_found_and_are_no_metrics() -> None:
    for plot in PLOTS:
        assert isinstance(made(plot), metric_types.Metric)
        assert plot.class_name not in {each.class_name for each in COMPUTATIONS.values()}


def test_a_class_of_another_version_stands_for_itself() -> None:
    assert name_of("Gone", {}) == "Gone"
    assert name_of("Gone", {"name": "still_named"}) == "still_named"


@pytest.mark.parametrize(("metric", "kind"), [each for each in BY_KIND if each[0] in OF_ROWS], ids=named)
def test_of_rows_and_in_tfma_it_is_one_number_with_one_error(metric: Metric, kind: TaskKind) -> None:
    labels, predictions = rows(kind)
    folds = GROUPS % 20 if metric.by_group else dealt_folds(ROWS)
    found = score(metric, labels, predictions, of_groups=GROUPS)
    in_tfma = by_tfma(metric, labels, predictions, folds)
    assert found is not None
    assert found.value == pytest.approx(float(in_tfma), abs=2e-5)
    error = math.sqrt(np.square(found.influence).sum()) / ROWS
    # A jackknife over 20 folds knows an error to 16%.
    assert in_tfma.sample_standard_deviation == pytest.approx(error, rel=0.4)


@pytest.mark.parametrize("metric", [each for each in METRICS.values() if each not in OF_ROWS], ids=named)
def test_what_does_not_follow_from_rows_says_so(metric: Metric) -> None:
    with pytest.raises(ValueError, match=metric.name):
        score(metric, np.ones(2), np.ones(2))


@pytest.mark.parametrize(("metric", "kind"), BY_KIND, ids=named)
@pytest.mark.parametrize("noise", [0.0, 1.0, 30.0])
def test_no_value_is_out_of_the_range(metric: Metric, kind: TaskKind, noise: float) -> None:
    assert metric.least <= by_tfma(metric, *rows(kind, noise)) <= metric.most


@pytest.mark.parametrize(("metric", "kind"), BY_KIND, ids=named)
def test_predictions_with_less_noise_are_better_in_its_direction(metric: Metric, kind: TaskKind) -> None:
    good, bad = (float(by_tfma(metric, *rows(kind, noise))) for noise in (0.2, 3.0))
    if metric.direction is Direction.HIGHER:
        assert good > bad
    if metric.direction is Direction.LOWER:
        assert good < bad
    if metric.direction is Direction.TARGET:
        assert metric.target is not None
        labels, _ = rows(kind)
        assert by_tfma(metric, labels, labels) == pytest.approx(metric.target)


@pytest.mark.parametrize(("metric", "kind"), [each for each in BY_KIND if each[0].no_skill is not None], ids=named)
def test_who_says_the_same_of_everyone_has_no_skill(metric: Metric, kind: TaskKind) -> None:
    labels, _ = rows(kind)
    assert by_tfma(metric, labels, np.full(ROWS, labels.mean())) == pytest.approx(metric.no_skill, abs=1e-9)


@pytest.mark.parametrize(("metric", "kind"), [each for each in BY_KIND if each[0].name not in OF_LABELS], ids=named)
def test_only_what_judges_order_alone_is_the_same_for_logits(metric: Metric, kind: TaskKind) -> None:
    labels, predictions = rows(kind)
    scaled = by_tfma(metric, labels, 0.5 * predictions)  # of several classes no distributions, but in the same order
    same = float(scaled) == pytest.approx(float(by_tfma(metric, labels, predictions)), abs=1e-6)
    assert same is metric.order_only


def test_what_arms_are_compared_on_is_better_when_higher() -> None:
    for metric in (metrics.main_metric(kind) for kind in TaskKind):
        assert metric.direction is Direction.HIGHER
        assert metric.gateable
        assert not metric.by_group
        assert metric.no_skill is not None or TaskKind.MULTICLASS in metric.kinds  # the share of the likeliest class


def test_metrics_of_groups_need_groups() -> None:
    with pytest.raises(ValueError, match="mrr: expected a metric that follows from labels and predictions without"):
        score(metrics.MRR, np.ones(2), np.ones(2))


def test_what_computes_from_rows_loads_neither_beam_nor_tfma() -> None:
    code = (
        "import sys, evaluation.registry, evaluation.sums, evaluation.ranking, evaluation.influence; "
        "print(sorted({'apache_beam', 'tensorflow', 'tensorflow_model_analysis', 'tfx'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"
