"""Finding a SavedModel, and reading what its file says without loading it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow.core.protobuf import meta_graph_pb2, saved_model_pb2
from tfx.dsl.io import fileio

from schema.errors import InputError

SAVED_MODEL_FILE = tf.saved_model.SAVED_MODEL_FILENAME_PB
# The folder of the SavedModel in a TFX Model artifact.
FORMAT_SERVING = "Format-Serving"
# Where TensorFlow keeps a model's initialization among its signatures.
INIT_SIGNATURE = "__saved_model_init_op"

# The name of a tensor's type, and its shape; None for a size, or a rank, that is open.
TensorType = tuple[str, tuple[int | None, ...] | None]


def files_of(folder: str) -> list[str]:
    """Paths of all files under `folder`, relative to it, sorted."""
    root = folder.rstrip("/")
    paths = ["/".join((str(place), str(name))) for place, _, names in fileio.walk(root) for name in names]
    return sorted(path.removeprefix(f"{root}/") for path in paths)


def size_of(path: str) -> int:
    """Size of a file in bytes."""
    with fileio.open(path, "rb") as file:
        file.seek(0, os.SEEK_END)
        return int(file.tell())


def is_saved_model(folder: str) -> bool:
    """Whether servers take a folder for a model: by the file without which it is none."""
    return bool(fileio.exists(f"{folder.rstrip('/')}/{SAVED_MODEL_FILE}"))


def find_saved_model(uri: str, what: str = "a TensorFlow SavedModel") -> str:
    """The folder under `uri` that holds saved_model.pb: `uri` itself or its ``Format-Serving``.

    Args:
      uri: A SavedModel, or a TFX Model artifact.
      what: What was expected, for the message.

    Raises:
      InputError: Neither holds one.
    """
    root = uri.rstrip("/")
    folders = [root, f"{root}/{FORMAT_SERVING}"]
    found = next(filter(is_saved_model, folders), None)
    if found is None:
        raise InputError(
            f"{uri}: expected {what}, found no {SAVED_MODEL_FILE} in {' nor in '.join(folders)}. Give the folder that "
            f"holds {SAVED_MODEL_FILE}."
        )
    return found


def read_meta_graphs(model_dir: str) -> Sequence[meta_graph_pb2.MetaGraphDef]:
    """All graphs of a SavedModel.

    Raises:
      InputError: There is no SavedModel, or its file is damaged.
    """
    path = f"{model_dir}/{SAVED_MODEL_FILE}"
    if not fileio.exists(path):
        raise InputError(f"{path}: expected a TensorFlow SavedModel, found no such file")
    with fileio.open(path, "rb") as file:
        content = file.read()
    try:
        return saved_model_pb2.SavedModel.FromString(content).meta_graphs
    except DecodeError as error:
        raise InputError(f"{path}: expected a TensorFlow SavedModel, found bytes that do not parse: {error}") from error


def serving_graph(model_dir: str) -> meta_graph_pb2.MetaGraphDef:
    """The graph that a server loads: the one with the tag `serve`.

    Raises:
      InputError: There is no SavedModel, it is damaged, or it has no such graph.
    """
    graphs = read_meta_graphs(model_dir)
    serving = [graph for graph in graphs if tf.saved_model.SERVING in graph.meta_info_def.tags]
    if not serving:
        tags = [sorted(graph.meta_info_def.tags) for graph in graphs]
        raise InputError(
            f"{model_dir}/{SAVED_MODEL_FILE}: expected a graph with the tag {tf.saved_model.SERVING!r}, found the tags "
            f"{tags}"
        )
    return serving[0]


def read_signatures(model_dir: str) -> dict[str, meta_graph_pb2.SignatureDef]:
    """All signatures of the SavedModel in `model_dir`, by name, with their inputs and outputs.

    Raises:
      InputError: It is no SavedModel that can be served.
    """
    return {
        name: signature for name, signature in serving_graph(model_dir).signature_def.items() if name != INIT_SIGNATURE
    }


def tensor_types(infos: Mapping[str, meta_graph_pb2.TensorInfo]) -> dict[str, TensorType]:
    """Types and shapes of a signature's inputs or outputs, by name."""
    found: dict[str, TensorType] = {}
    for name, info in infos.items():
        shape = tf.TensorShape(info.tensor_shape)
        found[name] = (tf.as_dtype(info.dtype).name, None if shape.rank is None else tuple(shape.as_list()))
    return found
