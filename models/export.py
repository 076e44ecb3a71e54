"""Exports a student for serving: the serving heads alone, and what they need of Transform.

Keras 3's `ExportArchive` is used rather than `tf.saved_model.save`: a SavedModel of a
`tf.Module` around a Keras 3 model does not load in a TF1-style session, which is how the
C++ loader of servers and TFX's BulkInferrer read models.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf
import tensorflow_transform as tft
from tensorflow_transform.saved import saved_transform_io_v2

from models.columns import serving_columns
from models.ranker import Ranker
from schema.surface import Surface

SIGNATURE = "serving_default"
EXAMPLES_INPUT = "examples"

# By the signature's name: the function, and the specifications of its arguments.
Endpoints = dict[str, tuple[Callable[..., dict[str, tf.Tensor]], list[Any]]]

_TABLES = ("created_variables", "resources", "trackable_objects", "initializers", "assets")


def export_student(ranker: Ranker, surface: Surface, transform_dir: str, out: str) -> None:
    """Writes the serving model as a SavedModel.

    The signature `serving_default` takes `examples`, string [batch]: serialized
    tf.Examples with the surface's features as a server has them, without labels.  It
    returns per task float32 [batch]: a probability, or a value in the label's unit.

    Args:
      ranker: The trained student (or control).
      surface: Its surface.
      transform_dir: Transform's output (the `transform_graph` artifact).
      out: Where the SavedModel goes.
    """
    transform = saved_transform_io_v2.SavedModelLoader(tft.TFTransformOutput(transform_dir).transform_savedmodel_dir)
    raw_spec = tft.TFTransformOutput(transform_dir).raw_feature_spec()
    spec = {name: raw_spec[name] for name in surface.raw_columns}
    read = serving_columns(surface)

    def serve(examples: tf.Tensor) -> dict[str, tf.Tensor]:
        transformed = transform.apply_transform_model(tf.io.parse_example(examples, spec))
        return ranker.serving({name: transformed[name] for name in read})

    signature = [tf.TensorSpec([None], tf.string, name=EXAMPLES_INPUT)]
    _write(ranker.serving, _tables_of(transform), {SIGNATURE: (serve, signature)}, out)


def export_teacher(
    model: keras.Model,
    endpoints: Endpoints,
    out: str,
) -> None:
    """Writes a model whose signatures need nothing of Transform; see `models.teacher`."""
    _write(model, None, endpoints, out)


def _tables_of(transform: saved_transform_io_v2.SavedModelLoader) -> tf.Module:
    """The lookup tables and vocabulary files of Transform's graph, without the graph.

    Tracking the loader itself, as TFTransformOutput's layer does, would write the whole
    transform function, labels and soft labels included, into the served model.
    """
    tables = tf.Module()
    loaded = transform._imported
    for name in _TABLES:
        setattr(tables, name, getattr(loaded, name))
    return tables


def _write(
    model: keras.Model,
    tables: tf.Module | None,
    endpoints: Endpoints,
    out: str,
) -> None:
    archive = keras.export.ExportArchive()
    archive.track(model)
    if tables is not None:
        archive.track(tables)
    for name, (function, signature) in endpoints.items():
        archive.add_endpoint(name, function, input_signature=signature)
    archive.write_out(out, verbose=False)
