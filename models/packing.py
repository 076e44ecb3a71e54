"""Columns in memory, packed so that a batch is gathered with a few operations, and not with one for each column.

Batches of small models are small: what a batch costs is the number of operations, each of
which takes some microseconds, and not the bytes that they move.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray


class Packed(tf.experimental.ExtensionType):
    """Columns side by side, a matrix for each type; those with one number in each example apart from vectors.

    It is an argument of traced functions, which take other columns of the same names,
    types and widths without being traced again.

    Attributes:
      matrices: The matrices, [rows, width] each.
      names: The columns of each matrix, in order.
      widths: How wide they are; empty for a matrix whose columns are numbers and not vectors.
    """

    matrices: tuple[tf.Tensor, ...]
    names: tuple[tuple[str, ...], ...]
    widths: tuple[tuple[int, ...], ...]

    @property
    def rows(self) -> int:
        """How many rows they have."""
        return int(self.matrices[0].shape[0])

    def gather(self, rows: tf.Tensor) -> dict[str, tf.Tensor]:
        """The columns of some rows, [rows] or [rows, width] each."""
        found: dict[str, tf.Tensor] = {}
        for matrix, names, widths in zip(self.matrices, self.names, self.widths, strict=True):
            chosen = tf.gather(matrix, rows)
            parts = tf.split(chosen, widths, axis=1) if widths else tf.unstack(chosen, axis=1)
            found |= dict(zip(names, parts, strict=True))
        return found


def pack(*parts: Mapping[str, NDArray[Any]]) -> Packed:
    """Packs the rows of all parts, one part after the other.

    Args:
      parts: Columns with the examples on the first axis, [examples] or [examples, width];
        all parts have those of the first.
    """
    kinds: dict[tuple[np.dtype, int], list[str]] = {}
    for name, column in parts[0].items():
        kinds.setdefault((column.dtype, column.ndim), []).append(name)
    return Packed(
        matrices=tuple(tf.constant(_side_by_side(parts, names)) for names in kinds.values()),
        names=tuple(tuple(names) for names in kinds.values()),
        widths=tuple(
            tuple(parts[0][name].shape[1] for name in names) if rank == 2 else () for (_, rank), names in kinds.items()
        ),
    )


def _side_by_side(parts: Sequence[Mapping[str, NDArray[Any]]], names: Sequence[str]) -> NDArray[Any]:
    """One matrix, without a copy of any part on the way."""
    first = [parts[0][name] for name in names]
    widths = [column.shape[1] if column.ndim == 2 else 1 for column in first]
    matrix = np.empty((sum(len(part[names[0]]) for part in parts), sum(widths)), first[0].dtype)
    row = 0
    for part in parts:
        rows, at = len(part[names[0]]), 0
        for name, width in zip(names, widths, strict=True):
            matrix[row : row + rows, at : at + width] = part[name].reshape(rows, width)
            at += width
        row += rows
    return matrix
