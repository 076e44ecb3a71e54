"""Checks how the target's features become the teacher's, against the target's schema."""

from __future__ import annotations

from pathlib import Path

from tensorflow_metadata.proto.v0 import schema_pb2

from schema.base import Scalar
from schema.checks import Problems, nearest
from schema.errors import InputError
from schema.surface import Surface
from schema.teacher_feature import TeacherFeature

_REMOTE = "://"
_TYPES: dict[str, type | tuple[type, ...]] = {"float": (int, float), "int": int, "string": str}


def check_adaptation(surface: Surface, columns: dict[str, schema_pb2.Feature], path: Path, problems: Problems) -> None:
    """Checks that every input of the teacher has a source or a default, of its size.

    Args:
      surface: The surface.
      columns: The features of its TFDV schema, by name.
      path: Its ``surface.yaml``, for the messages.
      problems: Takes what is wrong: an input has neither, or its default is of another size or type.
    """
    for name, feature in surface.teacher_features.items():
        with problems.noted():
            _check_input(f"{path}: teacher.features.{name}", name, feature, columns)


def _check_input(where: str, name: str, feature: TeacherFeature, columns: dict[str, schema_pb2.Feature]) -> None:
    if feature.source is not None and feature.source not in columns:
        raise InputError(
            f"{where}.from: expected a feature of the target, found {feature.source!r}"
            f"{nearest(feature.source, columns)}"
        )
    if feature.source is None and name not in columns and feature.default is None and feature.reads:
        raise InputError(
            f"{where}: the target has no such feature; give `from:` (the target's name for it) or "
            f"`default:` (what fills it){nearest(name, columns)}"
        )
    for key, values in (("default", feature.default), ("constant", feature.constant)):
        if isinstance(values, tuple) and len(values) != feature.size:
            raise InputError(f"{where}.{key}: expected {feature.size} values (size), found {len(values)}")
    for key in ("default", "constant", "pad"):
        _check_type(f"{where}.{key}", getattr(feature, key), feature)


def _check_type(where: str, given: Scalar | tuple[Scalar, ...] | None, feature: TeacherFeature) -> None:
    values = given if isinstance(given, tuple) else () if given is None else (given,)
    for value in values:
        if not isinstance(value, _TYPES[feature.dtype]):
            hint = f'; put it in quotes: "{value}"' if feature.dtype == "string" else ""
            raise InputError(f"{where}: expected a value of dtype {feature.dtype}, found {value!r}{hint}")


def resolve_vocabularies(surface: Surface, folder: Path) -> Surface:
    """`surface` with absolute paths of vocabularies, which are given relative to its folder.

    Raises:
      InputError: There is no such file.
    """
    if surface.teacher is None:
        return surface
    features = {
        name: feature.model_copy(update={"vocabulary": _resolve(feature.vocabulary, name, folder)})
        for name, feature in surface.teacher.features.items()
    }
    return surface.model_copy(update={"teacher": surface.teacher.model_copy(update={"features": features})})


def _resolve(vocabulary: str | None, name: str, folder: Path) -> str | None:
    if vocabulary is None or _REMOTE in vocabulary:  # the labeller reads any file system that TFX reads
        return vocabulary
    path = (folder / vocabulary).resolve()
    if not path.is_file():
        raise InputError(
            f"{folder / 'surface.yaml'}: teacher.features.{name}.vocabulary: expected a file relative to the surface "
            f"folder, found none at {path}"
        )
    return str(path)
