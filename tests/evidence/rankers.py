"""A student and a control for the homepage that need no training."""

from __future__ import annotations

from pathlib import Path

import tensorflow as tf

from evidence.live import Pair


class Ranker(tf.Module):
    """Clicks by what the old product knows of tastes; discoveries by the item, anyhow."""

    def __init__(self, sharp: float):
        super().__init__()
        self.sharp = sharp
        self.spec = {
            "item_id": tf.io.FixedLenFeature([], tf.int64),
            "music_profile_match": tf.io.FixedLenFeature([], tf.float32),
        }

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="examples")])
    def serve(self, examples: tf.Tensor) -> dict[str, tf.Tensor]:
        columns = tf.io.parse_example(examples, self.spec)
        click = tf.sigmoid(self.sharp * columns["music_profile_match"])
        discovery = tf.sigmoid(tf.sin(tf.cast(columns["item_id"], tf.float32)))
        return {"click": click, "discovery": discovery, "trail_engagement": tf.zeros_like(click)}


def write_pair(folder: Path) -> Pair:
    """Two SavedModels: the student takes the match of tastes for more than the control does."""
    for name, sharp in (("student", 3.0), ("control", 0.1)):
        model = Ranker(sharp)
        tf.saved_model.save(model, str(folder / name), signatures={"serving_default": model.serve})
    return Pair(str(folder / "student"), str(folder / "control"))
