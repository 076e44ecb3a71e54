"""Loads a SavedModel the way model servers do: MetaGraph and variables into a session.

`tf.compat.v1.saved_model.load` runs the C++ loader's steps (the graph with tag `serve`,
restore ops, asset feeds, init op) on the graph that is stored, without tracing anything
again; `tf.saved_model.load` rebuilds objects and functions instead, and accepts models that a
server cannot load.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext

import numpy as np
import tensorflow as tf

from records.documents import is_local

SIGNATURE = tf.saved_model.DEFAULT_SERVING_SIGNATURE_DEF_KEY
# A second signature of students, of features as tensors and not in serialized tf.Examples.
TENSORS_SIGNATURE = "tensors"


class SessionModel:
    """A model in a session of its own.

    Attributes:
      inputs: Names of its inputs, in the order of `call`'s arguments.
      specs: Their types and shapes, by name.
      outputs: Names of its outputs, in the order of `call`'s results.
    """

    def __init__(self, model_dir: str, signature: str = SIGNATURE) -> None:
        self._session = tf.compat.v1.Session(graph=tf.Graph())
        with self._session.graph.as_default():
            meta_graph = tf.compat.v1.saved_model.load(self._session, [tf.saved_model.SERVING], model_dir)
        found = meta_graph.signature_def[signature]
        self.inputs = sorted(found.inputs)
        self.specs = {
            name: tf.TensorSpec(tf.TensorShape(each.tensor_shape), tf.as_dtype(each.dtype))
            for name, each in found.inputs.items()
        }
        self.outputs = sorted(found.outputs)
        # The order of feeds and fetches is settled once, as servers do with RunCallable.
        self.call = self._session.make_callable(
            [found.outputs[name].name for name in self.outputs], [found.inputs[name].name for name in self.inputs]
        )

    def predict(self, examples: Sequence[bytes]) -> dict[str, np.ndarray]:
        """Answers serialized tf.Examples; float [batch] by output.

        Raises:
          tf.errors.OpError: They cannot be answered.
        """
        return dict(zip(self.outputs, self.call(as_batch(examples)), strict=True))

    def close(self) -> None:
        """Frees what the model holds; it answers nothing afterwards."""
        self._session.close()


def as_batch(examples: Sequence[bytes]) -> np.ndarray:
    """Serialized tf.Examples as a session takes them, object [batch]."""
    return np.array(examples, dtype=object)


def load_error(model_dir: str) -> str | None:
    """Why a server could not load a SavedModel, as part of a sentence; None if it can.

    Args:
      model_dir: The SavedModel: a path, or a URI of a bucket.
    """
    try:
        with _at_hand(model_dir) as folder:
            SessionModel(folder).close()
    except Exception as error:  # any error of a model is a finding
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        return f"a server cannot load it ({type(error).__name__}: {' '.join(lines[:2])[:300]})"
    return None


def _at_hand(model_dir: str) -> AbstractContextManager[str]:
    """The model where TensorFlow reads it."""
    if is_local(model_dir):
        return nullcontext(model_dir)
    from records.buckets import locally

    return locally(model_dir)
