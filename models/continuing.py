"""Goes on with what an earlier run's arm left: by feature, by layer name, and of ids by the ids themselves.

Transform makes a vocabulary of this run's examples, in an order of its own.  So the row of an id is
found by the id, and no vocabulary has to be kept in the order of an earlier one: a known id keeps its
row wherever it comes to stand, a new one starts anew, and the rows for unknown ids stay what they
are.  An id that is not among this run's examples has no row in the model; its row is kept beside it, and
comes back with the id.  What is about something else than before (see `models.meanings`) starts anew.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import keras
import numpy as np
from numpy.typing import NDArray

from contracts.continuation import Continued, ContinuedRows, StartingPoint
from contracts.roles import ModelRole
from models.layers import embedding_layer
from models.meanings import OF_VALUES, Meanings, heads_of, meanings, serving_layer
from models.optimizers.by_rows import ByRows
from models.ranker import Ranker
from models.scales import LabelStatistics
from models.tables import Table
from models.training import Resumed
from models.training_state import Arrays, Lapsed, Left, read_left, write_left
from models.vocabulary import matched
from records import documents
from records.training_states import STATE_FOLDER, ArmState, ModelInput, Scale
from schema.base import TaskKind
from schema.errors import InputError
from schema.surface import Surface

Indices = NDArray[np.int64]
_SHOWN = 8


@dataclass(frozen=True)
class Start:
    """What an arm starts from.

    Attributes:
      point: Which run it is, or why there is none.
      left: What that run's arm left; None for a cold start.
    """

    point: StartingPoint
    left: Left | None


def read_start(folder: str | None, role: ModelRole) -> Start:
    """What an arm starts from.

    Args:
      folder: What Continuation hands to the arm's Trainer.
      role: The arm.

    Raises:
      InputError: There is none, it is damaged, or it is another arm's: a control must never have seen a soft label.
    """
    if folder is None:
        raise InputError(
            "`training.continue_from` needs what Continuation found: give the Trainer that as `base_model`"
        )
    point = documents.read(folder, StartingPoint)
    left = read_left(f"{folder}/{STATE_FOLDER}") if point.version is not None else None
    for found in (point.role, *([left.state.role] if left else [])):
        if found != role.value:
            raise InputError(
                f"{folder}: the {role} must continue from an earlier {role}, found what a {found} left; a control "
                "must never have seen a soft label"
            )
    return Start(point, left)


def scales(surface: Surface, start: Start, found: Mapping[str, LabelStatistics]) -> dict[str, LabelStatistics]:
    """The labels' statistics, where a regression that goes on keeps the scale that its head was trained in."""
    if start.left is None:
        return dict(found)
    state, said = start.left.state, heads_of(surface)
    same = [name for name in surface.tasks if said[serving_layer(name)] == state.heads.get(serving_layer(name))]
    kept = {name: state.scales[name] for name in same if name in state.scales}
    return {**found, **{name: LabelStatistics(each.mean, each.std) for name, each in kept.items()}}


class Continuing:
    """One arm that goes on."""

    def __init__(self, surface: Surface, ranker: Ranker, known: Mapping[str, Sequence[bytes]], start: Start):
        """Finds what goes on, and moves nothing yet.

        Args:
          surface: The surface.
          ranker: Newly built.
          known: The known values by feature, in the order of their rows.
          start: What it starts from.

        Raises:
          InputError: Two weights have the same name.
        """
        self._surface, self._ranker, self._start = surface, ranker, start
        self._meanings = meanings(surface, ranker)
        self._keys = {embedding_layer(name): list(of) for name, of in known.items()}
        self._keys = {name: of for name, of in self._keys.items() if self._meanings.tables.get(name) == OF_VALUES}
        self._variables = _by_path(ranker.training)
        self._frozen = {each.embeddings.path for each in _tables(ranker.training) if not each.trainable}
        self._plans: dict[str, _Plan] = {}
        self._lapsed = Lapsed()
        if start.left is not None:
            self._plans = dict(self._found_plans(start.left))
            self._lapsed = self._found_lapsed(start.left)

    def apply(self) -> Continued:
        """Sets the weights that go on, in place.

        Returns:
          What went on, what is new and what was dropped.
        """
        left = self._start.left
        if left is None:
            return Continued(version=None, sentence=self._start.point.sentence)
        for path, plan in self._plans.items():
            variable = self._variables[path]
            variable.assign(plan.moved(variable.numpy(), left.weights[path], left.lapsed.weights.get(path)))
        return self._told(left)

    def resumed(self, optimizer: str) -> Resumed | None:
        """The earlier optimizer, if the surface wants it and it is of the same kind; None starts anew."""
        left = self._start.left
        if left is None or not self._surface.training.continue_optimizer or left.state.optimizer != optimizer:
            return None

        def onto(fresh: Arrays) -> Arrays:
            return {name: self._moved_slot(left, name, of) for name, of in fresh.items()}

        return Resumed(left.state.steps, onto)

    def leave(self, folder: str, statistics: Mapping[str, LabelStatistics], optimizer: ByRows) -> None:
        """Writes what later runs go on from.

        Args:
          folder: The Trainer's `model_run`.
          statistics: The statistics that the labels were learned with.
          optimizer: The optimizer, after the training.
        """
        goes_on, point = self._surface.training.continue_optimizer, self._start.point
        state = ArmState(
            role=point.role.value,
            data=point.data,
            lineage=point.lineage,
            tables=self._meanings.tables,
            inputs=self._meanings.inputs,
            heads=self._meanings.heads,
            scales=_scales(self._surface, statistics),
            optimizer=str(self._surface.training.optimizer) if goes_on else None,
            steps=int(optimizer.iterations.numpy()) if goes_on else 0,
            files={},
        )
        slots = optimizer.slots() if goes_on else {}
        lapsed = self._lapsed if goes_on else Lapsed(self._lapsed.keys, self._lapsed.weights)
        write_left(f"{folder}/{STATE_FOLDER}", state, list(self._variables.values()), self._keys, lapsed, slots)

    def _found_plans(self, left: Left) -> Iterator[tuple[str, _Plan]]:
        for path, variable in self._variables.items():
            if path in left.weights and path not in self._frozen:
                plan = self._plan(path, tuple(variable.shape), left)
                if plan is not None:
                    yield path, plan

    def _plan(self, path: str, shape: tuple[int, ...], left: Left) -> _Plan | None:
        """How a weight goes on; None where it starts anew."""
        layer, old = path.partition("/")[0], left.weights[path]
        if _meaning(self._meanings, layer) != _meaning(left.state, layer):
            return None
        if self._meanings.tables.get(layer) == OF_VALUES:
            return self._rows(layer, shape, left) if shape[1:] == old.shape[1:] else None
        if self._meanings.inputs != left.state.inputs and self._reads_inputs(path):
            if path not in self._ranker.first or shape[1:] != old.shape[1:]:
                return None
            return _Plan(*_input_rows(self._meanings.inputs, left.state.inputs))
        return _Plan(whole=True) if shape == old.shape else None

    def _reads_inputs(self, path: str) -> bool:
        """Whether a weight is about the vectors below the trunk, each at its place."""
        surface = self._surface
        if surface.trunk is not None or surface.model.interactions:
            # A trunk of the user's own reads them wherever it likes, and interactions all of them.
            layer = path.partition("/")[0]
            above = layer in self._meanings.heads or layer.startswith(_TOWERS)
            return layer not in self._meanings.tables and not above
        return path in self._ranker.first or path.startswith(_SEQUENCES)

    def _rows(self, layer: str, shape: tuple[int, ...], left: Left) -> _Plan:
        keys, earlier = self._keys[layer], left.keys.get(layer, [])
        to, of = matched(keys, earlier)
        unknown, before = shape[0] - len(keys), len(left.weights[f"{layer}/embeddings"]) - len(earlier)
        if unknown == before:
            to = np.concatenate([to, len(keys) + np.arange(unknown)])
            of = np.concatenate([of, len(earlier) + np.arange(unknown)])
        return _Plan(to, of, *matched(keys, left.lapsed.keys.get(layer, [])))

    def _found_lapsed(self, left: Left) -> Lapsed:
        """The rows of earlier values that have none now, of tables that go on."""
        found = Lapsed()
        for layer, keys in self._keys.items():
            path = f"{layer}/embeddings"
            if path not in self._plans:
                continue
            here, before, lapsed = set(keys), left.keys.get(layer, []), left.lapsed.keys.get(layer, [])
            gone = [row for row, each in enumerate(before) if each not in here]
            away = [row for row, each in enumerate(lapsed) if each not in here]
            found.keys[layer] = [*(before[row] for row in gone), *(lapsed[row] for row in away)]
            found.weights[path] = _stacked(left.weights[path], gone, left.lapsed.weights.get(path), away)
            for name, slot in left.slots.items():
                if name.partition("/")[2] == path:
                    kept = left.lapsed.slots.get(name)
                    found.slots[name] = _stacked(slot, gone, kept if kept is not None else _zeros(slot, away), away)
        return found

    def _moved_slot(self, left: Left, name: str, fresh: NDArray[np.float32]) -> NDArray[np.float32]:
        plan = self._plans.get(name.partition("/")[2])
        if plan is None or name not in left.slots:
            return fresh
        return plan.moved(fresh, left.slots[name], left.lapsed.slots.get(name))

    def _told(self, left: Left) -> Continued:
        new = tuple(path for path in self._variables if path not in self._plans and path not in self._frozen)
        dropped = tuple(path for path in left.weights if path not in self._plans and path not in self._frozen)
        rows = {layer.removeprefix(_PREFIX): self._rows_told(layer) for layer in self._keys if self._goes_on(layer)}
        optimizer = self.resumed(str(self._surface.training.optimizer)) is not None
        sentences = [
            self._start.point.sentence,
            f"{len(self._plans)} weights went on"
            + (f"; new are {_listed(new)}" if new else "")
            + (f"; dropped were {_listed(dropped)}" if dropped else "")
            + ".",
            *(
                f"{name}: {each.continued} rows went on, {each.returned} came back, {each.new} are new, {each.lapsed} "
                "lapsed."
                for name, each in rows.items()
            ),
            "The optimizer went on." if optimizer else "The optimizer starts anew.",
        ]
        return Continued(
            version=self._start.point.version,
            sentence=" ".join(sentences),
            weights=tuple(self._plans),
            new=new,
            dropped=dropped,
            rows=rows,
            optimizer=optimizer,
        )

    def _goes_on(self, layer: str) -> bool:
        return f"{layer}/embeddings" in self._plans

    def _rows_told(self, layer: str) -> ContinuedRows:
        plan, keys = self._plans[f"{layer}/embeddings"], self._keys[layer]
        continued = int((plan.to < len(keys)).sum())
        returned = len(plan.back_to)
        return ContinuedRows(
            continued=continued,
            returned=returned,
            new=len(keys) - continued - returned,
            lapsed=len(self._lapsed.keys[layer]),
        )


_PREFIX = embedding_layer("")
_TOWERS = ("tower_", "distillation_tower_")
# What reads events has their parts side by side, and is small: it starts anew with whatever changes.
_SEQUENCES = "sequence_"
_NONE: Indices = np.zeros(0, np.int64)


@dataclass(frozen=True)
class _Plan:
    """Which rows of an array come from which of an earlier one; all in their order without rows.

    Attributes:
      to: Rows that come from the earlier array.
      of: The earlier rows.
      back_to: Rows that come from those that were kept of lapsed values.
      back: The lapsed rows.
    """

    to: Indices = field(default_factory=_NONE.copy)
    of: Indices = field(default_factory=_NONE.copy)
    back_to: Indices = field(default_factory=_NONE.copy)
    back: Indices = field(default_factory=_NONE.copy)
    whole: bool = False

    def moved(
        self, fresh: NDArray[np.float32], old: NDArray[np.float32], lapsed: NDArray[np.float32] | None
    ) -> NDArray[np.float32]:
        """The fresh array with what goes on in its place."""
        if self.whole:
            return old
        made = fresh.copy()
        made[self.to] = old[self.of]
        if lapsed is not None:
            made[self.back_to] = lapsed[self.back]
        return made


def _by_path(model: keras.Model) -> dict[str, keras.Variable]:
    paths = [each.path for each in model.weights]
    twice = sorted({each for each in paths if paths.count(each) > 1})
    if twice:
        raise InputError(
            "`training.continue_from` knows weights by the names of their layers, and several are named "
            f"{', '.join(twice)}; give each layer of your own trunk a name"
        )
    return dict(zip(paths, model.weights, strict=True))


def _tables(model: keras.Model) -> list[Table]:
    return [each for each in model._flatten_layers() if isinstance(each, Table)]


def _meaning(of: Meanings | ArmState, layer: str) -> str | None:
    return of.tables.get(layer, of.heads.get(layer))


def _input_rows(now: Sequence[ModelInput], before: Sequence[ModelInput]) -> tuple[Indices, Indices]:
    """The rows of a first kernel, of the inputs that are what they were, and where they were."""
    earlier = dict(_places(before))
    pairs = [(rows, earlier[each]) for each, rows in _places(now) if each in earlier]
    return tuple(np.concatenate([_NONE, *(pair[side] for pair in pairs)]) for side in (0, 1))  # type: ignore[return-value]  # two sides


def _places(inputs: Sequence[ModelInput]) -> Iterator[tuple[ModelInput, Indices]]:
    ends = list(itertools.accumulate(each.width for each in inputs))
    for each, end in zip(inputs, ends, strict=True):
        yield each, np.arange(end - each.width, end)


def _stacked(
    first: NDArray[np.float32], rows: list[int], second: NDArray[np.float32] | None, others: list[int]
) -> NDArray[np.float32]:
    return np.concatenate([first[rows], second[others]]) if second is not None else first[rows]


def _zeros(like: NDArray[np.float32], rows: list[int]) -> NDArray[np.float32]:
    return np.zeros((max(rows, default=-1) + 1, *like.shape[1:]), like.dtype)


def _regression(surface: Surface, name: str) -> bool:
    return surface.tasks[name].kind is TaskKind.REGRESSION


def _scales(surface: Surface, statistics: Mapping[str, LabelStatistics]) -> dict[str, Scale]:
    return {
        name: Scale(mean=statistics[name].mean, std=statistics[name].std)
        for name in surface.tasks
        if _regression(surface, name)
    }


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
