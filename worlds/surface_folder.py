"""The two files of a surface folder, made from a `Surface` and the columns of its examples.

The shipped surfaces are written by hand; readers of real data make theirs with this.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import yaml
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from schema.loader import SERVING, TRAINING
from schema.surface import Surface, TaskKind, soft_label
from worlds.records import Column, Columns

# The environment of examples before they are labelled: they have no soft labels yet.
RAW = "RAW"
# No sound teacher is surer than odds of e^50, and no regression target here is as large.
SOFT_LABEL_RANGE = (-50.0, 50.0)

_TYPES = {"float_list": schema_pb2.FLOAT, "int64_list": schema_pb2.INT, "bytes_list": schema_pb2.BYTES}
_UNGATED = "the reference teacher is trained here and never pushed by the pipeline"


def surface_text(surface: Surface, comment: Iterable[str]) -> str:
    """``surface.yaml`` for `surface`, opened by the lines of `comment`.

    Keys that have their default value are left out.
    """
    content = surface.model_dump(mode="json", by_alias=True, exclude_unset=True)
    head = "".join(f"# {line}\n" for line in comment)
    return head + yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=100)


def schema_text(surface: Surface, splits: Mapping[str, Columns]) -> str:
    """``schema.pbtxt`` for examples with the columns of `splits`.

    Columns that are neither a feature of the surface nor a label are there to slice by:
    they exist in training and not when serving.  A column is required if every example of
    every split has it.
    """
    message = schema_pb2.Schema(default_environment=[TRAINING, SERVING, RAW])
    labels = {task.label: task.kind for task in surface.tasks.values()}
    first = next(iter(splits.values()))
    for name, column in first.items():
        required = all(columns[name].present is None for columns in splits.values())
        feature = _column(message, name, column, required)
        if name not in surface.features:
            feature.not_in_environment.append(SERVING)
        if labels.get(name) is TaskKind.BINARY and column.kind == "int64_list":
            feature.int_domain.min, feature.int_domain.max = 0, 1
    for task in surface.teacher.tasks if surface.teacher else ():
        _soft_label(message, soft_label(task))
    return text_format.MessageToString(message)


def _column(message: schema_pb2.Schema, name: str, column: Column, required: bool) -> schema_pb2.Feature:
    feature = message.feature.add(name=name, type=_TYPES[column.kind])
    feature.presence.min_count = 1
    if not required:
        # Without a shape: Transform reads the column as sparse, where a value may be absent.
        feature.value_count.min = feature.value_count.max = column.size
        return feature
    feature.presence.min_fraction = 1.0
    feature.shape.SetInParent()
    if column.values.ndim > 1:
        feature.shape.dim.add(size=column.size)
    return feature


def _soft_label(message: schema_pb2.Schema, name: str) -> None:
    """A teacher logit: on every labelled example, finite, and absent from raw ones."""
    feature = message.feature.add(name=name, type=schema_pb2.FLOAT, not_in_environment=[SERVING, RAW])
    feature.presence.min_fraction = 1.0
    feature.presence.min_count = 1
    feature.value_count.min = feature.value_count.max = 1
    feature.float_domain.min, feature.float_domain.max = SOFT_LABEL_RANGE
    feature.float_domain.disallow_nan = feature.float_domain.disallow_inf = True
