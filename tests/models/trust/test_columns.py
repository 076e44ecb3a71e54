"""What is said of rows: of a teacher that knows, of one that does not, and never by the row's own label."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import softmax

from evidence.arms import gaussian, shuffled
from models import trust
from models.columns import trust_shapes
from models.trust.folds import folds_of
from schema.errors import InputError
from tests.models.trust.conftest import FOLDS, known, rows, statistics, surface

SURFACE = surface()
FITTED = np.flatnonzero(np.arange(2400) % 5 != 0)


def made(columns: dict[str, NDArray[Any]], share: float = 1.0, pairs: Any = None, **of: Any):
    return trust.columns(SURFACE, statistics(SURFACE, of.get("labels", columns)), known(share), columns, FITTED, pairs)


@pytest.fixture(scope="module")
def half() -> dict[str, NDArray[Any]]:
    """Rows with a teacher that knows the tastes of half the people."""
    return rows(knows=0.5)


@pytest.fixture(scope="module")
def of_half(half):
    return made(half, 0.5, pairs={name: column[:300] for name, column in half.items()})


def correlation(first: NDArray[Any], second: NDArray[Any], rows: NDArray[Any]) -> float:
    there = rows[np.isfinite(first[rows]) & np.isfinite(second[rows])]
    return float(np.corrcoef(first[there], second[there])[0, 1])


def test_they_are_the_columns_that_training_reads(of_half):
    for found, count in zip(of_half, (2400, 300), strict=True):
        shapes = {name: column.shape for name, column in found.items()}
        assert shapes == {name: (count, *shape) for name, shape in trust_shapes(SURFACE).items()}
        assert {column.dtype for column in found.values()} == {np.dtype(np.float32)}


def test_an_adapter_says_less_of_what_the_teacher_does_not_know(half, of_half):
    knows = half["person"] < 40
    for column in ("trust/adapted/click", "trust/adapted/minutes"):
        target = of_half[0][column]
        assert target[knows].std() > 2 * target[~knows].std()
    of_classes = of_half[0]["trust/adapted/shelf"]
    np.testing.assert_allclose(softmax(of_classes, axis=1), np.exp(of_classes), atol=1e-3)
    assert np.exp(of_classes)[knows].max(axis=1).mean() > np.exp(of_classes)[~knows].max(axis=1).mean() + 0.05


def test_a_teacher_is_relied_on_where_it_knows(half, of_half):
    knows = half["person"] < 40
    for task in ("click", "minutes", "shelf"):
        found = of_half[0][f"trust/reliability/{task}"]
        assert ((found >= 0) & (found <= 1)).all()
        assert found[knows].mean() > found[~knows].mean() + 0.2


def test_an_absent_soft_label_stays_absent(half):
    absent = np.arange(2400) % 7 == 0
    columns = {**half, "teacher/click": np.where(absent, np.nan, half["teacher/click"]).astype(np.float32)}
    found, _ = made(columns, 0.5)
    np.testing.assert_array_equal(np.isnan(found["trust/adapted/click"]), absent)
    assert np.isfinite(found["trust/reliability/click"]).all()
    assert np.isfinite(found["trust/adapted/minutes"]).all()


def test_no_label_of_a_held_out_row_has_a_part_in_it(half, of_half):
    held_out = np.setdiff1d(np.arange(2400), FITTED)
    changed = {name: column.copy() for name, column in half.items()}
    for task in ("click", "minutes", "shelf"):
        changed[f"label/{task}"][held_out] = np.nan
    again, _ = made(changed, 0.5, labels=half)
    for name, column in of_half[0].items():
        # What was labelled and is held out gets the mean over folds both times.
        np.testing.assert_allclose(again[name], column, atol=2e-4)


def test_what_an_adapter_says_of_a_fold_owes_nothing_to_its_labels(half, of_half):
    folds = folds_of(half, ["person", "item"], FOLDS)
    own = FITTED[folds[FITTED] == 1]
    changed = {name: column.copy() for name, column in half.items()}
    changed["label/click"][own] = 1 - changed["label/click"][own]
    again, _ = made(changed, 0.5, labels=half)
    before, after = (each["trust/adapted/click"] for each in (of_half[0], again))
    np.testing.assert_allclose(after[own], before[own], atol=2e-4)
    elsewhere = np.setdiff1d(FITTED, own)
    assert np.abs(after[elsewhere] - before[elsewhere]).max() > 0.05


@pytest.mark.parametrize("placebo", [shuffled, gaussian])
def test_a_placebo_notices_a_fit_in_sample_and_gains_nothing_from_one_out_of_fold(placebo):
    few = {name: column[:400] for name, column in rows(seed=3).items()}
    wide = np.random.default_rng(5).normal(size=(400, 40)).astype(np.float32)
    columns = {**placebo(few, np.random.default_rng(4)), "trust/filled": wide}
    fitted = np.arange(400)
    with_labels, _ = trust.columns(SURFACE, statistics(SURFACE, few), known(), columns, fitted)
    # The very rows as others that have no label: they get the mean over networks, which saw their labels.
    _, in_sample = trust.columns(SURFACE, statistics(SURFACE, few), known(), columns, fitted, dict(columns))
    leaked = correlation(in_sample["trust/adapted/click"], few["label/click"], fitted)
    honest = correlation(with_labels["trust/adapted/click"], few["label/click"], fitted)
    assert leaked > 0.3
    assert honest < 0.1


def test_a_teacher_that_knows_nothing_is_not_relied_on():
    columns = rows(seed=1, knows=0.0)
    # People like everything or nothing, which labels tell and this teacher does not.
    likes = np.random.default_rng(2).random(2400) < np.where(columns["person"] % 2, 0.8, 0.1)
    columns["label/click"] = likes.astype(np.float32)
    found, _ = made(columns, 0.0)
    assert found["trust/reliability/click"].mean() < 0.2
    assert found["trust/adapted/click"].std() < 0.15


def test_without_trust_nothing_is_read_or_made():
    plain = surface(weight=1.0).model_copy(update={"trust": SURFACE.trust})
    assert trust.read_columns(plain, rows()) == []
    assert trust.columns(plain, {}, {}, rows(), FITTED, rows()) == ({}, {})


def test_too_few_labels_for_so_many_folds_are_an_error(half):
    columns = {name: column.copy() for name, column in half.items()}
    columns["label/click"][:] = np.nan
    columns["label/click"][[1, 2]] = [0.0, 1.0]
    with pytest.raises(
        InputError, match=r"tasks.click.distil: .* 10 labelled .*in each of 4 folds.*found 2 labelled rows \([0-2],"
    ):
        made(columns, labels=half)


def test_rows_of_a_group_share_a_fold_and_rows_alike_share_one_without_groups(half):
    of_groups = folds_of(half, ["person", "item"], FOLDS)
    assert all(len(np.unique(of_groups[half["person"] == person])) == 1 for person in range(80))
    assert len(np.unique(of_groups)) == FOLDS
    ungrouped = {name: column for name, column in half.items() if name != "group/id"}
    found = folds_of(ungrouped, ["person", "item"], FOLDS)
    pairs = half["person"] * 1000 + half["item"]
    assert all(len(np.unique(found[pairs == pair])) == 1 for pair in np.unique(pairs)[:200])
    assert np.bincount(found).min() > 2400 / FOLDS * 0.8
