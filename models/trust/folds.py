"""Which fold a row is of: a function of its content, so that whoever reads the rows finds the same folds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.columns import GROUP_COLUMN

Columns = Mapping[str, NDArray[Any]]


def folds_of(columns: Columns, features: list[str], folds: int) -> NDArray[np.int64]:
    """The fold of each row, from 0.

    Rows of a group are in one fold; rows without group, and of a surface without groups, in one with all that have
    the same values of `features`.

    Args:
      columns: The rows; `group/id` among them if the surface has groups.
      features: Columns with one value in each example.
      folds: How many there are.
    """
    values = pd.DataFrame({name: columns[name].reshape(-1) for name in features})
    of_rows = pd.util.hash_pandas_object(values, index=False).to_numpy()
    if GROUP_COLUMN not in columns:
        return (of_rows % folds).astype(np.int64)
    groups = columns[GROUP_COLUMN]
    of_groups = pd.util.hash_array(groups)
    return (np.where(groups < 0, of_rows, of_groups) % folds).astype(np.int64)


def side_by_side(columns: Columns, names: Sequence[str], dtype: Any) -> NDArray[Any]:
    """Columns with one value in each example as a matrix, [rows, names]."""
    parts = [columns[name].reshape(-1, 1) for name in names]
    rows = len(next(iter(columns.values())))
    return np.concatenate(parts, axis=1, dtype=dtype) if parts else np.zeros((rows, 0), dtype)
