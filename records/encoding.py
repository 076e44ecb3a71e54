"""Serializes batches of tf.Examples without building protos: every record has the same bytes but its numbers.

Wire format: https://protobuf.dev/programming-guides/encoding.  Concatenating two serialized
tf.Examples merges their feature maps, and of two entries with the same key the later one
wins, so soft labels can be appended to a record as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from records.tf_example import FLOAT, INT

# A varint of 64 bits padded to its greatest length: seven bits a byte, all but the last with the
# continuation bit.  Parsers accept it, and so every record is of one length.
_VARINT_BYTES = 10
_FIELD_WIDTH = {FLOAT: 4, INT: _VARINT_BYTES}
_LIST_TAG = {FLOAT: b"\x12", INT: b"\x1a"}  # Feature.float_list = 2, Feature.int64_list = 3
_FIRST = b"\x0a"  # field 1, length-delimited
_SECOND = b"\x12"  # field 2, length-delimited
_BYTES_LIST = b"\x0a"  # Feature.bytes_list = 1


@dataclass(frozen=True)
class NumberField:
    """A feature with `size` numbers in every record; `kind` is `float` or `int`."""

    name: str
    kind: str
    size: int = 1


class NumberLayout:
    """Encodes batches of records that hold the same numeric features."""

    def __init__(self, fields: Sequence[NumberField]) -> None:
        self._fields = tuple(fields)
        self._template, self._offsets = _template(self._fields)

    def encode(self, columns: Sequence[NDArray[Any]]) -> list[bytes]:
        """Serializes one tf.Example per row.

        Args:
          columns: For each field an array of shape [batch, size].

        Returns:
          `batch` byte strings, all of one length.
        """
        batch, width = len(columns[0]), len(self._template)
        if not batch:
            return []
        rows = np.empty((batch, width), np.uint8)
        rows[:] = self._template
        for field, offset, values in zip(self._fields, self._offsets, columns, strict=True):
            payload = _floats(values) if field.kind == FLOAT else _varints(values)
            rows[:, offset : offset + payload.shape[1]] = payload
        content = rows.tobytes()
        return [content[start : start + width] for start in range(0, batch * width, width)]


def encode_strings(name: str, values: NDArray[Any]) -> list[bytes]:
    """Serializes one tf.Example per row, with the strings of one feature.

    Args:
      name: The feature.
      values: Objects (bytes) of shape [batch, size].
    """
    known: dict[tuple[bytes, ...], bytes] = {}
    rows = []
    for row in map(tuple, values.tolist()):
        if row not in known:
            bytes_list = b"".join(_delimited(_FIRST, value) for value in row)
            known[row] = _example([_entry(name, _delimited(_BYTES_LIST, bytes_list))])
        rows.append(known[row])
    return rows


def _template(fields: Sequence[NumberField]) -> tuple[NDArray[np.uint8], list[int]]:
    """One record with zeros for numbers, and where each field's numbers begin."""
    entries, payloads = [], []
    for field in fields:
        payload = bytes(_FIELD_WIDTH[field.kind] * field.size)
        number_list = _delimited(_FIRST, payload)  # packed repeated values
        entries.append(_entry(field.name, _delimited(_LIST_TAG[field.kind], number_list)))
        payloads.append(len(payload))
    record = _example(entries)
    start = len(record) - sum(map(len, entries))
    offsets = []
    for entry, payload_size in zip(entries, payloads, strict=True):
        start += len(entry)
        offsets.append(start - payload_size)  # the numbers are the entry's last bytes
    return np.frombuffer(record, np.uint8), offsets


def _example(entries: Sequence[bytes]) -> bytes:
    return _delimited(_FIRST, b"".join(entries))


def _entry(name: str, feature: bytes) -> bytes:
    """One entry of Features.feature, a map: key = 1, value = 2."""
    return _delimited(_FIRST, _delimited(_FIRST, name.encode()) + _delimited(_SECOND, feature))


def _delimited(tag: bytes, payload: bytes) -> bytes:
    return tag + _varint(len(payload)) + payload


def _varint(number: int) -> bytes:
    encoded = bytearray()
    while number > 0x7F:
        encoded.append((number & 0x7F) | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)


def _floats(values: NDArray[Any]) -> NDArray[np.uint8]:
    numbers = np.ascontiguousarray(values, dtype="<f4")
    return numbers.view(np.uint8).reshape(len(numbers), -1)


def _varints(values: NDArray[Any]) -> NDArray[np.uint8]:
    bits = np.ascontiguousarray(values, dtype=np.int64).view(np.uint64)[..., np.newaxis]
    groups = (bits >> np.arange(0, 70, 7, dtype=np.uint64)) & np.uint64(0x7F)
    groups[..., :-1] |= np.uint64(0x80)
    return groups.astype(np.uint8).reshape(len(values), -1)
