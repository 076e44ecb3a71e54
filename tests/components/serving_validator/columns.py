"""Models that read columns of examples, whatever these are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import tensorflow as tf


class Model(tf.Module):
    """Reads columns, and answers each output with the same number."""

    def __init__(self, columns: dict[str, Any], outputs: tuple[str, ...]) -> None:
        super().__init__()
        self.weight = tf.Variable(1.0, name="trunk/kernel")
        self.columns, self.outputs = columns, outputs

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="examples")])
    def serve(self, examples: tf.Tensor) -> dict[str, tf.Tensor]:
        parsed = tf.io.parse_example(examples, self.columns)
        dense = [each for each in parsed.values() if isinstance(each, tf.Tensor) and each.dtype != tf.string]
        logit = self.weight * tf.add_n(
            [tf.cast(tf.reshape(each, [tf.size(examples), -1])[:, 0], tf.float32) for each in dense]
        )
        return {name: tf.sigmoid(logit) for name in self.outputs}


def write_reader(folder: Path, columns: dict[str, Any], *outputs: str) -> str:
    """Saves a model that reads these columns; by default it serves `click` and `minutes`."""
    module = Model(columns, outputs or ("click", "minutes"))
    tf.saved_model.save(module, str(folder), signatures={"serving_default": module.serve})
    return str(folder)
