"""Two teachers on the same examples: numbers by hand, intervals by simulation, and who counts as worse."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
import yaml
from sklearn.metrics import roc_auc_score

from contracts.two_teachers import SideBySide
from evidence.side_by_side import NEW, OLD, compare, correlation, finite_rows, named
from evidence.watch.scoring import ScoredExamples
from schema.surface import Surface
from tests.e2e import library

SURFACE = Surface.model_validate(yaml.safe_load(library.SURFACE))


def sigmoid(values):
    return 1 / (1 + np.exp(-values))


def scored(old: np.ndarray, new: np.ndarray, labels: np.ndarray, groups: np.ndarray | None = None) -> ScoredExamples:
    """What both say of `loan`, of which `borrowed` learns; of `fun` they say the same."""
    rows = np.arange(len(old))
    return ScoredExamples(
        columns=pa.table({"match": old}),
        predictions={
            named(OLD, "loan"): old,
            named(NEW, "loan"): new,
            named(OLD, "fun"): old,
            named(NEW, "fun"): old,
        },
        labels={"borrowed": labels, "liked": np.full(len(old), np.nan)},
        weights=None,
        groups=rows if groups is None else groups,
        slices={"": rows, "genre=crime": rows[::3]},
        frequent={},
    )


def drawn(seed: int, rows: int, noise: float, shift: float = 0.0) -> ScoredExamples:
    """The old one knows the logit; the new one with noise, and a shift."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 1.5, rows)
    labels = (rng.random(rows) < sigmoid(logits)).astype(float)
    return scored(logits, logits + noise * rng.normal(size=rows) + shift, labels)


def of(found: SideBySide, metric: str, part: str = ""):
    return next(each for each in found.quality if (each.metric, each.slice) == (metric, part))


def test_agreement_and_quality_are_what_numpy_and_sklearn_say():
    given = drawn(0, 3000, 1.0, 0.5)
    found = compare(SURFACE, given)
    old, new = (given.predictions[named(which, "loan")] for which in (OLD, NEW))
    overall, crime, *_ = found.agreement
    assert (overall.task, overall.slice, overall.examples, crime.slice, crime.examples) == (
        "loan", "", 3000, "genre=crime", 1000,
    )  # fmt: skip
    assert overall.correlation.value == pytest.approx(np.corrcoef(old, new)[0, 1])
    assert overall.shift.value == pytest.approx((sigmoid(new) - sigmoid(old)).mean())
    assert overall.spread == pytest.approx(new.std() / old.std())
    auc = of(found, "auc")
    labels = given.labels["borrowed"]
    assert auc.old.value == pytest.approx(roc_auc_score(labels, old))
    assert auc.new.value == pytest.approx(roc_auc_score(labels, new))
    assert auc.difference.value == pytest.approx(auc.new.value - auc.old.value)
    calibration = of(found, "calibration", "genre=crime")
    assert calibration.new.value == pytest.approx(sigmoid(new[::3]).sum() / labels[::3].sum())
    assert {each.task for each in found.quality} == {"borrowed"}  # nobody learns `liked` from a teacher


def test_intervals_hold_what_is_true_in_95_of_100():
    """Of the correlation, the shift and the difference of AUC, beside the values of very many rows."""
    true = compare(SURFACE, drawn(1, 400_000, 0.7, 0.3))
    held = np.zeros(3)
    for seed in range(200):
        found = compare(SURFACE, drawn(1000 + seed, 800, 0.7, 0.3))
        pairs = [
            (found.agreement[0].correlation, true.agreement[0].correlation),
            (found.agreement[0].shift, true.agreement[0].shift),
            (of(found, "auc").difference, of(true, "auc").difference),
        ]
        held += [one.lower <= other.value <= one.upper for one, other in pairs]
    assert np.all(held >= 181) and np.all(held <= 199), held


def test_rows_of_one_group_count_as_one():
    """Every row ten times over says no more than once."""
    once = drawn(2, 1000, 1.0)
    rows = np.repeat(np.arange(1000), 10)
    old, new = (once.predictions[named(which, "loan")][rows] for which in (OLD, NEW))
    many = compare(SURFACE, scored(old, new, once.labels["borrowed"][rows], rows))
    alone = compare(SURFACE, once)
    for found, other in ((of(many, "auc"), of(alone, "auc")), (many.agreement[0], alone.agreement[0])):
        for name in ("difference", "correlation"):
            if hasattr(found, name):
                wide, narrow = getattr(found, name), getattr(other, name)
                assert wide.upper - wide.lower == pytest.approx(narrow.upper - narrow.lower, rel=1e-6)


def test_the_differences_interval_is_narrower_than_both_since_what_is_hard_cancels():
    auc = of(compare(SURFACE, drawn(3, 3000, 0.3)), "auc")
    assert auc.difference.upper - auc.difference.lower < 0.5 * (auc.old.upper - auc.old.lower)


@pytest.mark.parametrize(
    ("noise", "shift", "worse", "better"),
    [(1.5, 0.0, ("borrowed",), ()), (0.0, 2.0, (), ()), (0.05, 0.0, (), ())],
    ids=["noisy", "shifted", "as good"],
)
def test_worse_is_who_ranks_worse_and_not_who_is_shifted(noise, shift, worse, better):
    found = compare(SURFACE, drawn(4, 4000, noise, shift))
    assert (found.worse, found.better) == (worse, better)
    if shift:
        assert of(found, "calibration").difference.lower > 0.3


def test_the_other_way_round_it_is_better():
    given = drawn(4, 4000, 1.5)
    swapped = scored(given.predictions["new/loan"], given.predictions["old/loan"], given.labels["borrowed"])
    assert compare(SURFACE, swapped).better == ("borrowed",)


def test_what_cannot_be_said_is_none():
    labels = np.zeros(300)
    found = compare(SURFACE, scored(np.ones(300), np.arange(300.0), labels))
    assert found.quality == ()  # one class alone
    assert (found.agreement[0].correlation.value, found.agreement[0].spread) == (None, None)
    assert correlation(np.ones(3), np.arange(3.0)) is None


def test_rows_count_where_every_teacher_says_a_number_in_every_task():
    told = {"old/loan": np.array([1.0, np.nan, 3.0]), "new/loan": np.array([1.0, 2.0, np.inf])}
    assert finite_rows(told).tolist() == [True, False, False]
