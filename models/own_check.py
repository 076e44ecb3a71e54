"""What is looked at of the user's own code before a run begins, on made-up sizes of embeddings."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import tensorflow as tf
import tensorflow_transform as tft
from tensorflow_metadata.proto.v0 import schema_pb2
from tensorflow_transform.tf_metadata import schema_utils

from models import own_code
from models.columns import input_columns
from models.export import SIGNATURE, export_teacher
from models.preprocessing import preprocessing_fn
from models.ranker import Ranker, build
from models.scales import LabelStatistics
from schema.errors import InputError
from schema.surface import Surface

_ROWS = 4
_EXAMPLES = 3


def check(surface: Surface, schema: schema_pb2.Schema) -> None:
    """Calls what a run will call, with tensors of the shapes that it will have.

    Args:
      surface: The surface.
      schema: The TFDV schema of its examples.

    Raises:
      InputError: Something is not to be found, fails, returns another thing than expected,
        cannot be saved for serving, or starts student and control from different weights.
    """
    for name, each in surface.distillations().items():
        if each.function is not None:
            _check_loss(name, each.function)
    if surface.preprocessing is not None:
        _check_preprocessing(surface, schema)
    path = surface.student.build if surface.student is not None else surface.trunk
    if path is not None:
        _check_model(surface, path, "trunk" if surface.student is None else "student")


def _check_loss(name: str, path: str) -> None:
    where = f"loss of {name!r}"
    found = own_code.call(path, where, tf.constant([0.0, 1.0, -1.0]), tf.constant([0.5, 0.0, 2.0]))
    if not isinstance(found, tf.Tensor) or found.shape != (_EXAMPLES,) or not np.isfinite(found).all():
        raise own_code.refused(path, where, f"expected a finite loss of each example, float [batch], found {found}")


def _check_preprocessing(surface: Surface, schema: schema_pb2.Schema) -> None:
    spec = schema_utils.schema_as_feature_spec(schema).feature_spec
    specs = {name: _tensor_spec(each) for name, each in spec.items()}
    config = {"surface": surface.model_dump_json(by_alias=True)}
    tft.get_analyze_input_columns(lambda columns: preprocessing_fn(dict(columns), config), specs)


def _tensor_spec(spec: object) -> tf.TypeSpec:
    if isinstance(spec, tf.io.FixedLenFeature):
        return tf.TensorSpec([None, *spec.shape], spec.dtype)
    if isinstance(spec, tf.io.VarLenFeature):
        return tf.SparseTensorSpec([None, None], spec.dtype)
    raise InputError(f"expected columns that are dense or sparse in the schema, found {spec}")


def _check_model(surface: Surface, path: str, where: str) -> None:
    statistics = dict.fromkeys(surface.tasks, LabelStatistics(0.5, 0.5))
    student, control = (build(surface, made_up_rows(surface), statistics, distil=distil) for distil in (True, False))
    _check_starts(path, where, student, control)
    serving = student.serving
    columns = {
        name: tf.TensorSpec([None, *each.shape], each.dtype, name=f"column_{number}")
        for number, (name, each) in enumerate(input_columns(surface).items())
    }
    with tempfile.TemporaryDirectory() as folder:
        try:
            export_teacher(serving, {SIGNATURE: (lambda given: serving(given), [columns])}, str(Path(folder) / "model"))
        except Exception as error:
            problem = f"the model cannot be saved for serving: {type(error).__name__}: {error}"
            raise own_code.refused(path, where, problem) from error


def _check_starts(path: str, where: str, student: Ranker, control: Ranker) -> None:
    ours, theirs = ([each.numpy() for each in ranker.serving.weights] for ranker in (student, control))
    names = [each.path for each in student.serving.weights]
    for name, one, other in zip(names, ours, theirs, strict=False):
        if one.shape != other.shape or not np.array_equal(one, other):
            raise own_code.refused(
                path,
                where,
                f"student and control start from different weights ({name}); expected the same layers in the same "
                "order, with initializers of Keras, at every call",
            )


def made_up_rows(surface: Surface) -> Mapping[str, int]:
    """Rows of each embedding, before there is data to count values in."""
    found = {
        name: feature.hash or (feature.identity or _ROWS) + feature.oov
        for name, feature in surface.features.items()
        if feature.embedded and surface.owner(name) == name
    }
    return found | {name: cross.hash for name, cross in surface.crosses.items()}
