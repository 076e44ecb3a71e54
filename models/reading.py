"""Many values, or the events of a sequence, as one vector.  What a list does not have is masked: none is a vector of 0.

Reading by attention on the candidate: Deep Interest Network (Zhou et al., KDD 2018), section
4.3, with the softmax that the paper leaves out and its successors have (DIEN, AAAI 2019).
Reading by self-attention: one block of SASRec (Kang & McAuley, ICDM 2018), section III-B,
without its causal mask, as in BST (Chen et al., 2019): a ranker reads what has happened.
"""

from __future__ import annotations

from typing import Any

import keras

from models.layers import LayerMaker
from schema.features import EventSequence, Read

# Before a softmax, of what is masked: far below any score, and finite in float32.
_MASKED = -1e9
_ATTENTION_UNITS = 32


class EventMask(keras.layers.Layer):
    """1 where a list has a value, and else 0: float [batch, length] of indices, which are -1 there."""

    def call(self, indices: keras.KerasTensor) -> keras.KerasTensor:
        return keras.ops.cast(indices >= 0, "float32")

    def compute_output_spec(self, indices: keras.KerasTensor) -> keras.KerasTensor:
        return keras.KerasTensor(indices.shape, "float32")


class ListPool(keras.layers.Layer):
    """Embeddings [batch, length, width], mask [batch, length] and perhaps weights of that shape to [batch, width].

    With weights w the sum is of w e; the mean is that over the sum of w; and `sqrtn` is it
    over the square root of the sum of w^2, as in `tf.nn.embedding_lookup_sparse`.
    """

    def __init__(self, by: str, **keywords: Any):
        super().__init__(**keywords)
        self._by = by

    def call(self, inputs: list[keras.KerasTensor]) -> keras.KerasTensor:
        embeddings, mask, *weights = inputs
        weighed = mask * weights[0] if weights else mask
        total = keras.ops.sum(embeddings * keras.ops.expand_dims(weighed, -1), axis=1)
        if self._by == "sum":
            return total
        squared = self._by == "sqrtn"
        norm = keras.ops.sum(keras.ops.square(weighed) if squared else weighed, axis=1, keepdims=True)
        return keras.ops.divide_no_nan(total, keras.ops.sqrt(norm) if squared else norm)

    def compute_output_spec(self, inputs: list[keras.KerasTensor]) -> keras.KerasTensor:
        return keras.KerasTensor((inputs[0].shape[0], inputs[0].shape[2]), "float32")


class Shares(keras.layers.Layer):
    """A softmax over the last axis of scores, of the places alone that the mask has; all 0 where it has none."""

    def call(self, scores: keras.KerasTensor, mask: keras.KerasTensor) -> keras.KerasTensor:
        return keras.ops.softmax(keras.ops.where(mask > 0, scores, _MASKED), axis=-1) * mask


class Places(keras.layers.Layer):
    """Adds to each event what is learned of its place: [batch, length, width]."""

    def __init__(self, initializer: keras.initializers.Initializer, **keywords: Any):
        super().__init__(**keywords)
        self._initializer = initializer

    def build(self, shape: tuple[int | None, ...]) -> None:
        self._places = self.add_weight(shape=shape[1:], initializer=self._initializer, name="places")

    def call(self, events: keras.KerasTensor) -> keras.KerasTensor:
        return events + self._places


def read_events(
    maker: LayerMaker,
    name: str,
    sequence: EventSequence,
    events: keras.KerasTensor,
    mask: keras.KerasTensor,
    candidate: list[keras.KerasTensor],
) -> keras.KerasTensor:
    """A sequence as one vector.

    Args:
      maker: Makes the layers.
      name: What their names begin with.
      sequence: How it is read.
      events: The newest first, float [batch, length, width].
      mask: Which of them there are, float [batch, length].
      candidate: What attention compares them with, float [batch, width] each.

    Returns:
      Float [batch, width], of the width of an event; 0 without any.
    """
    if sequence.placed:
        events = Places(maker.initializer(f"{name}/places"), name=f"{name}.places")(events)
    if sequence.read is Read.ATTENTION:
        return _attended(maker, name, events, mask, candidate)
    if sequence.read is Read.SELF_ATTENTION:
        events = _block(maker, name, events, mask)
    return ListPool("mean", name=f"{name}.mean")([events, mask])


def _attended(
    maker: LayerMaker,
    name: str,
    events: keras.KerasTensor,
    mask: keras.KerasTensor,
    candidate: list[keras.KerasTensor],
) -> keras.KerasTensor:
    """The events weighed by a small network of event, candidate, their difference and their product."""
    length, width = events.shape[1:]
    asked = keras.layers.Concatenate(name=f"{name}.candidate")(candidate) if len(candidate) > 1 else candidate[0]
    query = maker.dense(f"{name}_query", width, None)(asked) if asked.shape[-1] != width else asked
    query = keras.layers.RepeatVector(length, name=f"{name}.query")(query)
    both = keras.layers.Concatenate(name=f"{name}.pairs")([query, events, query - events, query * events])
    hidden = maker.dense(f"{name}_hidden", _ATTENTION_UNITS, "sigmoid")(both)
    scores = keras.layers.Reshape((length,), name=f"{name}.scores")(maker.dense(f"{name}_score", 1, None)(hidden))
    shares = Shares(name=f"{name}.shares")(scores, mask)
    return keras.layers.Dot(axes=(1, 1), name=f"{name}.read")([shares, events])


def _block(maker: LayerMaker, name: str, events: keras.KerasTensor, mask: keras.KerasTensor) -> keras.KerasTensor:
    """Self-attention and a feed-forward layer, each added to what it reads, which is normalised first."""
    width = events.shape[-1]
    normal = keras.layers.LayerNormalization(epsilon=1e-6, name=f"{name}.norm_0")(events)
    query, key, value = (maker.dense(f"{name}_{part}", width, None)(normal) for part in ("query", "key", "value"))
    scores = keras.layers.Dot(axes=(2, 2), name=f"{name}.scores")([query, key]) / float(width) ** 0.5
    shares = Shares(name=f"{name}.shares")(scores, keras.layers.Reshape((1, -1), name=f"{name}.keys")(mask))
    events = events + keras.layers.Dot(axes=(2, 1), name=f"{name}.attended")([shares, value])
    normal = keras.layers.LayerNormalization(epsilon=1e-6, name=f"{name}.norm_1")(events)
    hidden = maker.dense(f"{name}_hidden", width, "relu")(normal)
    return events + maker.dense(f"{name}_out", width, None)(hidden)
