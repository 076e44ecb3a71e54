"""Checks that histories can be made of a surface's examples, and served."""

from __future__ import annotations

from pathlib import Path

from tensorflow_metadata.proto.v0 import schema_pb2

from schema.checks import expect_known
from schema.errors import InputError
from schema.surface import Surface

_NUMBERS = (schema_pb2.FLOAT, schema_pb2.INT)


def check_histories(surface: Surface, columns: dict[str, schema_pb2.Feature], path: Path) -> None:
    """Checks the sections `histories` and `period` against the rest and the TFDV schema.

    Args:
      surface: The surface.
      columns: The features of its TFDV schema, by name.
      path: Its ``surface.yaml``, for the messages.

    Raises:
      InputError: There is no time to tell what is earlier, no such representation, or no embedding that is an id's own.
    """
    if surface.period is not None:
        column = surface.period.column
        expect_known(path, "period.column", "a feature of the schema", column, columns)
        if columns[column].type not in _NUMBERS:
            found = schema_pb2.FeatureType.Name(columns[column].type)
            raise InputError(f"{path}: period.column: expected FLOAT or INT, the schema has {found} for {column!r}")
    for name, history in surface.histories.items():
        expect_known(path, f"histories.{name}", "a categorical feature", name, _ids(surface))
        where, offered = f"histories.{name}.of", surface.teacher_representations
        if not offered:
            raise InputError(
                f"{path}: {where}: expected a layer of the teacher, {history.of!r}, under teacher.representations, "
                "found none there"
            )
        expect_known(path, where, "a name of teacher.representations", history.of, offered)
        _check_own_embedding(surface, name, path)


def _ids(surface: Surface) -> list[str]:
    """The features with one value in each example whose ids have rows of their own."""
    return [name for name, each in surface.features.items() if each.rows_are_values and not each.listed]


def _check_own_embedding(surface: Surface, name: str, path: Path) -> None:
    """What serves has the history in the embedding: who else reads that would read the history, too."""
    sharing = [other for other, each in surface.features.items() if each.embedding_of == name]
    if sharing:
        raise InputError(
            f"{path}: histories.{name}: expected an embedding of its own, found one that {', '.join(sharing)} reads "
            "too; leave out `embedding_of` there, or this history"
        )
    if name in surface.bias_features:
        raise InputError(f"{path}: histories.{name}: expected a feature that serves, found one of a task's `bias`")
