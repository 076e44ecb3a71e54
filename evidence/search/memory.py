"""A fitter that remembers: what an interrupted search or comparison has trained is not trained again.

A training is known by everything that decides it: the surface with its seed, the columns
themselves, which rows are held out, and the code.  So what was remembered is found again only
where the very same would be trained.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evidence.arms import Columns
from evidence.data import RunData
from evidence.fitting import Fitted, Fitter, GoingOn
from records.code import code_version
from schema.surface import Surface

_WEIGHTS = "weights"
# Of how many columns the digests are kept.
_KEPT = 4


class RememberingFitter(Fitter):
    """Fits models, and keeps what came out of each in a file."""

    def __init__(self, data: RunData, folder: Path, *, weights: bool):
        """Makes the folder.

        Args:
          data: The run's data.
          folder: Where the files are.
          weights: Whether to keep weights, which predictions need, beside the losses.
        """
        super().__init__(data)
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._weights = weights
        self._code = _code()
        # The same columns are asked for again and again; as they are kept here, no other ones get their id.
        self._digests: dict[int, tuple[Columns, str]] = {}
        self.trained = 0

    def fit(
        self,
        surface: Surface,
        columns: Columns,
        *,
        distil: bool,
        unlabelled: Columns | None = None,
        placebo: bool = False,
        going_on: GoingOn | None = None,
        fold: int = 0,
    ) -> Fitted:
        """See `Fitter.fit`.

        Raises:
          ValueError: The surface continues from another training: a search starts all of its own cold.
        """
        if going_on is not None:
            raise ValueError("a search starts each training cold; what it keeps knows nothing of others")
        asked = [surface.model_dump_json(), distil, placebo, fold, self._weights, self._code, self.data.teacher_model]
        key = json.dumps([*asked, self._digest(columns), self._digest(unlabelled or {})])
        path = self._folder / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.npz"
        if path.is_file():
            return _read(path)
        found = super().fit(surface, columns, distil=distil, unlabelled=unlabelled, placebo=placebo, fold=fold)
        self.trained += 1
        _write(path, found, found.weights if self._weights else [])
        return found

    def _digest(self, columns: Columns) -> str:
        known = self._digests.get(id(columns))
        if known is None or known[0] is not columns:
            known = columns, _digest_of(columns)
            self._digests = {**dict([*self._digests.items()][1 - _KEPT :]), id(columns): known}
        return known[1]


@functools.cache
def _code() -> str:
    return code_version("models", "evidence.fitting")


def _digest_of(columns: Mapping[str, NDArray[Any]]) -> str:
    digest = hashlib.sha256()
    for name, column in columns.items():
        digest.update(f"{name} {column.dtype} {column.shape}\0".encode())
        digest.update(repr(column.tolist()).encode() if column.dtype == object else np.ascontiguousarray(column).data)
    return digest.hexdigest()


def _write(path: Path, fitted: Fitted, weights: list[NDArray[Any]]) -> None:
    told = json.dumps({key: each for key, each in asdict(fitted).items() if key != _WEIGHTS})
    part = path.with_suffix(".part")
    with part.open("wb") as file:
        np.savez(file, np.array(told), *weights)
    part.replace(path)


def _read(path: Path) -> Fitted:
    with np.load(path) as file:
        told, *weights = (file[f"arr_{at}"] for at in range(len(file.files)))
    return Fitted(weights=weights, **json.loads(str(told)))
