"""Weights that are kept while training goes on, small ones in memory and large ones in a file."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest

from models import kept, tables
from models.kept import Kept


@pytest.fixture(params=[10, 10**9], ids=["in a file", "in memory"])
def variables(request, monkeypatch, tmp_path) -> list[keras.Variable]:
    monkeypatch.setattr(kept, "_LARGE", request.param)
    monkeypatch.setattr(tables, "SLICE", 4)
    monkeypatch.setattr(kept, "SLICE", 4)
    monkeypatch.setattr(kept.tempfile, "tempdir", str(tmp_path))
    return [
        keras.Variable(np.arange(18, dtype=np.float32).reshape(9, 2)),
        keras.Variable(np.float32(3.0)),
        keras.Variable(np.arange(11, dtype=np.int64), dtype="int64"),
    ]


def test_values_come_back_as_they_were_last_taken(variables):
    found = Kept(variables)
    found.take()
    for variable in variables:
        variable.assign(variable + 1)
    found.take()
    expected = [variable.numpy() for variable in variables]
    for variable in variables:
        variable.assign(variable * 0)
    for array, value in zip(found.arrays(), expected, strict=True):
        np.testing.assert_array_equal(array, value, strict=True)
    found.restore()
    for variable, value in zip(variables, expected, strict=True):
        np.testing.assert_array_equal(variable.numpy(), value, strict=True)


def test_files_are_gone_with_what_kept_them(variables, tmp_path: Path):
    found = Kept(variables)
    found.take()
    files = [each for each in tmp_path.rglob("*") if each.is_file()]
    assert sum(each.stat().st_size for each in files) in (0, 18 * 4 + 11 * 8)
    del found
    assert not list(tmp_path.iterdir())
