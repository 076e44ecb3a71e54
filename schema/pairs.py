"""Whether pairs can be put together from a surface's examples, and from which columns."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from pydantic import PositiveInt
from tensorflow_metadata.proto.v0 import schema_pb2

from schema.base import Strict
from schema.candidates import CANDIDATES, PAIRS_FROM, PEOPLE, Columns, Cross, NewRelease, Unlabelled
from schema.checks import expect_known
from schema.errors import InputError
from schema.surface import FeatureKind, Side, Surface


class PairPlan(Strict):
    """What it takes to make pairs: everything a surface says of it, and nothing else.

    Attributes:
      user: Columns that identify a user.
      item: Columns that identify an item.
      user_side: Columns that a pair takes from the user's example, or from a catalogue of people.
      context_side: Columns that a pair takes from the user's example; of a person without one, from any.
      item_side: Columns that a pair takes from the item's example.
      cross: Columns that are made for a pair.
      labels: Columns that no pair has.
      per_row, weights, new_release, seed: As in `schema.candidates.Unlabelled`.
    """

    user: Columns
    item: Columns
    user_side: Columns
    context_side: Columns
    item_side: Columns
    cross: dict[str, Cross]
    labels: Columns
    per_row: PositiveInt
    weights: str
    new_release: NewRelease | None
    seed: int


def pair_plan(surface: Surface) -> PairPlan:
    """The plan of a surface with an `unlabelled:` section.

    Raises:
      InputError: It has none, or it is not clear what identifies users and items.
    """
    asked = surface.unlabelled
    if asked is None:
        raise InputError(f"surface {surface.name!r} has no `unlabelled:` section: there are no pairs to make")
    user, item = identity(surface, Side.USER), identity(surface, Side.ITEM)
    sides = _sides(surface, asked)
    # Of what identifies a person nothing is the context's: another person's would not do.
    sides |= {name: str(Side.USER) for name in user if name in sides}
    return PairPlan(
        user=user,
        item=item,
        user_side=tuple(name for name, side in sides.items() if side == Side.USER),
        context_side=tuple(name for name, side in sides.items() if side == Side.CONTEXT),
        item_side=tuple(name for name, side in sides.items() if side == Side.ITEM),
        cross=asked.cross,
        labels=tuple(dict.fromkeys(task.label for task in surface.tasks.values())),
        per_row=asked.per_row,
        weights=asked.weights,
        new_release=asked.new_release,
        seed=asked.seed,
    )


def identity(surface: Surface, side: Side) -> Columns:
    """The columns that identify a user or an item: those that `unlabelled:` names, or the one id of that side.

    Raises:
      InputError: It is not clear which these are.
    """
    asked = surface.unlabelled
    named = None if asked is None else {Side.USER: asked.user, Side.ITEM: asked.item}[side]
    return named or _only_id(surface, side)


def catalogue_columns(plan: PairPlan, which: str) -> Columns:
    """The columns of a catalogue, `people` or `items`: those of its side, and what tells new items."""
    if which == PEOPLE:
        return tuple(dict.fromkeys((*plan.user, *plan.user_side)))
    new = (plan.new_release.column,) if plan.new_release else ()
    return tuple(dict.fromkeys((*plan.item, *plan.item_side, *new)))


def check_pairs_from(surface: Surface, given: Collection[str]) -> None:
    """Checks that a surface has a use for the folders that pairs are to be made of.

    Args:
      surface: The surface.
      given: Which there are, of `schema.candidates.PAIRS_FROM`.

    Raises:
      InputError: It has none, or they exclude each other.
    """
    asked = surface.unlabelled
    for name in (each for each in PAIRS_FROM if each in given):
        if asked is None:
            raise InputError(
                f"--{name}: surface {surface.name!r} has no `unlabelled:` section, so nothing would be trained on "
                "them; add `unlabelled: {per_row: 5}` to its surface.yaml"
            )
        if name != CANDIDATES and not asked.catalogue:
            raise InputError(
                f"--{name}: surface {surface.name!r} says `unlabelled: {{catalogue: false}}`, so nobody would be "
                f"drawn from it; leave out that line, or --{name}"
            )
        if name != CANDIDATES and CANDIDATES in given:
            raise InputError(
                f"--{name}: expected no --{CANDIDATES} beside it: pairs are read from logs of candidates as they are, "
                "or drawn from examples and catalogues"
            )


def check_pairs(surface: Surface, columns: dict[str, schema_pb2.Feature], path: Path) -> None:
    """Checks the sections `unlabelled` and `warm_start` against the rest and the TFDV schema.

    Args:
      surface: The surface.
      columns: The features of its TFDV schema, by name.
      path: Its ``surface.yaml``, for the messages.

    Raises:
      InputError: Pairs could not be made, labelled or transformed; or a warm start is of no id.
    """
    _check_warm_start(surface, path)
    if surface.unlabelled is None:
        return
    if not surface.distillations():
        raise InputError(f"{path}: unlabelled: pairs are trained on soft labels, and this surface distils nothing")
    try:
        plan = pair_plan(surface)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    _check_columns(surface, plan, columns, path)
    _check_cross(surface, plan, columns, path)
    _check_teacher(surface, plan, columns, path)
    _check_own_columns(surface, plan, columns, path)
    for label in plan.labels:
        if columns[label].HasField("shape"):
            raise InputError(
                f"{path}: unlabelled: a pair has no label, and the schema gives {label!r} a `shape`, which says that "
                "every example has it; write `value_count { min: 1 max: 1 }` there instead (`presence { min_fraction: "
                "1 }` may stay: it holds for what arrives)"
            )


def _sides(surface: Surface, asked: Unlabelled) -> dict[str, str]:
    features = {name: str(feature.side) for name, feature in surface.features.items() if feature.side != Side.CROSS}
    # A pair's group is its user's, or the request that its context comes from; so are its weight and its time.
    weights = {
        each.weights: features[name]
        for name, each in surface.features.items()
        if each.weights is not None and name in features
    }
    soft_weights = [each.weight_column for each in surface.distillations().values()]
    time = surface.period.column if surface.period is not None else None
    of_all = (surface.group, surface.weight_column, time, *soft_weights)
    of_rows = {name: str(Side.CONTEXT) for name in of_all if name is not None}
    return {**of_rows, **features, **weights, **asked.columns}


def _only_id(surface: Surface, side: Side) -> Columns:
    found = [
        name
        for name, feature in surface.features.items()
        if feature.side == side and feature.kind is FeatureKind.CATEGORICAL and not feature.listed
    ]
    if len(found) != 1:
        raise InputError(
            f"unlabelled.{side}: expected the columns that identify one {side}, since the surface has "
            f"{len(found) or 'no'} categorical feature{'' if len(found) == 1 else 's'} with `side: {side}`"
            + (f" ({', '.join(found)})" if found else "")
            + f"; give `{side}: [column]`"
        )
    return tuple(found)


def _check_columns(surface: Surface, plan: PairPlan, columns: dict[str, schema_pb2.Feature], path: Path) -> None:
    known = "a column of the schema"
    asked = surface.unlabelled.columns if surface.unlabelled else ()
    for name in asked:
        expect_known(path, "unlabelled.columns", known, name, columns)
        if name in surface.features:
            raise InputError(f"{path}: unlabelled.columns.{name}: it is a feature, whose side stands there")
        if name in plan.labels:
            raise InputError(f"{path}: unlabelled.columns.{name}: it is a label, and no pair has one")
    for where in ("user", "item"):
        for name in getattr(plan, where):
            expect_known(path, f"unlabelled.{where}", known, name, columns)
            if columns[name].type == schema_pb2.FLOAT or not columns[name].HasField("shape"):
                raise InputError(
                    f"{path}: unlabelled.{where}: expected an id that every example has (INT or BYTES, with a `shape` "
                    f"in the schema), found {name!r}"
                )
    if plan.new_release is not None:
        expect_known(path, "unlabelled.new_release.column", known, plan.new_release.column, columns)


def _check_cross(surface: Surface, plan: PairPlan, columns: dict[str, schema_pb2.Feature], path: Path) -> None:
    crosses = [name for name, feature in surface.features.items() if feature.side == Side.CROSS]
    for name, cross in plan.cross.items():
        where = f"unlabelled.cross.{name}"
        expect_known(path, where, "a feature with `side: cross`", name, crosses)
        if cross.dot is not None:
            _check_dot(cross.dot, where, plan, columns, path)
            if surface.features[name].size != 1 or columns[name].type != schema_pb2.FLOAT:
                raise InputError(f"{path}: {where}: a scalar product is one FLOAT, which {name!r} is not in the schema")
    for name in crosses:
        if name not in plan.cross and columns[name].HasField("shape"):
            raise InputError(
                f"{path}: unlabelled: a pair has no {name!r} (side: cross) unless `cross:` says how it is made. Give "
                f"`cross: {{{name}: {{dot: [...]}}}}` or `{{value: ...}}`; or give the feature a `default:` and its "
                "column a `value_count` in place of its `shape` in the schema"
            )


def _check_dot(
    dot: tuple[str, str], where: str, plan: PairPlan, columns: dict[str, schema_pb2.Feature], path: Path
) -> None:
    of_sides = (("the user's or the context's", (*plan.user_side, *plan.context_side)), ("the item's", plan.item_side))
    for name, (whose, side) in zip(dot, of_sides, strict=True):
        expect_known(path, f"{where}.dot", f"a column of {whose}", name, side)
        if columns[name].type != schema_pb2.FLOAT or not columns[name].HasField("shape"):
            raise InputError(f"{path}: {where}.dot: expected FLOAT with a `shape` in the schema, found {name!r}")
    sizes = [[dimension.size for dimension in columns[name].shape.dim] for name in dot]
    if sizes[0] != sizes[1]:
        raise InputError(f"{path}: {where}.dot: expected two columns of one size, found {sizes[0]} and {sizes[1]}")


def _check_teacher(surface: Surface, plan: PairPlan, columns: dict[str, schema_pb2.Feature], path: Path) -> None:
    there = {*plan.user_side, *plan.context_side, *plan.item_side, *plan.cross}
    for name, feature in surface.teacher_features.items():
        source = feature.source or name
        if source in columns and source not in there and feature.default is None:
            raise InputError(
                f"{path}: unlabelled: the teacher needs {source!r}, and a pair has it only if it is known whose it is: "
                f"give `columns: {{{source}: user}}` (or item, or context), or `default:` to teacher.features.{name}"
            )


def _check_own_columns(surface: Surface, plan: PairPlan, columns: dict[str, schema_pb2.Feature], path: Path) -> None:
    """Code of the user's own reads what a server has, of pairs too."""
    there = {*plan.user_side, *plan.context_side, *plan.item_side, *plan.cross}
    for name in surface.served_columns:
        if name not in there and columns[name].HasField("shape"):
            raise InputError(
                f"{path}: unlabelled: `preprocessing` reads {name!r}, and a pair has it only if it is known whose it "
                f"is: give `columns: {{{name}: user}}` (or item, or context)"
            )


def _check_warm_start(surface: Surface, path: Path) -> None:
    ids = [name for name, feature in surface.features.items() if feature.rows_are_values]
    for name in surface.warm_start:
        expect_known(path, "warm_start", "a categorical feature", name, ids)
    if surface.warm_start and surface.teacher is None:
        raise InputError(f"{path}: warm_start: there is no teacher to start from, the `teacher:` section is absent")
