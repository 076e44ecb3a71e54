"""The inputs of the ranker and what it makes of them before the trunk: one vector for each feature."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import keras

from models.columns import InputColumn, history_column, input_columns
from models.layers import LayerMaker, history_layer, input_layer
from models.names import identifier
from models.reading import EventMask, ListPool, read_events
from schema.features import Feature
from schema.inputs import candidates
from schema.surface import ABSENT_PREFIX, POOL_PREFIX, Surface


@dataclass(frozen=True)
class Encoded:
    """The inputs, and what they became.

    Attributes:
      inputs: The columns that the model reads, by name.
      vectors: What trunks read of each feature, sequence and cross, float [batch, width], by name;
        numbers are as they came in.
      embedded: Those of `vectors` that came out of an embedding.
      bias: The vectors of the bias features, by name.
      alone: Those of `vectors` to which a history was added, as they are without it.
    """

    inputs: dict[str, keras.KerasTensor]
    vectors: dict[str, keras.KerasTensor]
    embedded: tuple[str, ...]
    bias: dict[str, keras.KerasTensor]
    alone: dict[str, keras.KerasTensor] = field(default_factory=dict)


def encode(surface: Surface, rows: Mapping[str, int], maker: LayerMaker) -> Encoded:
    """Looks up, pools and reads.

    Args:
      surface: The surface.
      rows: Rows of each embedding; see `models.vocabulary.sizes`.
      maker: Makes the layers.
    """
    inputs = {name: _input(name, column) for name, column in input_columns(surface).items()}
    encoder = _Encoder(surface, rows, maker, inputs)
    bias = {name: encoder.vector(name, surface.features[name]) for name in surface.bias_features}
    if surface.student is not None:
        return Encoded(inputs, {}, (), bias)
    vectors: dict[str, keras.KerasTensor] = {}
    embedded = []
    for name, feature in surface.features.items():
        if name in bias:
            continue
        if feature.sequence is None:
            vectors[name] = encoder.with_history(name, encoder.vector(name, feature))
            embedded += [name] if feature.embedded else []
        if feature.indicator:
            vectors[ABSENT_PREFIX + name] = inputs[ABSENT_PREFIX + name]
    for name, cross in surface.crosses.items():
        vectors[name] = maker.embedding(name, rows[name], cross.embedding)(inputs[name])
    for name, columns in surface.parts().items():
        asked = [vectors[each] for each in candidates(surface, name)]
        vectors[f"{_SEQUENCE}{name}"] = encoder.sequence(name, columns, asked)
    embedded += [*surface.crosses, *(f"{_SEQUENCE}{name}" for name in surface.parts())]
    return Encoded(inputs, vectors, tuple(embedded), bias, encoder.alone)


# What tells a sequence's vector from that of a column of the same name.
_SEQUENCE = "sequence/"


class _Encoder:
    """The embeddings of one ranker, each made once."""

    def __init__(
        self, surface: Surface, rows: Mapping[str, int], maker: LayerMaker, inputs: Mapping[str, keras.KerasTensor]
    ):
        self._surface = surface
        self._rows = rows
        self._maker = maker
        self._inputs = inputs
        self._tables: dict[str, keras.layers.Layer] = {}
        self.alone: dict[str, keras.KerasTensor] = {}

    def vector(self, name: str, feature: Feature) -> keras.KerasTensor:
        """A feature that is no part of a sequence."""
        if not feature.embedded:
            return self._inputs[name]
        if not feature.many:
            return self._embedded(name)
        mask = EventMask(name=f"mask_{identifier(name)}")(self._inputs[name])
        weights = self._inputs.get(POOL_PREFIX + name)
        pool = ListPool(feature.pool, name=f"pool_{identifier(name)}")
        return pool([self._embedded(name), mask, *([] if weights is None else [weights])])

    def with_history(self, name: str, vector: keras.KerasTensor) -> keras.KerasTensor:
        """The vector of an id, and what its history adds to it, if it has one."""
        if name not in self._surface.histories:
            return vector
        self.alone[name] = vector
        added = self._maker.history(name, vector.shape[-1])(self._inputs[history_column(name)])
        return keras.layers.Add(name=f"with_{history_layer(name)}")([vector, added])

    def sequence(self, name: str, columns: list[str], candidate: list[keras.KerasTensor]) -> keras.KerasTensor:
        """A sequence's events, side by side, as one vector."""
        counted = next(each for each in columns if self._surface.features[each].embedded)
        mask = EventMask(name=f"events_{name}")(self._inputs[counted])
        parts = [
            self._embedded(each)
            if self._surface.features[each].embedded
            else keras.layers.Reshape((-1, 1), name=f"events_{name}.{identifier(each)}")(self._inputs[each])
            for each in columns
        ]
        events = keras.layers.Concatenate(name=f"events_{name}.joined")(parts) if len(parts) > 1 else parts[0]
        return read_events(self._maker, f"sequence_{name}", self._surface.sequence(name), events, mask, candidate)

    def _embedded(self, name: str) -> keras.KerasTensor:
        """Rows of the table; those of padding are the first one's, and masked by who reads them."""
        owner = self._surface.owner(name)
        if owner not in self._tables:
            feature = self._surface.features[owner]
            frozen = feature.frozen
            self._tables[owner] = self._maker.embedding(owner, self._rows[owner], feature.embedding, frozen=frozen)
        indices = self._inputs[name]
        if self._surface.features[name].listed:
            indices = keras.ops.maximum(indices, 0)
        return self._tables[owner](indices)


def _input(name: str, column: InputColumn) -> keras.KerasTensor:
    """A column: the tensor bears its name, by which models are called; the layer, which must not, another."""
    tensor = keras.Input(column.shape, dtype=column.dtype, name=input_layer(name))
    tensor.name = name
    return tensor
