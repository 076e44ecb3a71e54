"""What is in a SavedModel, read from its files without loading it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import tensorflow as tf
from tensorflow.core.framework import node_def_pb2
from tensorflow.core.protobuf import meta_graph_pb2, trackable_object_graph_pb2
from tfx.dsl.io import fileio

from records.parsed_columns import ParsedColumn, parsed_columns
from records.saved_model import INIT_SIGNATURE, TensorType, files_of, serving_graph, size_of, tensor_types
from schema.errors import InputError

_OBJECT_GRAPH = "_CHECKPOINTABLE_OBJECT_GRAPH"

Tensors = dict[str, TensorType]


@dataclass(frozen=True)
class Signature:
    """Inputs and outputs of a signature: type and shape by name."""

    inputs: Tensors
    outputs: Tensors


@dataclass(frozen=True)
class ModelGraph:
    """What a server gets.

    Attributes:
      signatures: The signatures by name.
      names: Every name in it: nodes, functions, their arguments, variables.
      columns: What is parsed out of tf.Examples, by column.
      shapes: How many variables there are of each type and shape.
      megabytes: Size of all files, 10^6 bytes each.
    """

    signatures: dict[str, Signature]
    names: frozenset[str]
    columns: dict[str, ParsedColumn]
    shapes: Counter[str]
    megabytes: float


def read_graph(model_dir: str) -> ModelGraph:
    """Reads a SavedModel.

    Raises:
      InputError: There is none, none with the tag `serve`, or it is damaged.
    """
    meta_graph = serving_graph(model_dir)
    shapes, variables = _read_variables(f"{model_dir}/{tf.saved_model.VARIABLES_DIRECTORY}/variables")
    nodes = list(_nodes(meta_graph))
    functions = [function.signature for function in meta_graph.graph_def.library.function]
    names = {node.name for node in nodes} | {function.name for function in functions} | set(variables)
    names |= {argument.name for function in functions for argument in [*function.input_arg, *function.output_arg]}
    return ModelGraph(
        signatures={
            name: Signature(tensor_types(found.inputs), tensor_types(found.outputs))
            for name, found in meta_graph.signature_def.items()
            if name != INIT_SIGNATURE
        },
        names=frozenset(names),
        columns=parsed_columns(meta_graph),
        shapes=shapes,
        megabytes=sum(size_of(f"{model_dir}/{name}") for name in files_of(model_dir)) / 1e6,
    )


def _read_variables(prefix: str) -> tuple[Counter[str], list[str]]:
    """Types and shapes, and the names that variables had when the model was built."""
    if not fileio.exists(f"{prefix}.index"):
        return Counter(), []
    try:
        reader = tf.train.load_checkpoint(prefix)
        dtypes, shapes = reader.get_variable_to_dtype_map(), reader.get_variable_to_shape_map()
        content = reader.get_tensor(_OBJECT_GRAPH) if _OBJECT_GRAPH in shapes else b""
    except tf.errors.OpError as error:
        raise InputError(f"{prefix}: expected the variables of a SavedModel, but {error.message}") from error
    keys = [key for key in shapes if key != _OBJECT_GRAPH]
    objects = trackable_object_graph_pb2.TrackableObjectGraph.FromString(content)
    names = [attribute.full_name for node in objects.nodes for attribute in node.attributes]
    return Counter(f"{dtypes[key].name} {shapes[key]}" for key in keys), [*names, *keys]


def _nodes(meta_graph: meta_graph_pb2.MetaGraphDef) -> Iterator[node_def_pb2.NodeDef]:
    yield from meta_graph.graph_def.node
    for function in meta_graph.graph_def.library.function:
        yield from function.node_def
