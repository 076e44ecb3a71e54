"""Builds the serialized tf.Examples for a teacher that takes them, from adapted tensors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from records.encoding import NumberField, NumberLayout, encode_strings
from records.tf_example import STRING
from schema.teacher_feature import TeacherFeature

Arrays = Mapping[str, NDArray[Any]]


def example_encoder(features: Mapping[str, TeacherFeature]) -> Callable[[Arrays, Arrays], list[bytes]]:
    """A function that serializes batches of the teacher's features.

    Args:
      features: The teacher's; those that are dropped are left out.

    Returns:
      A function of the values [batch, size] of each feature and the lengths [batch] of each
      ragged one, that returns `batch` serialized tf.Examples.
    """
    sent = {name: feature for name, feature in features.items() if not feature.drop}
    ragged = {name: feature.dtype for name, feature in sent.items() if feature.ragged}
    numbers = [name for name, feature in sent.items() if feature.dtype != STRING and name not in ragged]
    strings = [name for name, feature in sent.items() if feature.dtype == STRING and name not in ragged]
    layout = NumberLayout([NumberField(name, features[name].dtype, features[name].size) for name in numbers])

    def encode(values: Arrays, lengths: Arrays) -> list[bytes]:
        parts = [encode_strings(name, values[name]) for name in strings]
        parts += [_encode_ragged(name, kind, values[name], lengths[name]) for name, kind in ragged.items()]
        if numbers:
            parts.append(layout.encode([values[name] for name in numbers]))
        return parts[0] if len(parts) == 1 else [b"".join(pieces) for pieces in zip(*parts, strict=True)]

    return encode


def _encode_ragged(name: str, kind: str, values: NDArray[Any], lengths: NDArray[Any]) -> list[bytes]:
    """One feature, of which the first `lengths` values of each row are there; rows without any have no feature."""
    rows = [b""] * len(lengths)
    for length in map(int, np.unique(lengths)):
        at = np.flatnonzero(lengths == length)
        held = values[at, :length]
        if length:
            encoded = (
                encode_strings(name, held)
                if kind == STRING
                else NumberLayout([NumberField(name, kind, length)]).encode([held])
            )
            for row, content in zip(at, encoded, strict=True):
                rows[row] = content
    return rows
