"""Checks of features, sequences and crosses against each other, the TFDV schema, and the files that they name."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path

from tensorflow_metadata.proto.v0 import schema_pb2

from schema.checks import expect_known
from schema.errors import InputError
from schema.features import Feature, FeatureKind, LookupFile, Read
from schema.surface import ABSENT_PREFIX, POOL_PREFIX, Surface
from schema.training import Interaction

_REMOTE = "://"
_SEPARATOR = "\t"


def check_inputs(surface: Surface, columns: Mapping[str, schema_pb2.Feature], path: Path) -> None:
    """Checks what features say of each other, and the sections `sequences` and `crosses`.

    Args:
      surface: The surface, each of whose features is a column of the schema.
      columns: The features of its TFDV schema, by name.
      path: Its ``surface.yaml``, for the messages.

    Raises:
      InputError: A name does not exist, or what it names cannot be read so.
    """
    for name, feature in surface.features.items():
        for prefix in (POOL_PREFIX, ABSENT_PREFIX):
            if name.removeprefix(prefix) in surface.features and name.startswith(prefix):
                raise InputError(f"{path}: features.{name}: Transform gives this name to another column; rename it")
        if feature.embedding_of is not None:
            _check_shared(surface, name, feature.embedding_of, columns, path)
        if feature.identity is not None and name in columns and columns[name].type != schema_pb2.INT:
            raise InputError(f"{path}: features.{name}.identity: expected INT in the schema, which has rows' numbers")
        if feature.weights is not None:
            _check_weights(surface, name, feature.weights, columns, path)
    _check_sequences(surface, path)
    _check_crosses(surface, columns, path)
    _check_bias(surface, path)
    _check_interactions(surface, path)


def _check_bias(surface: Surface, path: Path) -> None:
    """Bias features are read by bias towers and by nothing else."""
    single = [name for name, feature in surface.features.items() if not feature.listed and not feature.embedding_of]
    for task, declared in surface.tasks.items():
        for name in declared.bias:
            expect_known(path, f"tasks.{task}.bias", "a feature with one value and no shared embedding", name, single)
    read = {each for cross in surface.crosses.values() for each in cross.of}
    read |= {each for sequence in surface.parts() for each in candidates(surface, sequence)}
    read |= {feature.embedding_of or "" for feature in surface.features.values()}
    both = sorted(read & set(surface.bias_features))
    if both:
        raise InputError(
            f"{path}: {both[0]!r} is a bias feature of a task, which does not exist when serving, and a cross, a "
            "sequence or a shared embedding reads it; expected one or the other"
        )
    if not set(surface.features) - set(surface.bias_features):
        raise InputError(f"{path}: features: all of them are bias features; expected one that serving reads")


def _check_interactions(surface: Surface, path: Path) -> None:
    """Products are of embeddings, of which there must be two."""
    single = [name for name, feature in surface.features.items() if feature.embedded and feature.sequence is None]
    embedded = [*(name for name in single if name not in surface.bias_features), *surface.crosses, *surface.parts()]
    asked = [each for each in surface.model.interactions if each is not Interaction.CROSS]
    if asked and len(embedded) < 2:
        raise InputError(
            f"{path}: model.interactions: {asked[0]} multiplies embeddings; expected two embedded features or more, "
            f"found {', '.join(embedded) or 'none'}"
        )


def _check_shared(
    surface: Surface, name: str, owner: str, columns: Mapping[str, schema_pb2.Feature], path: Path
) -> None:
    where = f"features.{name}.embedding_of"
    owners = [
        each
        for each, feature in surface.features.items()
        if feature.kind is FeatureKind.CATEGORICAL and feature.embedding_of is None and each != name
    ]
    expect_known(path, where, "a categorical feature with an embedding of its own", owner, owners)
    if {owner, name} <= set(columns) and columns[owner].type != columns[name].type:
        of_owner, found = (schema_pb2.FeatureType.Name(columns[each].type) for each in (owner, name))
        raise InputError(f"{path}: {where}: expected {of_owner} in the schema, as {owner!r} has, found {found}")


def _check_weights(
    surface: Surface, name: str, weights: str, columns: Mapping[str, schema_pb2.Feature], path: Path
) -> None:
    where = f"features.{name}.weights"
    if surface.preprocessing is not None and weights not in columns:
        return
    expect_known(path, where, "a column of the schema", weights, columns)
    if weights in surface.features:
        raise InputError(f"{path}: {where}: {weights!r} is a feature too; expected a column that only weighs")
    if columns[weights].type == schema_pb2.BYTES:
        raise InputError(f"{path}: {where}: expected FLOAT or INT, the schema has BYTES for {weights!r}")


def _check_sequences(surface: Surface, path: Path) -> None:
    parts = surface.parts()
    single = [name for name, feature in surface.features.items() if feature.embedded and not feature.listed]
    for name, sequence in surface.sequences.items():
        expect_known(path, f"sequences.{name}", "the `sequence:` of a feature", name, parts)
        for each in sequence.candidate:
            expect_known(path, f"sequences.{name}.candidate", "an embedded feature with one value", each, single)
    for name, columns in parts.items():
        if not any(surface.features[each].kind is FeatureKind.CATEGORICAL for each in columns):
            raise InputError(
                f"{path}: sequences.{name}: the first categorical column of a sequence says how many events there are; "
                f"expected one, such as the items, found {', '.join(columns)} alone"
            )
        sides = {surface.features[each].side for each in columns}
        if len(sides) > 1:
            found = ", ".join(sorted(sides))
            raise InputError(f"{path}: sequences.{name}: expected one side for all of its columns, found {found}")
        if surface.sequence(name).read is Read.ATTENTION and not candidates(surface, name):
            raise InputError(
                f"{path}: sequences.{name}: attention compares events with the candidate; expected `candidate: "
                "[feature]`, or a column with `embedding_of:` a feature with one value"
            )


def candidates(surface: Surface, sequence: str) -> list[str]:
    """The features that the events of a sequence are compared with."""
    given = surface.sequence(sequence).candidate
    shared = [surface.features[each].embedding_of for each in surface.parts()[sequence]]
    single = [each for each in shared if each is not None and not surface.features[each].listed]
    return list(given or dict.fromkeys(single))


def _check_crosses(surface: Surface, columns: Mapping[str, schema_pb2.Feature], path: Path) -> None:
    single = [
        name
        for name, feature in surface.features.items()
        if feature.kind is FeatureKind.CATEGORICAL and not feature.listed
    ]
    for name, cross in surface.crosses.items():
        if name in columns:
            raise InputError(f"{path}: crosses.{name}: the schema has a column of this name; expected another")
        for each in cross.of:
            expect_known(path, f"crosses.{name}.of", "a categorical feature with one value", each, single)


def resolve_files(surface: Surface, folder: Path) -> Surface:
    """`surface` with the vocabularies and vectors that its features name, relative to its folder.

    Raises:
      InputError: A file is not there, or is not what it should be.
    """
    files: dict[str, LookupFile] = {}
    for name, feature in surface.features.items():
        for key in ("vocabulary", "pretrained"):
            given: str | None = getattr(feature, key)
            if given is not None:
                where = f"{folder / 'surface.yaml'}: features.{name}.{key}"
                files[given] = _lookup_file(given, folder, where, feature if key == "pretrained" else None)
    return surface.model_copy(update={"files": files})


def _lookup_file(given: str, folder: Path, where: str, vectors_of: Feature | None) -> LookupFile:
    path = (folder / given).resolve()
    if _REMOTE in given or not path.is_file():
        raise InputError(f"{where}: expected a file relative to the surface folder, found none at {given}")
    content = path.read_bytes()
    try:
        lines = content.decode("utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise InputError(f"{where}: {path}: expected text in UTF-8; found: {error}") from error
    if not lines or "" in lines:
        empty = lines.index("") + 1 if "" in lines else 1
        raise InputError(f"{where}: {path}:{empty}: expected one value a line, found an empty line")
    values = [line.partition(_SEPARATOR)[0] for line in lines] if vectors_of else lines
    if len(set(values)) < len(values):
        twice = next(each for index, each in enumerate(values) if each in values[:index])
        raise InputError(f"{where}: {path}: expected each value once, found {twice!r} again")
    for problem in _misshapen(lines, vectors_of.embedding) if vectors_of else ():
        raise InputError(f"{where}: {path}:{problem}")
    width = vectors_of.embedding if vectors_of else 0
    return LookupFile(path=str(path), digest=hashlib.sha256(content).hexdigest(), rows=len(lines), width=width)


def _misshapen(lines: list[str], width: int) -> Iterator[str]:
    for number, line in enumerate(lines, 1):
        value, _, numbers = line.partition(_SEPARATOR)
        found = numbers.split()
        if len(found) != width or not all(_is_number(each) for each in found):
            yield f"{number}: expected {value!r}, a tab, and {width} numbers (`embedding:`), found {len(found)} of them"


def _is_number(text: str) -> bool:
    try:
        return abs(float(text)) < float("inf")
    except ValueError:
        return False
