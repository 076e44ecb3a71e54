"""Writes what an arm left of its training, and reads it.

Both files are NumPy's own archives, whose arrays can be read one by one.
"""

from __future__ import annotations

import math
import tempfile
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from models.kept import slices
from records import documents
from records.manifest import record
from records.training_states import (
    KEYS_PREFIX,
    LAPSED_KEYS_PREFIX,
    LAPSED_PREFIX,
    OPTIMIZER_FILE,
    WEIGHTS_FILE,
    ArmState,
    check,
)
from schema.errors import InputError

Arrays = dict[str, NDArray[Any]]
_SUFFIX = ".npy"


@dataclass
class Lapsed:
    """What is kept of values that have no row any more.

    Attributes:
      keys: The values, by the layer of their table.
      weights: Their rows, by the path of the table.
      slots: What the optimizer keeps of these rows, by `slot/path`.
    """

    keys: dict[str, list[bytes]] = field(default_factory=dict)
    weights: Arrays = field(default_factory=dict)
    slots: Arrays = field(default_factory=dict)


@dataclass(frozen=True)
class Left:
    """What an arm left, as it is read.

    Attributes:
      state: The document.
      keys: The values that each table has rows of, by its layer.
      weights: By path.
      slots: What the optimizer kept, by `slot/path`.
      lapsed: What is kept of values without a row.
    """

    state: ArmState
    keys: dict[str, list[bytes]]
    weights: Arrays
    slots: Arrays
    lapsed: Lapsed


def read_left(folder: str) -> Left:
    """Reads what an arm left, whole.

    Raises:
      InputError: It is damaged.
    """
    state = check(folder)
    weights = _read(f"{folder}/{WEIGHTS_FILE}")
    slots = _read(f"{folder}/{OPTIMIZER_FILE}") if OPTIMIZER_FILE in state.files else {}
    lapsed = Lapsed(_keys(weights, LAPSED_KEYS_PREFIX), _taken(weights, LAPSED_PREFIX), _taken(slots, LAPSED_PREFIX))
    return Left(state, _keys(weights, KEYS_PREFIX), weights, slots, lapsed)


def write_left(
    folder: str,
    state: ArmState,
    variables: Sequence[keras.Variable],
    keys: Mapping[str, Sequence[bytes]],
    lapsed: Lapsed,
    slots: Mapping[str, NDArray[Any]],
) -> None:
    """Writes what an arm left.

    Args:
      folder: Where to.
      state: The document; what it says of files is added here.
      variables: The weights.
      keys: The values that each table has rows of, by its layer.
      lapsed: What is kept of values without a row.
      slots: What the optimizer kept, by `slot/path`; empty where it is not to go on.
    """
    tf.io.gfile.makedirs(folder)
    files = [WEIGHTS_FILE, *([OPTIMIZER_FILE] if slots else [])]
    with tempfile.TemporaryDirectory(prefix="crosskd-state-") as place:
        with zipfile.ZipFile(Path(place, WEIGHTS_FILE), "w") as archive:
            for each in variables:
                with _entry(archive, each.path) as entry:
                    _write_variable(entry, each)
            lines = {KEYS_PREFIX: keys, LAPSED_KEYS_PREFIX: lapsed.keys}
            _write(
                archive, {f"{prefix}{name}": _text(of) for prefix, all_ in lines.items() for name, of in all_.items()}
            )
            _write(archive, {f"{LAPSED_PREFIX}{name}": rows for name, rows in lapsed.weights.items()})
        if slots:
            with zipfile.ZipFile(Path(place, OPTIMIZER_FILE), "w") as archive:
                _write(archive, slots)
                _write(archive, {f"{LAPSED_PREFIX}{name}": rows for name, rows in lapsed.slots.items()})
        digests = {name: record(str(Path(place, name))).sha256 for name in files}
        for name in files:
            tf.io.gfile.copy(str(Path(place, name)), f"{folder}/{name}", overwrite=True)
    documents.write(folder, state.model_copy(update={"files": digests}))


def _entry(archive: zipfile.ZipFile, name: str) -> Any:
    # The same values are the same file: an entry has no time of its own.
    return archive.open(zipfile.ZipInfo(f"{name}{_SUFFIX}"), "w", force_zip64=True)


def _write(archive: zipfile.ZipFile, arrays: Mapping[str, NDArray[Any]]) -> None:
    for name, array in arrays.items():
        with _entry(archive, name) as entry:
            np.lib.format.write_array(entry, array, allow_pickle=False)


def _write_variable(entry: IO[bytes], variable: keras.Variable) -> None:
    """As NumPy writes an array, but a slice at a time: there should be no second table in memory."""
    dtype = np.dtype(variable.dtype)
    header = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": tuple(variable.shape)}
    np.lib.format.write_array_header_1_0(entry, header)
    for part in _parts(variable):
        entry.write(part.tobytes())


def _parts(variable: keras.Variable) -> Iterator[NDArray[Any]]:
    if len(variable.shape) < 2 or math.prod(variable.shape) == 0:
        yield variable.numpy()
        return
    for rows in slices(variable):
        yield tf.gather(variable.value, rows).numpy()


def _read(path: str) -> Arrays:
    with tf.io.gfile.GFile(path, "rb") as file, zipfile.ZipFile(file) as archive:
        found = {}
        for name in archive.namelist():
            with archive.open(name) as entry:
                try:
                    found[name.removesuffix(_SUFFIX)] = np.lib.format.read_array(entry, allow_pickle=False)
                except ValueError as error:
                    raise InputError(f"{path}: {name}: expected an array, found none: {error}") from error
    return found


def _text(keys: Sequence[bytes]) -> NDArray[np.uint8]:
    """Values, one a line: no vocabulary of Transform has one with a line break in it."""
    return np.frombuffer(b"".join(each + b"\n" for each in keys), np.uint8)


def _keys(arrays: Arrays, prefix: str) -> dict[str, list[bytes]]:
    return {name: of.tobytes().split(b"\n")[:-1] for name, of in _taken(arrays, prefix).items()}


def _taken(arrays: Arrays, prefix: str) -> Arrays:
    """The arrays whose names begin so, without that; they are taken out of `arrays`."""
    names = [name for name in arrays if name.startswith(prefix)]
    return {name.removeprefix(prefix): arrays.pop(name) for name in names}
