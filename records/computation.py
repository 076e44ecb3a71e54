"""Digest of what a SavedModel computes, whatever its parts happen to be called.

Exporting the same weights twice gives different files: functions and variables are numbered
as the process goes along, Keras' ExportArchive lists variables in the order of a set, lookup
tables carry the path of the Transform run, and `fingerprint.pb` holds a random id (with
TensorFlow 2.21 its hashes of graph and checkpoint differ between such exports, too).  So each
node is digested by what it does and what it reads, from the inputs up (a Merkle tree): the
op, its attributes, the digests of its inputs; a function by its body; a variable by its
value; a lookup table by its file.  Two models have one digest if their signatures and their
initialization do.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping

import numpy as np
import tensorflow as tf
from tensorflow.core.framework import attr_value_pb2, function_pb2, node_def_pb2
from tensorflow.core.protobuf import meta_graph_pb2
from tfx.dsl.io import fileio

from records.saved_model import read_meta_graphs

# Node inputs leave it out, signatures do not.
_FIRST_PORT = ":0"
# How a function is run, and where a resource is kept: no part of what is computed.
_IGNORED_ATTRIBUTES = ("config_proto", "config", "executor_type", "container")
# What the name of a lookup table says beside the name of its vocabulary.
_PLACE_IN_NAME = re.compile(r"[^\s'\"(]*/|_load_\d+_\d+$")


def computation_digest(model_dir: str) -> str:
    """Digest of a SavedModel's computation.

    Args:
      model_dir: The SavedModel.

    Returns:
      64 hexadecimal digits.

    Raises:
      InputError: `saved_model.pb` is damaged.
      tf.errors.OpError: The variables or assets are.
      ValueError: It holds no graph, or a variable whose value is not found.
      KeyError: It is not put together as TensorFlow 2 does.
    """
    graphs_there = read_meta_graphs(model_dir)
    if not graphs_there:
        raise ValueError(f"{model_dir}: a SavedModel without any graph")
    graphs = [
        _digest_of(*sorted(meta_graph.meta_info_def.tags), _MetaGraph(meta_graph, model_dir).digest())
        for meta_graph in graphs_there
    ]
    return _digest_of(*sorted(graphs))


class _MetaGraph:
    """One graph of a SavedModel with the values of its variables."""

    def __init__(self, meta_graph: meta_graph_pb2.MetaGraphDef, model_dir: str) -> None:
        graph = meta_graph.graph_def
        self._signatures = meta_graph.signature_def
        self._nodes = {node.name: node for node in graph.node}
        self._functions = {each.signature.name: each for each in graph.library.function}
        self._function_digests: dict[str, str] = {}
        self._values = _read_values(meta_graph, f"{model_dir}/{tf.saved_model.VARIABLES_DIRECTORY}/variables")
        self._assets = _read_assets(meta_graph, f"{model_dir}/{tf.saved_model.ASSETS_DIRECTORY}")
        self._assigned = {node.input[0]: node.input[1] for node in graph.node if node.op == "AssignVariableOp"}

    def digest(self) -> str:
        """Over all signatures; TensorFlow stores the initialization as one of them."""
        return _digest_of(*(self._signature_digest(name) for name in sorted(self._signatures)))

    def _signature_digest(self, name: str) -> str:
        signature = self._signatures[name]
        inputs = {key: _digest_of("input", key, _type(info)) for key, info in sorted(signature.inputs.items())}
        known = {info.name.removesuffix(_FIRST_PORT): inputs[key] for key, info in signature.inputs.items()}
        scope = _Scope(self._nodes, known, self)
        outputs = [_digest_of(key, _type(info), scope.of(info.name)) for key, info in sorted(signature.outputs.items())]
        return _digest_of(name, signature.method_name, *inputs.values(), *outputs)

    def _function_digest(self, name: str) -> str:
        if name not in self._function_digests:
            self._function_digests[name] = self._body_digest(self._functions[name])
        return self._function_digests[name]

    def _body_digest(self, function: function_pb2.FunctionDef) -> str:
        arguments = enumerate(function.signature.input_arg)
        known = {argument.name: _digest_of("argument", str(index)) for index, argument in arguments}
        scope = _Scope({node.name: node for node in function.node_def}, known, self)
        results = [scope.of(function.ret[result.name]) for result in function.signature.output_arg]
        effects = sorted(scope.of(f"^{node}") for node in function.control_ret.values())
        return _digest_of("function", *results, *effects)

    def inputs_of(self, node: node_def_pb2.NodeDef) -> list[str]:
        """What a node reads; a variable that the graph itself sets, as with paths of assets, what it is set to."""
        if node.op == "VarHandleOp" and node.name not in self._values:
            if node.name not in self._assigned:
                raise ValueError(f"variable {node.name!r} has no value that is known before the model is loaded")
            return [self._assigned[node.name]]
        return list(node.input)

    def node_digest(self, node: node_def_pb2.NodeDef, inputs: list[str]) -> str:
        """Digest of a node.

        Args:
          node: The node.
          inputs: Digests of `inputs_of` it.
        """
        if node.op == "Placeholder" and node.name in self._assets:
            return self._assets[node.name]
        if node.op == "VarHandleOp":
            return _digest_of(node.op, self._values.get(node.name, ""), *inputs)
        attributes = [
            _digest_of(key, *self._attribute(key, node.attr[key]))
            for key in sorted(node.attr)
            if not key.startswith("_") and key not in _IGNORED_ATTRIBUTES
        ]
        return _digest_of(node.op, *attributes, *inputs)

    def _attribute(self, key: str, value: attr_value_pb2.AttrValue) -> list[str]:
        functions = [value.func] if value.HasField("func") else list(value.list.func)
        if functions:
            known = [each.name for each in functions if each.name in self._functions]
            return [self._function_digest(name) for name in known]
        if key == "shared_name":
            return [_PLACE_IN_NAME.sub("", value.s.decode(errors="replace"))]
        return [hashlib.sha256(value.SerializeToString(deterministic=True)).hexdigest()]


class _Scope:
    """The digests of one graph's or function body's tensors."""

    def __init__(self, nodes: Mapping[str, node_def_pb2.NodeDef], known: Mapping[str, str], graph: _MetaGraph) -> None:
        self._nodes = nodes
        self._known = known
        self._graph = graph
        self._digests: dict[str, str] = {}

    def of(self, tensor: str) -> str:
        """Digest of a tensor, or of a control input (`^node`)."""
        name = tensor.removesuffix(_FIRST_PORT)
        if name in self._known:
            return self._known[name]
        node, port = _node_and_port(tensor)
        if node not in self._digests:
            self._resolve(node)
        return _digest_of(self._digests[node], port)

    def _resolve(self, name: str) -> None:
        """Digests a node after all that it reads; graphs are too deep for recursion."""
        pending, opened = [name], set[str]()
        while pending:
            node = self._nodes[pending[-1]]
            inputs = self._graph.inputs_of(node)
            missing = [each for each in self._unresolved(inputs) if each not in opened]
            opened.add(node.name)
            if missing:
                pending += missing
                continue
            pending.pop()
            if node.name not in self._digests:
                self._digests[node.name] = self._graph.node_digest(node, self._ordered(inputs))

    def _unresolved(self, inputs: Iterable[str]) -> list[str]:
        names = [_node_and_port(each)[0] for each in inputs if each not in self._known]
        return [name for name in names if name not in self._digests]

    def _ordered(self, inputs: Iterable[str]) -> list[str]:
        """Digests of inputs in their order, and of control inputs, which have none, sorted."""
        data = [self._input(each) for each in inputs if not each.startswith("^")]
        return [*data, *sorted(self._input(each) for each in inputs if each.startswith("^"))]

    def _input(self, tensor: str) -> str:
        """A digest, or a mark where a loop closes."""
        if tensor not in self._known and _node_and_port(tensor)[0] not in self._digests:
            return "loop"
        return self.of(tensor)


def _node_and_port(tensor: str) -> tuple[str, str]:
    if tensor.startswith("^"):
        return tensor[1:], "^"
    node, _, port = tensor.partition(":")
    return node, port or "0"


def _type(info: meta_graph_pb2.TensorInfo) -> str:
    return f"{info.dtype} {info.tensor_shape}"


def _read_values(meta_graph: meta_graph_pb2.MetaGraphDef, prefix: str) -> dict[str, str]:
    """Digest of the value that each variable of the graph is restored to, by its node's name."""
    functions = {each.signature.name: each for each in meta_graph.graph_def.library.function}
    restoring = [node for node in meta_graph.graph_def.node if node.name == meta_graph.saver_def.restore_op_name]
    if not restoring or not fileio.exists(f"{prefix}.index"):
        return {}
    keys = _restored_keys(functions[restoring[0].attr["f"].func.name])
    reader = tf.train.load_checkpoint(prefix)
    found = {node: keys[index] for index, node in enumerate(restoring[0].input) if index in keys}
    digests = {key: _value_digest(reader.get_tensor(key)) for key in set(found.values())}
    return {node: digests[key] for node, key in found.items()}


def _restored_keys(function: function_pb2.FunctionDef) -> dict[int, str]:
    """Which key of the checkpoint the restore function assigns to each of its arguments."""
    nodes = {node.name: node for node in function.node_def}
    arguments = {argument.name: index for index, argument in enumerate(function.signature.input_arg)}
    keys = {}
    for assign in (node for node in function.node_def if node.op == "AssignVariableOp"):
        source = assign.input[1]
        while nodes[source.split(":")[0]].op == "Identity":
            source = nodes[source.split(":")[0]].input[0]
        restore = nodes[source.split(":")[0]]
        names = tf.make_ndarray(nodes[restore.input[1].split(":")[0]].attr["value"].tensor)
        keys[arguments[assign.input[0]]] = names[int(source.split(":")[-1])].decode()
    return keys


def _value_digest(value: np.ndarray | bytes | float) -> str:
    array = np.asarray(value)
    content = repr(array.tolist()).encode() if array.dtype == object else np.ascontiguousarray(array).tobytes()
    return _digest_of(str(array.dtype), str(array.shape), hashlib.sha256(content).hexdigest())


def _read_assets(meta_graph: meta_graph_pb2.MetaGraphDef, folder: str) -> dict[str, str]:
    """Digest of each asset's name and content by the placeholder that is fed its path."""
    digests = {}
    for asset in meta_graph.asset_file_def:
        with fileio.open(f"{folder}/{asset.filename}", "rb") as file:
            content = hashlib.sha256(file.read()).hexdigest()
        digests[_node_and_port(asset.tensor_info.name)[0]] = _digest_of("asset", asset.filename, content)
    return digests


def _digest_of(*parts: str) -> str:
    """SHA-256 over texts, kept apart by their lengths."""
    return hashlib.sha256("".join(f"{len(part)}:{part}" for part in parts).encode()).hexdigest()
