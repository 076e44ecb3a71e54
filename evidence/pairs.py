"""Trains pairs of student and control and exports them as the Trainer does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from contracts.held_out import HeldOutRows
from evidence import data, tuning
from evidence.arms import CONTROL, STUDENT, Arm, group, student
from evidence.fitting import Fitted, Fitter
from evidence.held_out import held_out_rows
from evidence.live import Pair
from evidence.paths import RunPaths
from schema.surface import Surface

Progress = Callable[[str], None]


@dataclass(frozen=True)
class TrainedPairs:
    """Pairs, and what is known of the rows that chose their settings and epochs.

    Attributes:
      pairs: One a seed.
      held_out_rows: How new users and items are to those rows, and to the run's evaluation.
    """

    pairs: list[Pair]
    held_out_rows: list[HeldOutRows]


def train_pairs(
    surface: Surface, paths: RunPaths, seeds: int, budget: int, out: Path, progress: Progress
) -> TrainedPairs:
    """Trains and exports one pair a seed, under ``out/seed-K/{student,control}``.

    Both arms choose among the same settings, each by its hard loss on held-out rows of the
    training split, mean over seeds: a page is served by one model for all of its tasks.

    Args:
      surface: The surface of the run.
      paths: A finished run.
      seeds: How many pairs.
      budget: How many settings each arm may choose from.
      out: Folder for the exports.
      progress: Told one line an arm.

    Raises:
      InputError: The run cannot be used, or there are not so many settings.
    """
    loaded = data.load(surface, paths)
    fitter, settings = Fitter(loaded), tuning.settings(budget)
    own = group(student(surface))
    for name, arm in ((STUDENT, own.candidate), (CONTROL, own.control)):
        fitted = {each.name: _fit(fitter, arm, each, seeds, loaded) for each in settings}
        chosen = min(settings, key=lambda each: np.mean([of.hard_loss for of in fitted[each.name]]))
        progress(f"{name}: held-out rows chose {chosen.name!r}")
        for seed, each in enumerate(fitted[chosen.name]):
            fitter.export(
                chosen.seeded(surface, seed),
                each,
                paths.transform_graph,
                str(_folder(out, seed, name)),
                distil=arm.distil,
            )
    pairs = [Pair(str(_folder(out, seed, STUDENT)), str(_folder(out, seed, CONTROL))) for seed in range(seeds)]
    return TrainedPairs(pairs, held_out_rows(surface, [loaded]))


def _fit(fitter: Fitter, arm: Arm, setting: tuning.Setting, seeds: int, loaded: data.RunData) -> Sequence[Fitted]:
    return [
        fitter.fit(
            setting.seeded(arm.surface, seed),
            loaded.training,
            distil=arm.distil,
            unlabelled=arm.unlabelled(loaded.pairs(arm.surface), seed),
        )
        for seed in range(seeds)
    ]


def _folder(out: Path, seed: int, name: str) -> Path:
    return out / f"seed-{seed}" / name
