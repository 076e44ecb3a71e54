"""A step of each kind beside a plain one: what is drawn is what each surface reads."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.steps import kinds
from benchmarks.steps.kinds import PLAIN, WAYS, figures, surface_of
from models.columns import input_columns


@pytest.mark.parametrize("name", WAYS)
def test_columns_are_as_transform_would_write_them(name):
    surface = surface_of(WAYS[name])
    rows = kinds._rows(surface)
    columns = kinds._columns(surface, 40)
    for column, expected in input_columns(surface).items():
        found = columns[column]
        assert found.shape == (40, *expected.shape)
        assert found.dtype == expected.dtype
        if expected.dtype == "int64":
            listed = bool(expected.shape)
            assert found.min() == -1 if listed else found.min() >= 0
            assert found.max() < rows[surface.owner(column) if column in surface.features else column]
    assert {"label/click", "label/minutes", "teacher/click", "teacher/stay"} <= set(columns)


def test_every_way_is_another_surface():
    surfaces = {name: surface_of(changes) for name, changes in WAYS.items()}
    assert surfaces.pop("plain again") == surfaces[PLAIN]
    assert len({each.model_dump_json() for each in surfaces.values()}) == len(surfaces)


def test_ratios_are_of_the_same_round():
    seconds = {PLAIN: np.array([0.001, 0.004, 0.002]), "twice": np.array([0.002, 0.008, 0.004])}
    assert figures(seconds) == {
        "ms_per_step": {PLAIN: 2.0, "twice": 4.0},
        "step_to_plain": {"twice": (2.0, 2.0, 2.0)},
    }
