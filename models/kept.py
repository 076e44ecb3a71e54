"""The weights of the best epoch so far, kept while training goes on.

Large ones go to a file: beside a table and the two running means of an optimizer there
should be no fourth of that size in memory.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from models.tables import SLICE, rows_from

# Numbers of a variable from which it is kept in a file.
_LARGE = 1 << 20


class Kept:
    """The values of some variables as they were when they were last taken."""

    def __init__(self, variables: Sequence[keras.Variable]):
        """Keeps nothing yet.

        Args:
          variables: The variables; they are read by `take` and written by `restore`.
        """
        self._variables = list(variables)
        self._large = {number for number, each in enumerate(variables) if math.prod(each.shape) >= _LARGE}
        self._small: dict[int, NDArray[Any]] = {}
        self._folder = tempfile.TemporaryDirectory(prefix="crosskd-weights-") if self._large else None

    def take(self) -> None:
        """Keeps the values that the variables have now."""
        for number, variable in enumerate(self._variables):
            if number not in self._large:
                self._small[number] = variable.numpy()
                continue
            with self._file(number).open("wb") as file:
                for rows in slices(variable):
                    tf.gather(variable.value, rows).numpy().tofile(file)

    def restore(self) -> None:
        """Gives the variables the values that were taken."""
        for number, variable in enumerate(self._variables):
            if number not in self._large:
                variable.assign(self._small[number])
                continue
            with self._file(number).open("rb") as file:
                for rows in slices(variable):
                    variable.value.scatter_update(tf.IndexedSlices(self._rows(file, variable, len(rows)), rows))

    def arrays(self) -> list[NDArray[Any]]:
        """All of them in memory, in the order of the variables."""
        return [
            self._rows(self._file(number), variable, variable.shape[0])
            if number in self._large
            else self._small[number]
            for number, variable in enumerate(self._variables)
        ]

    def _rows(self, file: Any, variable: keras.Variable, rows: int) -> NDArray[Any]:
        rest = variable.shape[1:]
        return np.fromfile(file, variable.dtype, rows * math.prod(rest)).reshape(rows, *rest)

    def _file(self, number: int) -> Path:
        if self._folder is None:
            raise RuntimeError("no variable is large")
        return Path(self._folder.name) / str(number)


def slices(variable: keras.Variable) -> Iterator[tf.Tensor]:
    """The rows of a variable, a slice at a time."""
    for start in range(0, variable.shape[0], SLICE):
        yield rows_from(tf.constant(start), variable)
