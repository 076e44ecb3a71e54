"""Columns in memory, packed so that a batch is gathered with a few operations, and not with one for each column.

Batches of small models are small: what a batch costs is the number of operations, each of
which takes some microseconds, and not the bytes that they move.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

# TensorFlow takes an array over as it is, and does not copy it, from an address of this kind.
_ALIGNMENT = 64


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
            # All rows stay in the machine's memory; what goes to a GPU is a batch.
            with tf.device("/CPU:0"):
                chosen = tf.gather(matrix, rows)
            parts = tf.split(chosen, widths, axis=1) if widths else tf.unstack(chosen, axis=1)
            found |= dict(zip(names, parts, strict=True))
        return found


@dataclass(frozen=True)
class Layout:
    """Which columns lie side by side, and in which order.

    Attributes:
      dtypes: The type of each matrix.
      names: The columns of each matrix, in order.
      widths: How wide they are; empty for a matrix whose columns are numbers and not vectors.
    """

    dtypes: tuple[np.dtype[Any], ...]
    names: tuple[tuple[str, ...], ...]
    widths: tuple[tuple[int, ...], ...]

    @classmethod
    def of(cls, columns: Mapping[str, tuple[Any, Sequence[int]]]) -> Layout:
        """The layout of columns by their type and the shape of an example's value, () or (width,)."""
        kinds: dict[tuple[np.dtype[Any], int], list[str]] = {}
        for name, (dtype, shape) in columns.items():
            kinds.setdefault((np.dtype(dtype), len(shape)), []).append(name)
        return cls(
            dtypes=tuple(dtype for dtype, _ in kinds),
            names=tuple(tuple(names) for names in kinds.values()),
            widths=tuple(
                tuple(columns[name][1][0] for name in names) if rank else () for (_, rank), names in kinds.items()
            ),
        )

    @property
    def totals(self) -> tuple[int, ...]:
        """The width of each matrix."""
        return tuple(
            sum(widths) if widths else len(names) for names, widths in zip(self.names, self.widths, strict=True)
        )

    def packed(self, matrices: Sequence[NDArray[Any]]) -> Packed:
        """Matrices from `aligned` as tensors: TensorFlow takes them over, and nobody may write there."""
        # A constant would be a copy.
        tensors = tuple(tf.experimental.dlpack.from_dlpack(each.__dlpack__()) for each in matrices)
        return Packed(tensors, self.names, self.widths)

    def columns(self, matrices: Sequence[NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Views of the columns of matrices, [rows] or [rows, width] each."""
        found: dict[str, NDArray[Any]] = {}
        for matrix, names, widths in zip(matrices, self.names, self.widths, strict=True):
            parts = np.split(matrix, np.cumsum(widths)[:-1], axis=1) if widths else list(matrix.T)
            found |= dict(zip(names, parts, strict=True))
        return found

    def side_by_side(self, columns: Mapping[str, tf.Tensor]) -> tuple[tf.Tensor, ...]:
        """Columns as matrices, [rows, width] each."""
        return tuple(
            tf.concat([columns[name] for name in names], axis=1)
            if widths
            else tf.stack([columns[name] for name in names], axis=1)
            for names, widths in zip(self.names, self.widths, strict=True)
        )


def pack(*parts: Mapping[str, NDArray[Any]]) -> Packed:
    """Packs the rows of all parts, one part after the other.

    Args:
      parts: Columns with the examples on the first axis, [examples] or [examples, width];
        all parts have those of the first.
    """
    layout = Layout.of({name: (column.dtype, column.shape[1:]) for name, column in parts[0].items()})
    return layout.packed([_side_by_side(parts, names) for names in layout.names])


def aligned(shape: tuple[int, int], dtype: np.dtype[Any]) -> NDArray[Any]:
    """An array without content that TensorFlow can take over."""
    size = math.prod(shape) * dtype.itemsize
    content = np.empty(size + _ALIGNMENT, np.uint8)
    start = -content.ctypes.data % _ALIGNMENT
    return content[start : start + size].view(dtype).reshape(shape)


def _side_by_side(parts: Sequence[Mapping[str, NDArray[Any]]], names: Sequence[str]) -> NDArray[Any]:
    """One matrix, without a copy of any part on the way."""
    first = [parts[0][name] for name in names]
    widths = [column.shape[1] if column.ndim == 2 else 1 for column in first]
    matrix = aligned((sum(len(part[names[0]]) for part in parts), sum(widths)), first[0].dtype)
    row = 0
    for part in parts:
        rows, at = len(part[names[0]]), 0
        for name, width in zip(names, widths, strict=True):
            matrix[row : row + rows, at : at + width] = part[name].reshape(rows, width)
            at += width
        row += rows
    return matrix
