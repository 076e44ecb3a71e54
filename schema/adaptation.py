"""Checks how the target's features become the teacher's, against the target's schema."""

from __future__ import annotations

from pathlib import Path

from tensorflow_metadata.proto.v0 import schema_pb2

from schema.checks import expect_known, nearest
from schema.errors import InputError
from schema.surface import Surface


def check_adaptation(surface: Surface, columns: dict[str, schema_pb2.Feature], path: Path) -> None:
    """Checks that every input of the teacher has a source or a default, of its size.

    Args:
      surface: The surface.
      columns: The features of its TFDV schema, by name.
      path: Its ``surface.yaml``, for the messages.

    Raises:
      InputError: An input has neither, or its default is of another size.
    """
    for name, feature in (surface.teacher.features if surface.teacher else {}).items():
        where = f"teacher.features.{name}"
        if feature.source is not None:
            expect_known(path, f"{where}.from", "a feature of the target", feature.source, columns)
        elif name not in columns and feature.default is None:
            raise InputError(
                f"{path}: {where}: the target has no such feature; give `from:` (the target's name for it) or "
                f"`default:` (what fills it){nearest(name, columns)}"
            )
        if isinstance(feature.default, tuple) and len(feature.default) != feature.size:
            raise InputError(
                f"{path}: {where}.default: expected {feature.size} values (size), found {len(feature.default)}"
            )
