"""The two files of a surface folder, made from a surface and the columns of its examples.

The shipped surfaces are written by hand; readers of real data make theirs with this.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import yaml
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from schema.base import TaskKind
from schema.loader import RAW, SERVING, TRAINING
from schema.surface import Feature, FeatureKind, Surface, soft_label
from worlds.records import Columns, ExampleColumn

# No sound teacher is surer than odds of e^50, and no regression target here is as large.
SOFT_LABEL_RANGE = (-50.0, 50.0)

# What the reference teacher takes for no id.
_PADDING = -1

_SCHEMA_TYPES = {"float_list": schema_pb2.FLOAT, "int64_list": schema_pb2.INT, "bytes_list": schema_pb2.BYTES}
_TEACHER_TYPES = {"float_list": "float", "int64_list": "int", "bytes_list": "string"}


def surface_text(content: Mapping[str, Any], comment: Iterable[str]) -> str:
    """``surface.yaml`` with `content`, opened by the lines of `comment`."""
    head = "".join(f"# {line}\n" for line in comment)
    return head + yaml.safe_dump(dict(content), sort_keys=False, allow_unicode=True, width=100)


def schema_text(content: Mapping[str, Any], splits: Mapping[str, Columns]) -> str:
    """``schema.pbtxt`` for examples with the columns of `splits`.

    Columns that are neither a feature of the surface nor a label are there to slice by:
    they exist in training and not when serving.  A column is required if every example of
    every split has it.

    Args:
      content: What ``surface.yaml`` says.
      splits: Columns by split name; all splits have the same columns.
    """
    surface = Surface.model_validate(content)
    message = schema_pb2.Schema(default_environment=[RAW, TRAINING, SERVING])
    labels = {task.label for task in surface.tasks.values()}
    flags = {task.label for task in surface.tasks.values() if task.kind is TaskKind.BINARY and not task.positive}
    for name, column in next(iter(splits.values())).items():
        required = all(columns[name].present is None for columns in splits.values())
        # A pair never shown has no label: what every example has may be absent from such a pair.
        feature = _add_column(message, name, column, required, shaped=not (surface.unlabelled and name in labels))
        if name not in surface.features:
            feature.not_in_environment.append(SERVING)
        if name in flags:
            feature.int_domain.min, feature.int_domain.max = 0, 1
    for task in surface.teacher_tasks:
        _add_soft_label(message, soft_label(task))
    return text_format.MessageToString(message)


def teacher_section(
    source: Mapping[str, Any], columns: Columns, tasks: Iterable[str], adaptation: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    """The ``teacher:`` section of a target whose teacher is trained on `source`.

    Args:
      source: What the source's ``surface.yaml`` says.
      columns: The source's examples.
      tasks: The source's tasks that the target wants labels of.
      adaptation: `from` or `default` of the inputs that the target has not under the name.
    """
    surface = Surface.model_validate(source)
    features = {
        name: {"dtype": _TEACHER_TYPES[columns[name].kind]}
        | _teacher_size(surface, feature)
        | dict(adaptation.get(name, {}))
        for name, feature in surface.features.items()
    }
    return {"tasks": {name: {"kind": surface.tasks[name].kind.value} for name in tasks}, "features": features}


def _teacher_size(surface: Surface, feature: Feature) -> dict[str, Any]:
    """How many values the reference teacher takes; lists of ids are padded."""
    if feature.listed:
        length = surface.sequence(feature.sequence).length if feature.sequence is not None else feature.length
        return {"size": length, "pad": _PADDING}
    return {"size": feature.size} if feature.kind is FeatureKind.NUMERIC and feature.size > 1 else {}


def _add_column(
    message: schema_pb2.Schema, name: str, column: ExampleColumn, required: bool, shaped: bool
) -> schema_pb2.Feature:
    feature = message.feature.add(name=name, type=_SCHEMA_TYPES[column.kind])
    feature.presence.min_count = 1
    if column.counts is not None:
        return feature  # a list: any number of values, none among them
    if required:
        feature.presence.min_fraction = 1.0
    if not (required and shaped):
        # Without a shape: Transform reads the column as sparse, where a value may be absent.
        feature.value_count.min = feature.value_count.max = column.size
        return feature
    feature.shape.SetInParent()
    if column.values.ndim > 1:
        feature.shape.dim.add(size=column.size)
    return feature


def _add_soft_label(message: schema_pb2.Schema, name: str) -> None:
    """A teacher logit: on every labelled example, finite, and absent from raw ones."""
    feature = message.feature.add(name=name, type=schema_pb2.FLOAT, not_in_environment=[RAW, SERVING])
    feature.presence.min_fraction = 1.0
    feature.presence.min_count = 1
    feature.value_count.min = feature.value_count.max = 1
    feature.float_domain.min, feature.float_domain.max = SOFT_LABEL_RANGE
    feature.float_domain.disallow_nan = feature.float_domain.disallow_inf = True
