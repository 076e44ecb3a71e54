"""Which columns a SavedModel parses out of tf.Examples, as its graph says it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import tensorflow as tf
from tensorflow.core.framework import node_def_pb2
from tensorflow.core.protobuf import meta_graph_pb2

# The inputs of the parsing ops that name columns, and the attributes of those that name them there.
_PARSERS = ("ParseExample", "ParseSingleExample", "ParseSequenceExample")
_USUAL = "ParseExampleV2"  # what `tf.io.parse_example` makes
# Its inputs: serialized, names, sparse keys, dense keys, ragged keys, and the defaults of the dense ones.
_SPARSE_KEYS, _DENSE_KEYS, _DEFAULTS = 2, 3, 5

Nodes = Mapping[str, node_def_pb2.NodeDef]


@dataclass(frozen=True)
class ParsedColumn:
    """What a model expects in a column.

    Attributes:
      dtype: The name of the type; None where the graph does not say it in the usual way.
      required: Whether a request without it is an error.
      shape: Of one example's values; None where there may be any number.
    """

    dtype: str | None = None
    required: bool = False
    shape: tuple[int, ...] | None = None


def parsed_columns(meta_graph: meta_graph_pb2.MetaGraphDef) -> dict[str, ParsedColumn]:
    """Every column that is named in a parsing op, by name."""
    found: dict[str, ParsedColumn] = {}
    for nodes in (meta_graph.graph_def.node, *(each.node_def for each in meta_graph.graph_def.library.function)):
        by_name = {node.name: node for node in nodes}
        for node in nodes:
            if node.op.startswith(_PARSERS):
                found |= dict.fromkeys(_named(node, by_name), ParsedColumn())
        for node in nodes:
            if node.op == _USUAL:
                found |= dict(_specified(node, by_name))
    return found


def _named(node: node_def_pb2.NodeDef, nodes: Nodes) -> Iterator[str]:
    """Columns in string constants that an op reads, or in its attributes."""
    for attribute in node.attr.values():
        yield from (value.decode() for value in attribute.list.s)
    for index in range(len(node.input)):
        yield from _strings(_constant(node, index, nodes))


def _specified(node: node_def_pb2.NodeDef, nodes: Nodes) -> Iterator[tuple[str, ParsedColumn]]:
    for name, dtype in zip(
        _strings(_constant(node, _SPARSE_KEYS, nodes)), node.attr["sparse_types"].list.type, strict=False
    ):
        yield name, ParsedColumn(tf.as_dtype(dtype).name)
    names = _strings(_constant(node, _DENSE_KEYS, nodes))
    specified = zip(names, node.attr["Tdense"].list.type, node.attr["dense_shapes"].list.shape, strict=False)
    for index, (name, dtype, shape) in enumerate(specified):
        default = _constant(node, _DEFAULTS + index, nodes)
        required = default is not None and not tf.make_ndarray(default.attr["value"].tensor).size
        yield name, ParsedColumn(tf.as_dtype(dtype).name, required, tuple(dim.size for dim in shape.dim))


def _constant(node: node_def_pb2.NodeDef, index: int, nodes: Nodes) -> node_def_pb2.NodeDef | None:
    source = nodes.get(node.input[index].split(":")[0]) if index < len(node.input) else None
    return source if source is not None and source.op == "Const" else None


def _strings(constant: node_def_pb2.NodeDef | None) -> list[str]:
    if constant is None or constant.attr["dtype"].type != tf.string.as_datatype_enum:
        return []
    values = tf.make_ndarray(constant.attr["value"].tensor)
    return [value.decode(errors="replace") for value in values.reshape(-1)]
