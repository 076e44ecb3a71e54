"""Columns in memory, packed so that a batch is gathered with a few operations and not one a column.

Batches of small models are small: what a batch costs is the number of operations, each of
which takes some microseconds, and not the bytes that they move.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import tensorflow as tf


class Packed:
    """Columns side by side, a matrix for each type; those of one number an example apart from vectors."""

    def __init__(self, columns: Mapping[str, np.ndarray]):
        self._names: dict[tuple[np.dtype, int], list[str]] = {}
        for name, column in columns.items():
            self._names.setdefault((column.dtype, column.ndim), []).append(name)
        self._matrices = {
            (dtype, rank): tf.constant(_side_by_side([columns[name] for name in names], rank))
            for (dtype, rank), names in self._names.items()
        }
        self._widths = {
            key: [columns[name].shape[1] for name in names] for key, names in self._names.items() if key[1] == 2
        }

    def gather(self, rows: tf.Tensor) -> dict[str, tf.Tensor]:
        """The columns of some rows, [rows] or [rows, width] each."""
        found: dict[str, tf.Tensor] = {}
        for key, names in self._names.items():
            chosen = tf.gather(self._matrices[key], rows)
            parts = tf.split(chosen, self._widths[key], axis=1) if key in self._widths else tf.unstack(chosen, axis=1)
            found |= dict(zip(names, parts, strict=True))
        return found


def _side_by_side(columns: list[np.ndarray], rank: int) -> np.ndarray:
    return np.stack(columns, axis=1) if rank == 1 else np.concatenate(columns, axis=1)
