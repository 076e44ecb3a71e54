"""Metrics of classes against scikit-learn, by sums over folds and by rows."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics as sklearn_metrics

from evaluation import classes
from evaluation.classes import ClassSums
from evaluation.jackknife import EVERYTHING, FOLDS, jackknife
from evaluation.registry import score
from evaluation.rows import Rows
from schema.errors import InputError
from schema.metrics import ACCURACY, LOG_LOSS, MACRO_F1


def drawn(rows: int, count: int, seed: int = 0, absent: int | None = None) -> Rows:
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(rows, count))
    labels = np.argmax(logits + rng.gumbel(size=logits.shape), axis=1)
    if absent is not None:
        logits[:, absent] = -9.0
        labels[labels == absent] = 0
    predictions = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return Rows.of(labels.astype(float), predictions, rng.integers(FOLDS, size=rows), rng.random(rows) + 0.1)


@pytest.mark.parametrize("rows", [drawn(10_000, 5), drawn(50, 3), drawn(500, 4, absent=2)])
def test_they_are_scikit_learns(rows: Rows) -> None:
    count = rows.predictions.shape[1]
    totals = ClassSums.of(rows, count).total()
    told = np.argmax(rows.predictions, axis=1)
    expected = {
        "accuracy": sklearn_metrics.accuracy_score(rows.labels, told, sample_weight=rows.weights),
        "macro_f1": sklearn_metrics.f1_score(rows.labels, told, average="macro", sample_weight=rows.weights),
        "log_loss": sklearn_metrics.log_loss(
            rows.labels, rows.predictions, sample_weight=rows.weights, labels=np.arange(count)
        ),
    }
    assert classes.accuracy(totals) == pytest.approx(expected["accuracy"], abs=1e-12)
    assert classes.macro_f1(totals) == pytest.approx(expected["macro_f1"], abs=1e-12)
    assert classes.log_loss(totals) == pytest.approx(expected["log_loss"], abs=1e-9)
    for metric in (ACCURACY, MACRO_F1, LOG_LOSS):
        found = score(metric, rows.labels, rows.predictions, rows.weights)
        assert found is not None
        assert found.value == pytest.approx(expected[metric.name], abs=1e-9)


@pytest.mark.parametrize(
    ("metric", "formula"),
    [(ACCURACY, classes.accuracy), (MACRO_F1, classes.macro_f1), (LOG_LOSS, classes.log_loss)],
)
def test_influence_values_and_the_jackknife_agree_on_the_standard_error(metric, formula) -> None:
    rows = drawn(20_000, 4, seed=3)
    found = score(metric, rows.labels, rows.predictions, rows.weights)
    by_folds = jackknife(ClassSums.of(rows, 4), lambda gathered, included: formula(gathered.total(included)))
    assert found.influence.sum() == pytest.approx(0, abs=1e-6 * len(found.influence))
    error = np.sqrt(np.square(found.influence).sum()) / len(found.influence)
    assert by_folds.standard_error == pytest.approx(error, rel=0.45)  # of twenty folds


def test_sums_of_parts_are_those_of_all() -> None:
    rows = drawn(300, 3)
    halves = [
        Rows.of(rows.labels[part], rows.predictions[part], rows.folds[part], rows.weights[part])
        for part in (slice(0, 100), slice(100, 300))
    ]
    merged = ClassSums.of(halves[0], 3) + ClassSums.of(halves[1], 3)
    whole = ClassSums.of(rows, 3)
    for name in ("count", "surprise", "hits", "labelled", "told"):
        np.testing.assert_allclose(getattr(merged, name), getattr(whole, name), atol=1e-9)


def test_nothing_is_known_without_rows_and_of_what_is_no_number() -> None:
    for formula in (classes.accuracy, classes.macro_f1, classes.log_loss):
        assert np.isnan(formula(ClassSums.nothing(3).total()))
        unknown = Rows.of([0.0, 1.0], np.full((2, 3), np.nan))
        assert np.isnan(formula(ClassSums.of(unknown, 3).total(EVERYTHING)))
    assert classes.labelled_examples(ClassSums.nothing(3).total()) == 0
    assert score(MACRO_F1, np.array([0.0]), np.full((1, 3), np.nan)) is None
    assert score(LOG_LOSS, np.array([0.0]), np.array([[3.0, -2.0, 0.0]])) is None  # logits are no probabilities


def test_labels_and_predictions_of_other_classes_are_refused() -> None:
    with pytest.raises(InputError, match="among the task's 3 classes, found others in 1 of 2"):
        ClassSums.of(Rows.of([0.0, -1.0], np.full((2, 3), 1 / 3)), 3)
    with pytest.raises(InputError, match="a prediction for each of 3 classes"):
        ClassSums.of(Rows.of([0.0, 1.0], np.full((2, 2), 1 / 2)), 3)
