"""Checks that the values of slices are such as the columns of the examples have."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tensorflow_metadata.proto.v0 import schema_pb2

from schema.base import Scalar
from schema.checks import Problems
from schema.surface import Surface
from schema.yaml_text import Keys, Place, place_of

_TYPES: dict[int, tuple[str, type | tuple[type, ...]]] = {
    schema_pb2.BYTES: ("text", str),
    schema_pb2.INT: ("a whole number", int),
    schema_pb2.FLOAT: ("a number", (int, float)),
}


def check_slices(
    surface: Surface, schema: schema_pb2.Schema, path: Path, places: Mapping[Keys, Place], problems: Problems
) -> None:
    """Checks the values of all slices, and of what is a new release, against the types of their columns.

    TFMA would compare a value of another type with no example, and a gate on that slice
    would never be judged.

    Args:
      surface: The surface.
      schema: The schema.
      path: The surface's file, for messages.
      places: Where its values stand.
      problems: Takes what is wrong: a value is of another type than its column.
    """
    types = {column.name: column.type for column in schema.feature}
    _check_buckets(surface, types, path, problems)
    values: dict[Keys, tuple[str, Scalar | None]] = {
        ("slices", name, "features", column): (column, value)
        for name, part in surface.slices.items()
        for column, value in part.features.items()
    }
    if surface.unlabelled and surface.unlabelled.new_release:
        release = surface.unlabelled.new_release
        values["unlabelled", "new_release", "value"] = (release.column, release.value)
    for keys, (column, value) in values.items():
        expected, accepted = _TYPES.get(types.get(column, 0), ("", object))
        if value is not None and not isinstance(value, accepted):
            place = place_of(places, keys)
            problems.found.append(
                f"{path}: {'.'.join(map(str, keys))}: expected {expected}, since the schema has "
                f"{schema_pb2.FeatureType.Name(types[column])} for {column!r}; {_found(value, place)}"
            )


def _check_buckets(surface: Surface, types: Mapping[str, int], path: Path, problems: Problems) -> None:
    """Buckets are of numbers, and of one column the same in all slices: their names are."""
    edges: dict[str, tuple[float, ...]] = {}
    for name, part in surface.slices.items():
        for column, found in part.buckets.items():
            where = f"{path}: slices.{name}.buckets.{column}"
            if types.get(column) == schema_pb2.BYTES:
                problems.found.append(f"{where}: expected numbers, the schema has BYTES; use `most_frequent`")
            if edges.setdefault(column, found) != found:
                problems.found.append(f"{where}: another slice cuts this column elsewhere; expected the same buckets")


def _found(value: Scalar, place: Place | None) -> str:
    """What stands there and how to write it; YAML reads 007 as 7 and 1.10 as 1.1."""
    at = f" ({place})" if place else ""
    if isinstance(value, str):
        return f"found the text {value!r}. Write it without quotes if it is a number{at}"
    written = place.text if place and place.text else str(value)
    read = "" if written == str(value) else f", which YAML reads as {value}"
    return f'found the number {written}{read}. Put it in quotes: "{written}"{at}'
