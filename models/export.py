"""Exports a student for serving: the serving heads alone, and what they need of Transform.

Keras 3's `ExportArchive` is used rather than `tf.saved_model.save`: a SavedModel of a
`tf.Module` around a Keras 3 model does not load in a TF1-style session, which is how the
C++ loader of servers and TFX's BulkInferrer read models.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import keras
import tensorflow as tf
import tensorflow_transform as tft
from tensorflow_transform.saved import saved_transform_io_v2

from models.columns import serving_columns
from models.precision import in_full
from models.ranker import Ranker
from records.parsed_columns import ParsedColumn
from records.served import ServingSignature
from records.sessions import TENSORS_SIGNATURE
from schema.base import TaskKind
from schema.score import SCORE
from schema.surface import Surface, Task

SIGNATURE = "serving_default"
EXAMPLES_INPUT = "examples"

# By the signature's name: the function, and the specifications of its arguments.
Endpoints = dict[str, tuple[Callable[..., dict[str, tf.Tensor]], list[Any]]]

# What stands behind `schema.score.FUNCTIONS` in a graph.
_FUNCTIONS = {
    "exp": tf.math.exp,
    "log": tf.math.log,
    "log1p": tf.math.log1p,
    "sqrt": tf.math.sqrt,
    "abs": tf.math.abs,
    "sigmoid": tf.math.sigmoid,
    "min": tf.math.minimum,
    "max": tf.math.maximum,
}
_TABLES = ("created_variables", "resources", "trackable_objects", "initializers", "assets")


def export_student(ranker: Ranker, surface: Surface, transform_dir: str, out: str) -> None:
    """Writes the serving model as a SavedModel.

    The signature `serving_default` takes `examples`, string [batch]: serialized
    tf.Examples with the surface's features as a server has them, without labels.  It
    returns per task float32 [batch]: a probability, or a value in the label's unit; of a multiclass
    task [batch, classes], a probability for each class in the surface's order; and the surface's
    score, if it has one.

    The signature `tensors` returns the same of the features by name, [batch], or [batch,
    size] of a vector, in the columns' own types: of large batches parsing takes more time
    than the network.  Every feature must be given, in place of an absent one its default.
    A surface with a feature whose name is no identifier, with lists, or with preprocessing of
    the user's own has no such signature.

    Args:
      ranker: The trained student (or control); with histories, one that is settled (`models.histories`).
      surface: Its surface.
      transform_dir: Transform's output (the `transform_graph` artifact).
      out: Where the SavedModel goes.
    """
    transform = saved_transform_io_v2.SavedModelLoader(tft.TFTransformOutput(transform_dir).transform_savedmodel_dir)
    raw_spec = tft.TFTransformOutput(transform_dir).raw_feature_spec()
    spec = {name: raw_spec[name] for name in surface.raw_columns}
    read = serving_columns(surface)

    def answer(columns: dict[str, Any]) -> dict[str, tf.Tensor]:
        transformed = transform.apply_transform_model(columns)
        with in_full(ranker.serving):
            return with_score(surface, ranker.serving({name: transformed[name] for name in read}))

    def serve(examples: tf.Tensor) -> dict[str, tf.Tensor]:
        return answer(tf.io.parse_example(examples, spec))

    def serve_tensors(features: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        return answer({name: _as_parsed(tensor, spec[name]) for name, tensor in features.items()})

    endpoints: Endpoints = {SIGNATURE: (serve, [tf.TensorSpec([None], tf.string, name=EXAMPLES_INPUT)])}
    if _is_of_tensors(surface):
        endpoints[TENSORS_SIGNATURE] = (serve_tensors, [_tensor_specs(surface, spec)])
    _write(ranker.serving, _tables_of(transform), endpoints, out)


def promised_signature(surface: Surface, raw_spec: Mapping[str, Any]) -> ServingSignature:
    """What clients will see of a student's `serving_default`, before one is trained.

    Args:
      surface: The surface.
      raw_spec: Parsing specifications of the columns of its schema, by name.
    """
    of_tasks = {name: task.kind for name, task in surface.tasks.items()}
    kinds = {name: of_tasks.get(name, TaskKind.REGRESSION) for name in surface.outputs}
    columns = {name: _as_column(raw_spec[name]) for name in surface.raw_columns}
    shapes = {name: (None,) if name not in surface.tasks else _shape(surface.tasks[name]) for name in kinds}
    return ServingSignature({name: (tf.float32.name, shape) for name, shape in shapes.items()}, columns, kinds)


def _shape(task: Task) -> tuple[int | None, ...]:
    return (None, task.size) if task.kind is TaskKind.MULTICLASS else (None,)


def _as_column(column: Any) -> ParsedColumn:
    """A column as the exported graph will say it."""
    if isinstance(column, tf.io.FixedLenFeature):
        return ParsedColumn(column.dtype.name, column.default_value is None, tuple(column.shape))
    return ParsedColumn(column.dtype.name)


def _is_of_tensors(surface: Surface) -> bool:
    """Whether what serves can be given as one tensor for each column, and by its name."""
    if surface.preprocessing is not None or any(each.listed for each in surface.features.values()):
        return False
    # TensorFlow would give an input another name, and two perhaps the same one.
    return all(name.isidentifier() and name.isascii() for name in surface.raw_columns)


def _tensor_specs(surface: Surface, spec: Mapping[str, Any]) -> dict[str, tf.TensorSpec]:
    sizes = {name: surface.features[name].size for name in surface.raw_columns}
    return {
        name: tf.TensorSpec([None] if size == 1 else [None, size], spec[name].dtype, name=name)
        for name, size in sizes.items()
    }


def _as_parsed(tensor: tf.Tensor, column: Any) -> Any:
    """A ready tensor as parsing would have given it, of a column whose values are all there."""
    if isinstance(column, tf.io.FixedLenFeature):
        return tf.reshape(tensor, [-1, *column.shape])
    values = tensor if tensor.shape.rank == 2 else tensor[:, None]
    everywhere = tf.where(tf.ones(tf.shape(values), tf.bool))
    return tf.SparseTensor(everywhere, tf.reshape(values, [-1]), tf.shape(values, tf.int64))


def with_score(surface: Surface, served: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    """What is served by task, and the surface's score of it."""
    if surface.score is None:
        return served
    value = surface.score.expression().value({**served, **surface.score.constants}, _FUNCTIONS)
    return {**served, SCORE: tf.identity(value, name=SCORE)}


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


class _Holder(tf.Module):
    """Lets the archive find a model's lookup tables, and leaves its variables to us.

    Where it tracks a layer, it lists Keras's wrappers of the variables beside the variables that signatures use:
    each is written twice, and whoever loads the model holds both (Keras issue 23553).
    """

    def __init__(self, model: keras.Model):
        super().__init__()
        self.model = model


def _write(
    model: keras.Model,
    tables: tf.Module | None,
    endpoints: Endpoints,
    out: str,
) -> None:
    archive = keras.export.ExportArchive()
    archive.track(_Holder(model))
    archive.add_variable_collection("variables", [each.value for each in model.variables])
    if tables is not None:
        archive.track(tables)
    for name, (function, signature) in endpoints.items():
        archive.add_endpoint(name, function, input_signature=signature)
    archive.write_out(out, verbose=False)
