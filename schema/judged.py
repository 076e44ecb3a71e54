"""Which columns are judged when: raw ones as they arrive, and after labelling what labelling added."""

from __future__ import annotations

from tensorflow_metadata.proto.v0 import schema_pb2

from schema.surface import SOFT_LABEL_PREFIX


def soft_labels_alone(schema: schema_pb2.Schema) -> schema_pb2.Schema:
    """The schema without any other column than soft labels."""
    return _with(schema, [each for each in schema.feature if each.name.startswith(SOFT_LABEL_PREFIX)])


def judged_after_labelling(schema: schema_pb2.Schema) -> schema_pb2.Schema:
    """The schema of soft labels, and of the columns whose drift from the span before is bounded."""
    soft_labels = soft_labels_alone(schema).feature
    drifting = [each for each in schema.feature if each.HasField("drift_comparator")]
    return _with(schema, [*soft_labels, *(each for each in drifting if not each.name.startswith(SOFT_LABEL_PREFIX))])


def _with(schema: schema_pb2.Schema, features: list[schema_pb2.Feature]) -> schema_pb2.Schema:
    reduced = schema_pb2.Schema()
    reduced.CopyFrom(schema)
    del reduced.feature[:]
    reduced.feature.extend(features)
    return reduced
