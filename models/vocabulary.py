"""The rows of embeddings: how many there are, and which values have them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import tensorflow as tf
import tensorflow_transform as tft
from numpy.typing import NDArray

from models.lookups import vocabulary_name
from schema.features import Feature
from schema.surface import Surface


def sizes(surface: Surface, transform: tft.TFTransformOutput) -> dict[str, int]:
    """The rows of each embedding, those for unknown values included, by feature or cross."""
    own = {
        name: feature for name, feature in surface.features.items() if feature.embedded and surface.owner(name) == name
    }
    found = {name: _rows(surface, name, feature, transform) for name, feature in own.items()}
    return found | {name: cross.hash for name, cross in surface.crosses.items()}


def known_values(surface: Surface, transform: tft.TFTransformOutput) -> dict[str, list[bytes]]:
    """The values that have a row of their own by row, numbers as text, for each feature with such rows."""
    found = {}
    for name, feature in surface.features.items():
        if feature.learned:
            found[name] = transform.vocabulary_by_name(vocabulary_name(name))
        elif feature.identity is not None:
            found[name] = [str(row).encode() for row in range(feature.identity)]
        elif feature.vocabulary is not None:
            found[name] = _lines(surface.files[feature.vocabulary].path)
    return found


def matched(values: Sequence[bytes], others: Sequence[bytes]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The rows of the values that both have, int64 [found] in each: by the value itself, wherever it stands."""
    place = {each: row for row, each in enumerate(others)}
    rows = [(row, place[each]) for row, each in enumerate(values) if each in place]
    pairs = np.array(rows, np.int64).reshape(-1, 2)
    return pairs[:, 0], pairs[:, 1]


def _rows(surface: Surface, name: str, feature: Feature, transform: tft.TFTransformOutput) -> int:
    if feature.buckets is not None:
        return len(feature.buckets) + 1 if isinstance(feature.buckets, tuple) else feature.buckets
    if feature.hash is not None:
        return feature.hash
    if feature.identity is not None:
        return feature.identity + feature.oov
    if feature.vocabulary is not None:
        return surface.files[feature.vocabulary].rows + feature.oov
    return transform.vocabulary_size_by_name(vocabulary_name(name)) + feature.oov


def _lines(path: str) -> list[bytes]:
    with tf.io.gfile.GFile(path, "rb") as file:
        return file.read().splitlines()
