from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from worlds.simulated import Sizes, World, draw_world

SIZES = Sizes(
    source_train=600,
    source_eval=120,
    target_train=160,
    target_eval=200,
    people=60,
    music_people=25,
    videos=80,
    music_items=40,
)

Example = dict[str, list[Any]]


def read_examples(folder: Path) -> list[Example]:
    """All examples of a split: feature name to values, without the absent ones."""
    shards = sorted(str(path) for path in folder.glob("part-*.tfrecord.gz"))
    return [_as_dict(raw.numpy()) for raw in tf.data.TFRecordDataset(shards, "GZIP")]


def _as_dict(raw: bytes) -> Example:
    features = tf.train.Example.FromString(raw).features.feature
    return {name: list(getattr(feature, feature.WhichOneof("kind")).value) for name, feature in features.items()}


@pytest.fixture(scope="session")
def sizes() -> Sizes:
    return SIZES


@pytest.fixture(scope="session")
def full_world() -> World:
    """The people and items of the specification's sizes."""
    return draw_world(Sizes(), np.random.default_rng(7))


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def progress(told: list[str]) -> Callable[[str], None]:
    return told.append
