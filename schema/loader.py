"""Reads a surface folder (``surface.yaml`` and ``schema.pbtxt``) and checks it whole.

Every error names the file, the key, what was expected, what was found and, for a name
that matches nothing, the nearest one that exists.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from google.protobuf import text_format
from pydantic import ValidationError
from tensorflow_metadata.proto.v0 import schema_pb2

from schema.adaptation import check_adaptation, resolve_vocabularies
from schema.base import TaskKind
from schema.checks import Problems, expect_known
from schema.errors import InputError
from schema.gates import Gate
from schema.histories import check_histories
from schema.inputs import check_inputs, resolve_files
from schema.overrides import override
from schema.pairs import check_pairs
from schema.refusals import refusals
from schema.score import SCORE
from schema.slices import check_slices
from schema.split import SplitBy
from schema.surface import HISTORY_PREFIX, TRAINING_PREFIXES, Feature, FeatureKind, Surface, Task, soft_label
from schema.techniques import check_techniques
from schema.yaml_text import Keys, Place, read

SURFACE_FILE = "surface.yaml"
SCHEMA_FILE = "schema.pbtxt"
# Environments of the schema: examples as they arrive, with soft labels, and as served.
RAW = "RAW"
TRAINING = "TRAINING"
SERVING = "SERVING"

_TYPES = {
    FeatureKind.NUMERIC: (schema_pb2.FLOAT, schema_pb2.INT),
    FeatureKind.CATEGORICAL: (schema_pb2.INT, schema_pb2.BYTES),
}
# What may stand as the default of a column of each type.
_DEFAULTS: dict[int, type | tuple[type, ...]] = {
    schema_pb2.FLOAT: (int, float),
    schema_pb2.INT: int,
    schema_pb2.BYTES: str,
}


# Stages of a column in which Transform leaves it out.
_NOT_PARSED = (
    *(schema_pb2.DEPRECATED, schema_pb2.DISABLED, schema_pb2.PLANNED, schema_pb2.ALPHA),
    *(schema_pb2.DEBUG_ONLY, schema_pb2.VALIDATION_DERIVED),
)


@dataclass(frozen=True)
class SurfaceFolder:
    """A surface folder that was read and found consistent."""

    path: Path
    surface: Surface
    schema: schema_pb2.Schema

    @property
    def schema_path(self) -> Path:
        return self.path / SCHEMA_FILE


def load_surface(folder: str | Path, overrides: Sequence[str] = ()) -> SurfaceFolder:
    """Reads and checks the surface in `folder`.

    Args:
      folder: Holds ``surface.yaml`` and ``schema.pbtxt``.
      overrides: Changes to it, each `key.path=value`; see `schema.overrides`.

    Raises:
      InputError: A file is missing, is not what it should be, or contradicts the other; all that is
        wrong is said at once.
    """
    path = Path(folder)
    surface, places = _read_surface(path / SURFACE_FILE, overrides)
    schema = read_schema(path / SCHEMA_FILE)
    surface = surface.model_copy(update={"served_columns": _served(surface, schema)})
    problems = Problems()
    _check_references(surface, path / SURFACE_FILE, problems)
    if not problems.found:  # they rely on the names
        with problems.noted():
            check_techniques(surface, path / SURFACE_FILE)
    _check_against_schema(surface, schema, path, problems)
    check_slices(surface, schema, path / SURFACE_FILE, places, problems)
    with problems.noted():
        surface = resolve_files(resolve_vocabularies(surface, path), path)
    problems.raise_any()
    return SurfaceFolder(path, surface, schema)


def _served(surface: Surface, schema: schema_pb2.Schema) -> tuple[str, ...]:
    """The columns that code of one's own may read."""
    if surface.preprocessing is None:
        return ()
    return tuple(feature.name for feature in schema.feature if SERVING not in feature.not_in_environment)


def read_schema(path: Path) -> schema_pb2.Schema:
    """Reads a TFDV schema in text form.

    Raises:
      InputError: The file is missing or does not parse.
    """
    try:
        return text_format.Parse(_read_text(path), schema_pb2.Schema())
    except text_format.ParseError as error:
        raise InputError(
            f"{path}: expected a TFDV schema in text form (tensorflow.metadata.v0.Schema): {error}"
        ) from error


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(
            f"{path}: cannot be read ({error.strerror}). A surface folder holds {SURFACE_FILE} and {SCHEMA_FILE}."
        ) from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: expected text in UTF-8; found: {error}") from error


def _read_surface(path: Path, overrides: Sequence[str]) -> tuple[Surface, Mapping[Keys, Place]]:
    """The surface, and the places of its values; none where they were overridden."""
    content, places = read(_read_text(path), str(path))
    if not isinstance(content, dict):
        found = "nothing" if content is None else f"a {type(content).__name__}"
        raise InputError(f"{path}: expected keys with values, such as `name: my_surface`, found {found}")
    for each in overrides:
        override(content, each)
    places = {} if overrides else places
    try:
        return Surface.model_validate(content), places
    except ValidationError as error:
        raise InputError(*(f"{path}: {each}" for each in refusals(error, Surface, content, places))) from error


def _check_references(surface: Surface, path: Path, problems: Problems) -> None:
    """Names inside surface.yaml refer to each other; all of them must exist."""
    teacher_tasks = surface.teacher_tasks
    for name, distillation in surface.distillations().items():
        where = f"tasks.{name}.distil.from" if name in surface.tasks else f"non_serving_heads.{name}.from"
        with problems.noted():
            if surface.teacher is None:
                raise InputError(f"{path}: {where}: there is nothing to distil from, the `teacher:` section is absent")
            expect_known(path, where, "a task of teacher.tasks", distillation.teacher_task, teacher_tasks)
    for name in sorted(set(surface.tasks) & set(surface.non_serving_heads)):
        problems.found.append(f"{path}: non_serving_heads.{name}: a task has the same name; heads need different names")
    for output, gates in surface.gates.items():
        _check_gated_slices(surface, SCORE if output == SCORE else f"tasks.{output}", gates, path, problems)


def _check_gated_slices(surface: Surface, where: str, gates: Sequence[Gate], path: Path, problems: Problems) -> None:
    for index, gate in enumerate(gates):
        if gate.slice is not None:
            with problems.noted():
                expect_known(path, f"{where}.gates.{index}.slice", "a name of slices", gate.slice, surface.slices)


def _check_against_schema(surface: Surface, schema: schema_pb2.Schema, folder: Path, problems: Problems) -> None:
    """Every column that surface.yaml names must be in schema.pbtxt, with a fitting type."""
    path = folder / SURFACE_FILE
    columns = {feature.name: feature for feature in schema.feature}
    known = f"a feature of {folder / SCHEMA_FILE}"
    if surface.teacher is not None:
        with problems.noted():
            _check_environments(schema, folder / SCHEMA_FILE)
    for column in schema.feature if not schema.tensor_representation_group else ():
        with problems.noted():
            _check_shape_is_always_there(folder / SCHEMA_FILE, column)
    _check_features(surface, columns, path, known, problems)
    if not problems.found:  # they rely on the columns
        with problems.noted():
            check_inputs(surface, columns, path)
    _check_labels(surface, columns, folder, problems)
    with problems.noted():
        _check_representations(surface, columns, folder)
    for where, column in _columns_of_slices(surface):
        with problems.noted():
            expect_known(path, where, known, column, columns)
    with problems.noted():
        _check_columns_of_training(surface, columns, path, known)
    check_adaptation(surface, columns, path, problems)
    if not problems.found:  # they rely on the columns
        for check in (check_pairs, check_histories):
            with problems.noted():
                check(surface, columns, path)


def _check_labels(surface: Surface, columns: dict[str, schema_pb2.Feature], folder: Path, problems: Problems) -> None:
    """The columns of hard and soft labels, which only training has."""
    path, known = folder / SURFACE_FILE, f"a feature of {folder / SCHEMA_FILE}"
    for name, task in surface.tasks.items():
        with problems.noted():
            expect_known(path, f"tasks.{name}.label", known, task.label, columns)
            _check_label(path, f"tasks.{name}.label", task, columns[task.label])
            _expect_outside(folder, columns[task.label], SERVING, "a label does not exist when serving")
    for teacher_task, declared in surface.teacher_tasks.items():
        column = soft_label(teacher_task)
        with problems.noted():
            expect_known(path, f"teacher.tasks.{teacher_task}", known, column, columns)
            if declared.kind is TaskKind.MULTICLASS:
                _expect_vector(folder, columns[column], declared.size, f"teacher.tasks.{teacher_task} has classes")
            else:
                _expect_number(path, f"teacher.tasks.{teacher_task}", columns[column])
            _expect_outside(folder, columns[column], SERVING, "a soft label does not exist when serving")
            _expect_outside(folder, columns[column], RAW, "a soft label does not exist before labelling")


def _columns_of_slices(surface: Surface) -> Iterator[tuple[str, str]]:
    """Every column that a slice names, by the keys under which it stands."""
    for name, part in surface.slices.items():
        for key in ("features", "buckets", "most_frequent"):
            yield from ((f"slices.{name}.{key}", column) for column in getattr(part, key))


def _check_features(
    surface: Surface, columns: dict[str, schema_pb2.Feature], path: Path, known: str, problems: Problems
) -> None:
    for name, feature in surface.features.items():
        if surface.preprocessing is not None and name not in columns:
            continue  # made by the user's own code, which is looked at when a command starts
        with problems.noted():
            expect_known(path, f"features.{name}", known, name, columns)
            _check_feature_name(path, name)
            _check_feature_type(path, name, feature, columns[name])
            if name not in surface.bias_features:
                _expect_served(path, name, columns[name])
            _check_feature_shape(path, name, feature, columns[name])


def _check_representations(surface: Surface, columns: dict[str, schema_pb2.Feature], folder: Path) -> None:
    for name, representation in surface.teacher_representations.items():
        where, column = f"teacher.representations.{name}", soft_label(name)
        expect_known(folder / SURFACE_FILE, where, f"a feature of {folder / SCHEMA_FILE}", column, columns)
        found = columns[column]
        _expect_vector(folder, found, representation.size, f"{where}.size says")
        _expect_outside(folder, found, SERVING, "a representation of the teacher does not exist when serving")
        _expect_outside(folder, found, RAW, "a representation of the teacher does not exist before labelling")


def _check_columns_of_training(
    surface: Surface, columns: dict[str, schema_pb2.Feature], path: Path, known: str
) -> None:
    if surface.group is not None:
        expect_known(path, "group", known, surface.group, columns)
        if surface.training.batch_by == "group" and columns[surface.group].type == schema_pb2.FLOAT:
            raise InputError(f"{path}: group: expected INT or BYTES to batch by, the schema has FLOAT")
    _check_split(surface, columns, path, known)
    for name, task in surface.tasks.items():
        if task.sampled is not None and task.sampled.probability is not None:
            where = f"tasks.{name}.sampled.probability"
            expect_known(path, where, known, task.sampled.probability, columns)
            _expect_number(path, where, columns[task.sampled.probability])
    for where, column in _weight_columns(surface):
        expect_known(path, where, known, column, columns)
        _expect_number(path, where, columns[column])


def _weight_columns(surface: Surface) -> list[tuple[str, str]]:
    """The keys that name a column with weights of examples, and the columns."""
    found = {"weight_column": surface.weight_column}
    found |= {f"tasks.{name}.weight_column": task.weight_column for name, task in surface.tasks.items()}
    for name, distillation in surface.distillations().items():
        of = f"tasks.{name}.distil" if name in surface.tasks else f"non_serving_heads.{name}"
        found[f"{of}.weight_column"] = distillation.weight_column
    return [(where, column) for where, column in found.items() if column is not None]


def _check_split(surface: Surface, columns: dict[str, schema_pb2.Feature], path: Path, known: str) -> None:
    if surface.split is None:
        return
    try:
        whole = surface.split.within(surface.group)
    except ValueError as error:
        raise InputError(f"{path}: split: {error}") from error
    for key in ("column", "together"):
        column = getattr(whole, key)
        if column is not None:
            expect_known(path, f"split.{key}", known, column, columns)
    if whole.by is SplitBy.TIME:
        _expect_number(path, "split.column", columns[str(whole.column)])


def _check_environments(schema: schema_pb2.Schema, path: Path) -> None:
    """TFDV validates in the environments that the schema names, and fails on any other."""
    absent = [name for name in (RAW, TRAINING, SERVING) if name not in schema.default_environment]
    if absent:
        lines = " ".join(f'default_environment: "{name}"' for name in absent)
        raise InputError(
            f"{path}: expected the environments {RAW} (examples as they arrive), {TRAINING} (with soft labels) and "
            f"{SERVING}, found {', '.join(schema.default_environment) or 'none'}; add {lines}"
        )


def _check_shape_is_always_there(path: Path, column: schema_pb2.Feature) -> None:
    """Transform parses a column with a shape as one that every example has, and refuses any other after minutes."""
    left_out = column.deprecated or column.lifecycle_stage in _NOT_PARSED
    if left_out or not column.HasField("shape") or column.presence.min_fraction == 1:
        return
    found = f"min_fraction {column.presence.min_fraction:g}" if column.HasField("presence") else "no presence"
    raise InputError(
        f"{path}: feature {column.name!r}: a column with a `shape` is in every example; expected "
        f"`presence {{ min_fraction: 1 }}` beside it, found {found}. Where examples may lack it, write "
        "`value_count { min: 1 max: 1 }` in place of the shape (and a feature needs a `default:` then)."
    )


def _check_feature_name(path: Path, name: str) -> None:
    reserved = (*TRAINING_PREFIXES, HISTORY_PREFIX)
    if name.startswith(reserved):
        raise InputError(
            f"{path}: features.{name}: names that begin with {', '.join(reserved)} are those of labels and of "
            "what else training adds to the examples; rename the column"
        )


def _check_feature_type(path: Path, name: str, feature: Feature, column: schema_pb2.Feature) -> None:
    allowed = _TYPES[feature.kind]
    if column.type not in allowed:
        expected = " or ".join(schema_pb2.FeatureType.Name(kind) for kind in allowed)
        found = schema_pb2.FeatureType.Name(column.type)
        raise InputError(
            f"{path}: features.{name}.kind: {feature.kind} needs type {expected} in the schema, which has {found}"
        )
    if feature.default is not None and not isinstance(feature.default, _DEFAULTS[column.type]):
        found = schema_pb2.FeatureType.Name(column.type)
        raise InputError(
            f"{path}: features.{name}.default: expected {found} as in the schema, found {feature.default!r}"
        )


def _expect_served(path: Path, name: str, column: schema_pb2.Feature) -> None:
    if SERVING in column.not_in_environment:
        raise InputError(f"{path}: features.{name}: the schema says that it does not exist when serving ({SERVING})")


def _check_feature_shape(path: Path, name: str, feature: Feature, column: schema_pb2.Feature) -> None:
    """A column has a shape if every example has it; where it may be absent, a default fills it."""
    if feature.listed:
        return
    if not column.HasField("shape"):
        if feature.required:
            raise InputError(
                f"{path}: features.{name}: the schema gives it no `shape`, so it may be absent from an example; "
                "expected a `default:` here, or `shape {}` and `presence { min_fraction: 1 }` there; or `many: true` "
                "here, if it has any number of values"
            )
        return
    values = math.prod(dimension.size for dimension in column.shape.dim)
    if values != feature.size:
        raise InputError(f"{path}: features.{name}.size: found {feature.size}, the schema's shape has {values} values")


def _check_label(path: Path, where: str, task: Task, column: schema_pb2.Feature) -> None:
    """Classes stand in a column as they are declared: as names, or as integers."""
    if task.rule is None or not task.rule.of_text:
        _expect_number(path, where, column)
    elif column.type != schema_pb2.BYTES:
        found = schema_pb2.FeatureType.Name(column.type)
        raise InputError(
            f"{path}: {where}: the task's classes are names; expected BYTES, the schema has {found} for {column.name!r}"
        )


def _expect_vector(folder: Path, column: schema_pb2.Feature, size: int, why: str) -> None:
    values = math.prod(dimension.size for dimension in column.shape.dim)
    if column.type != schema_pb2.FLOAT or not column.HasField("shape") or values != size:
        raise InputError(
            f"{folder / SCHEMA_FILE}: feature {column.name!r}: expected FLOAT with "
            f"`shape {{ dim {{ size: {size} }} }}`, as {why}"
        )


def _expect_number(path: Path, where: str, column: schema_pb2.Feature) -> None:
    if column.type not in (schema_pb2.FLOAT, schema_pb2.INT):
        found = schema_pb2.FeatureType.Name(column.type)
        raise InputError(f"{path}: {where}: expected FLOAT or INT, the schema has {found} for {column.name!r}")


def _expect_outside(folder: Path, column: schema_pb2.Feature, environment: str, why: str) -> None:
    if environment not in column.not_in_environment:
        raise InputError(
            f'{folder / SCHEMA_FILE}: feature {column.name!r}: {why}; add `not_in_environment: "{environment}"`'
        )
