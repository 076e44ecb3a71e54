"""What may be switched on: a list of named changes to a surface, each with a condition.

One more technique is one more line of `SPACE`.  Its changes are written as those of
`crosskd experiment --technique`, with names in angle brackets for what differs between surfaces:

| name | stands for |
| --- | --- |
| `<head>` | each place that learns soft labels: `tasks.click.distil`, `non_serving_heads.finished` |
| `<task>` | those of them that are under `tasks` |
| `<binary>` | those that learn of a binary task of the teacher |
| `<id>` | each categorical feature whose embeddings the teacher offers |
| `<layer>` | the first representation that the teacher offers |

A change with a name that stands for nothing is not tried, and neither is one that the
surface refuses, that changes nothing, or that reads columns which the run has not made.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from evidence.tuning import SETTINGS
from models.columns import history_sources, training_columns, written_columns
from schema.base import TaskKind
from schema.errors import InputError
from schema.surface import FeatureKind, Surface
from schema.training import TrunkKind

_NAME = re.compile(r"<(\w+)>")
_MOST_AXES = 4
REGULARISATION = "regularisation"
AS_IT_IS = "as it is"

# Reads the surface with changes, each `key.path=value`; raises InputError where they do not fit.
Load = Callable[[Sequence[str]], Surface]


@dataclass(frozen=True)
class Facts:
    """What conditions are about.

    Attributes:
      surface: The surface as it is.
      columns: The columns that the run's Transform wrote.
      pairs: Whether the run made pairs never shown.
      ids: The ids, by the teacher's names, whose embeddings it offers.
      trust: Whether the run has what fits of trust read.
    """

    surface: Surface
    columns: frozenset[str]
    pairs: bool = False
    ids: frozenset[str] = frozenset()
    trust: bool = False


@dataclass(frozen=True)
class Change:
    """One thing to switch on, off, or over.

    Attributes:
      name: The name for tables.
      axis: What it is a choice of: two changes of one axis are not put together.
      sets: Keys and values, each `key.path=value`.
      when: The condition.
    """

    name: str
    axis: str
    sets: tuple[str, ...]
    when: Callable[[Facts], bool] = lambda facts: True


@dataclass(frozen=True)
class Way:
    """A configuration to try.

    Attributes:
      name: The name for tables.
      axes: The axes of its changes; none of the surface as it is.
      sets: What it changes in ``surface.yaml``.
      surface: The surface so changed.
    """

    name: str
    axes: tuple[str, ...]
    sets: tuple[str, ...]
    surface: Surface


@dataclass(frozen=True)
class Ways:
    """What there is to try.

    Attributes:
      students: The surface as it is, then each change alone.
      left_out: Why another change is not tried, by its name.
    """

    students: tuple[Way, ...]
    left_out: dict[str, str]


def _grouped(facts: Facts) -> bool:
    return facts.surface.group is not None


def _own_layers(facts: Facts) -> bool:
    return facts.surface.trunk is None and facts.surface.student is None


def _trustable(facts: Facts) -> bool:
    return facts.trust


def _several_tasks(facts: Facts) -> bool:
    return len(facts.surface.tasks) > 1


def _more_pairs_than(count: int) -> Callable[[Facts], bool]:
    def more(facts: Facts) -> bool:
        asked = facts.surface.unlabelled
        return facts.pairs and asked is not None and asked.per_row > count

    return more


# In the order in which a small budget takes them.
SPACE = (
    Change("no pairs", "pairs", ("unlabelled=null",), _more_pairs_than(0)),
    Change("5 pairs a row", "pairs", ("unlabelled.per_row=5",), _more_pairs_than(5)),
    Change("warm start", "start", ("warm_start.<id>={}",), _own_layers),
    Change("stacked heads", "head", ("<task>.head=stacked",)),
    Change("own towers", "head", ("<task>.tower=own",)),
    Change("auxiliary heads", "head", ("<task>.head=auxiliary",)),
    Change("soft weight .3", "weight", ("<head>.weight=0.3",)),
    Change("soft weight 3", "weight", ("<head>.weight=3",)),
    Change("soft weight 1", "weight", ("<head>.weight=1",)),
    Change("adapter", "adapter", ("<task>.adapter={weight: 1}",), _trustable),
    Change("reliability", "reliability", ("<task>.reliability=true",), _trustable),
    Change("half of the gradient", "gradient", ("<task>.trunk_gradient=0.5",)),
    Change("loss huber", "loss", ("<head>.loss=huber",)),
    Change("loss bce", "loss", ("<binary>.loss=bce",)),
    Change("loss kl", "loss", ("<binary>.loss=kl", "<binary>.temperature=2")),
    Change("loss mse", "loss", ("<head>.loss=mse",)),
    Change("loss listwise", "loss", ("<head>.loss=listwise", "training.batch_by=group"), _grouped),
    Change("loss pairwise", "loss", ("<head>.loss=pairwise", "training.batch_by=group"), _grouped),
    Change("representation", "representation", ("representations.trunk={from: <layer>}",)),
    Change("mmoe", "trunk", (f"model.trunk_kind={TrunkKind.MMOE}",), lambda f: _own_layers(f) and _several_tasks(f)),
    Change("ple", "trunk", (f"model.trunk_kind={TrunkKind.PLE}",), lambda f: _own_layers(f) and _several_tasks(f)),
    Change("learned loss weights", "loss weights", ("training.loss_weights=uncertainty",), _several_tasks),
)


def ways(facts: Facts, load: Load, own: Sequence[Change] = (), space: Sequence[Change] = SPACE) -> Ways:
    """The surface as it is, and each change alone.

    Args:
      facts: What there is.
      load: Reads the surface with changes.
      own: Changes of the user's own, which come first.
      space: The list of changes.

    Raises:
      InputError: A change of the user's own does not fit.
    """
    found = [Way(AS_IT_IS, (), (), facts.surface)]
    left_out: dict[str, str] = {}
    for change in (*own, *space, *_regularisation(facts.surface)):
        try:
            way = _way(change, facts, load)
        except InputError as error:
            if change in own:
                raise
            left_out[change.name] = str(error)
            continue
        same = next((each.name for each in found if each.surface == way.surface), None)
        if same is None:
            found.append(way)
        elif same != AS_IT_IS:
            left_out[change.name] = f"the same as {same}"
    return Ways(tuple(found), left_out)


def _way(change: Change, facts: Facts, load: Load) -> Way:
    if not change.when(facts):
        raise InputError("does not apply to this surface or run")
    sets = tuple(each for text in change.sets for each in _expanded(text, facts))
    surface = load(sets)
    needed = {*written_columns(surface), *training_columns(surface, distil=True), *history_sources(surface)}
    missing = sorted(needed - facts.columns)
    if missing:
        raise InputError(f"the run made no column {', '.join(missing)}")
    if surface.unlabelled is not None and not facts.pairs:
        raise InputError("the run made no pairs never shown; `crosskd run` with it first")
    return Way(change.name, (change.axis,), sets, surface)


def _expanded(text: str, facts: Facts) -> list[str]:
    """The changes that a text with a name in angle brackets stands for."""
    found = _NAME.search(text)
    if found is None:
        return [text]
    stands_for = _stands_for(found[1], facts)
    if not stands_for:
        raise InputError(f"the surface has no <{found[1]}>")
    return [text.replace(found[0], each) for each in stands_for]


def _stands_for(name: str, facts: Facts) -> list[str]:
    surface = facts.surface
    if name == "id":
        return [
            feature
            for feature, declared in surface.features.items()
            if declared.kind is FeatureKind.CATEGORICAL and feature in facts.ids
        ]
    if name == "layer":
        return [*surface.teacher_representations][:1]
    kinds = {task: each.kind for task, each in surface.teacher_tasks.items()}
    heads = {
        f"tasks.{head}.distil" if head in surface.tasks else f"non_serving_heads.{head}": kinds[each.teacher_task]
        for head, each in surface.distillations().items()
    }
    chosen = {
        "head": heads,
        "task": [head for head in heads if head.startswith("tasks.")],
        "binary": [head for head, kind in heads.items() if kind is TaskKind.BINARY],
    }
    return [*chosen[name]]


def _regularisation(surface: Surface) -> Iterable[Change]:
    """Learning rate, penalty and dropout: those that every arm of an experiment may choose from."""
    for setting in SETTINGS:
        sets = setting.overrides(surface)
        if sets:
            yield Change(setting.name, REGULARISATION, sets)


def controls(students: Sequence[Way]) -> tuple[Way, ...]:
    """The same without distillation, each model once: as it is first, then those of other settings."""
    found: list[Way] = []
    for way in sorted(students, key=lambda way: bool(way.axes) + (way.axes not in ((), (REGULARISATION,)))):
        surface = way.surface.undistilled()
        if all(surface != each.surface for each in found):
            found.append(Way(way.name, way.axes, way.sets, surface))
    return tuple(found)


def together(best: Sequence[Way], load: Load) -> list[Way]:
    """Ways put together, the better ones first: every two, the first three, and all.

    Args:
      best: Ways of one axis each, the best first; of each axis the first counts.
      load: Reads the surface with changes.

    Returns:
      Those that the surface takes.
    """
    first = {way.axes: way for way in reversed(best)}
    of_axes = [way for way in best if first[way.axes] is way][:_MOST_AXES]
    pairs = [(one, other) for at, other in enumerate(of_axes) for one in of_axes[:at]]
    groups = [*pairs, *(tuple(of_axes[:count]) for count in range(3, len(of_axes) + 1))]
    found: list[Way] = []
    for group in groups:
        sets = tuple(each for way in group for each in way.sets)
        try:
            surface = load(sets)
        except InputError:  # each fits alone, and they exclude each other
            continue
        if all(surface != each.surface for each in (*of_axes, *found)):
            name = " + ".join(way.name for way in group)
            found.append(Way(name, tuple(axis for way in group for axis in way.axes), sets, surface))
    return found
