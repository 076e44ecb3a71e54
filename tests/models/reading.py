"""Reads batches as the training loop does, for tests."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import tensorflow as tf

from models.epochs import Batches


def batches_of(batches: Batches) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Features and labels of every batch as arrays."""
    for part in batches.parts():
        for step in range(part.steps):
            batch = part.feed.batch(tf.constant(step, tf.int64))
            yield tf.nest.map_structure(lambda each: each.numpy(), batch)
