"""What pairs are drawn from: the items of training examples and catalogues, and all pairs that were shown."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from components.candidate_sampler.catalogue import Listed, catalogues_of
from components.candidate_sampler.entries import Entries, joined
from components.candidate_sampler.records import Keys
from components.candidate_sampler.sides import Sides
from schema.candidates import ITEMS
from schema.errors import InputError
from schema.pairs import PairPlan


class Stock:
    """All files together.

    Attributes:
      users: The users that have a training row, in ascending order.
      trained_items: The items that have one, likewise.
      items: The items of training rows, a row each, and then those that only a catalogue has.
      contexts: The contexts of training rows; None if nobody asked for them.
      catalogues: The catalogues, by `people` and `items`.
    """

    def __init__(self, parts: Sequence[Sides], plan: PairPlan, listed: Sequence[Listed] = ()) -> None:
        """Merges the files, in the order of their numbers, whatever order they came in.

        Raises:
          InputError: There is nothing to draw from, or a catalogue cannot be used.
        """
        parts = sorted(parts, key=lambda part: part.source.index)
        listed = sorted(listed, key=lambda part: part.source.index)
        training = [part.trained for part in parts if part.trained is not None]
        self.shown = _unique([part.pairs for part in parts if part.trained is not None])
        self.evaluated = _unique([part.pairs for part in parts if part.trained is None])
        self.users = _unique([part.users for part in training])
        self.trained_items = _unique([part.items.keys for part in training])
        self.catalogues = catalogues_of(listed, self.users, self.trained_items)
        contexts = [part.contexts for part in training if part.contexts is not None]
        self.contexts = joined(contexts) if contexts else None
        items, new = [part.items for part in training], [part.new for part in training]
        for entries, fresh in self._only_listed(listed):
            items.append(entries)
            new.append(fresh)
        self.items = joined(items)
        self._bounds = np.cumsum(_weights(plan, self.items.keys, np.concatenate(new)))
        if not len(self.users) or not self._bounds[-1]:
            raise InputError(
                f"unlabelled: {_nothing(plan)}; there is no item to make pairs of. Check `weights:` and the examples."
            )

    def _only_listed(self, listed: Sequence[Listed]) -> list[tuple[Entries, NDArray[np.bool_]]]:
        """The items of each file of their catalogue that have no training row, and which of them are new."""
        found = []
        for part in listed:
            if part.source.of == ITEMS and part.entries is not None and part.new is not None:
                fresh = ~is_among(self.trained_items, part.keys)
                found.append((part.entries.where(fresh), part.new[fresh]))
        return found

    def draw(self, count: int, rng: np.random.Generator) -> NDArray[np.int64]:
        """Rows of `items` that are drawn, [count], by the plan's weights."""
        drawn = np.searchsorted(self._bounds, rng.random(count) * self._bounds[-1], side="right")
        return np.minimum(drawn, len(self._bounds) - 1)

    def was_shown(self, pairs: Keys) -> NDArray[np.bool_]:
        """Which pairs are in the training split."""
        return is_among(self.shown, pairs)

    def is_evaluated(self, pairs: Keys) -> NDArray[np.bool_]:
        """Which pairs are in the evaluation split."""
        return is_among(self.evaluated, pairs)


def is_among(ascending: Keys, wanted: Keys) -> NDArray[np.bool_]:
    """Which of the wanted keys are among others."""
    if not len(ascending):
        return np.zeros(len(wanted), np.bool_)
    place = np.minimum(np.searchsorted(ascending, wanted), len(ascending) - 1)
    return ascending[place] == wanted


def _unique(parts: Sequence[Keys]) -> Keys:
    return np.unique(np.concatenate([np.zeros(0, np.uint64), *parts]))


def _weights(plan: PairPlan, items: Keys, new: NDArray[np.bool_]) -> NDArray[np.float64]:
    """A weight for each row: as popularity has it all are alike, else an item's rows share one.

    An item that only a catalogue has is one row: it counts as shown once.
    """
    if plan.weights == "popularity":
        return np.ones(len(items))
    _, which, counts = np.unique(items, return_inverse=True, return_counts=True)
    return new / counts[which]


def _nothing(plan: PairPlan) -> str:
    if plan.new_release is None:
        return "the training split is empty"
    return f"no training example has {plan.new_release.column!r} = {plan.new_release.value!r}"
