"""How features meet before the trunk.

`cross`: the layers of DCN-v2 (Wang et al., WWW 2021, equation 1), with low-rank matrices if
asked for (section 3.3).  `dot`: DLRM's dot products of all pairs of embeddings (Naumov et
al., 2019, section 2.1).  `fm`: the pooled products of a factorization machine (He & Chua,
SIGIR 2017, equation 3), half of (sum of v)^2 - sum of v^2, which is linear in the number of
features.
"""

from __future__ import annotations

import keras

from models.encoding import Encoded
from models.layers import LayerMaker
from models.names import identifier
from schema.training import Interaction, Model


def joined(model: Model, maker: LayerMaker, encoded: Encoded) -> keras.KerasTensor:
    """What the trunk reads, float [batch, width].

    Args:
      model: Says how features meet.
      maker: Makes the layers.
      encoded: The features.
    """
    vectors = list(encoded.vectors.values())
    features = keras.layers.Concatenate(name="features")(vectors) if len(vectors) > 1 else vectors[0]
    parts = [_crossed(model, maker, features) if Interaction.CROSS in model.interactions else features]
    if Interaction.DOT in model.interactions or Interaction.FM in model.interactions:
        alike = _alike(maker, encoded)
        if Interaction.DOT in model.interactions:
            parts.append(_dots(alike))
        if Interaction.FM in model.interactions:
            parts.append(PooledProducts(name="interaction_fm")(alike))
    return keras.layers.Concatenate(name="interactions")(parts) if len(parts) > 1 else parts[0]


def _crossed(model: Model, maker: LayerMaker, features: keras.KerasTensor) -> keras.KerasTensor:
    crossed = features
    for index in range(model.cross_layers):
        crossed = maker.cross(f"interaction_cross_{index}", model.cross_rank)(features, crossed)
    return crossed


def _dots(vectors: list[keras.KerasTensor]) -> keras.KerasTensor:
    # Imported where it is asked for: few surfaces do, and it takes a while.
    import keras_rs

    return keras_rs.layers.DotInteraction(name="interaction_dot")(vectors)


def _alike(maker: LayerMaker, encoded: Encoded) -> list[keras.KerasTensor]:
    """The embedded features brought to the width of the widest by a linear layer, where they differ."""
    widest = max(encoded.vectors[name].shape[-1] for name in encoded.embedded)
    return [
        vector if vector.shape[-1] == widest else maker.dense(f"interaction_{identifier(name)}", widest, None)(vector)
        for name, vector in ((each, encoded.vectors[each]) for each in encoded.embedded)
    ]


class PooledProducts(keras.layers.Layer):
    """The sum over all pairs of their elements' products, [batch, width], of vectors [batch, width]."""

    def call(self, vectors: list[keras.KerasTensor]) -> keras.KerasTensor:
        stacked = keras.ops.stack(vectors, axis=1)
        total = keras.ops.square(keras.ops.sum(stacked, axis=1))
        return 0.5 * (total - keras.ops.sum(keras.ops.square(stacked), axis=1))
