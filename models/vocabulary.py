"""What Transform found of categorical features."""

from __future__ import annotations

import tensorflow_transform as tft

from models.preprocessing import vocabulary_name
from schema.surface import FeatureKind, Surface


def sizes(surface: Surface, transform: tft.TFTransformOutput) -> dict[str, int]:
    """The number of indices of each categorical feature, the one for unknown values included."""
    return {name: transform.num_buckets_for_transformed_feature(name) for name in _categorical(surface)}


def known_values(surface: Surface, transform: tft.TFTransformOutput) -> dict[str, list[bytes]]:
    """The values of each categorical feature by index, numbers as text."""
    return {name: transform.vocabulary_by_name(vocabulary_name(name)) for name in _categorical(surface)}


def _categorical(surface: Surface) -> list[str]:
    return [name for name, feature in surface.features.items() if feature.kind is FeatureKind.CATEGORICAL]
