"""What each kind of feature, network and optimizer adds to a training step, beside a plain surface.

Every way trains a student with two distilled tasks on rows made at random, as a step's cost does
not depend on what they say.  All take steps in turn, in one process; each ratio is the median
over rounds of the ratio to the plain one within a round.  That one is measured twice: its ratio
to itself says how much of the others is noise.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from benchmarks.serving import median
from benchmarks.turns import in_turn
from models import training
from models.batching import split
from models.columns import hard_label_columns, input_columns, soft_label_columns
from models.epochs import InMemory
from models.own_check import made_up_rows
from models.ranker import build
from models.scales import LabelStatistics
from models.terms import head_losses
from schema.surface import Surface

_STEPS = 50
_KNOWN_IDS = 1000
_MILLION = 1_000_000
PLAIN = "plain"

_IDS = {"kind": "categorical", "embedding": 8}
_RECENT = {
    "recent": {"kind": "categorical", "side": "user", "sequence": "past", "embedding_of": "item"},
    "recent_age": {"kind": "numeric", "side": "user", "sequence": "past"},
}
_CONTENT: dict[str, Any] = {
    "name": "steps",
    "features": {
        "user": {**_IDS, "side": "user"},
        "item": {**_IDS, "side": "item"},
        **{name: {"kind": "numeric"} for name in ("match", "price", "age")},
    },
    "tasks": {
        "click": {"kind": "binary", "label": "click", "distil": {"from": "click"}, "ungated": "a benchmark"},
        "minutes": {"kind": "regression", "label": "minutes", "distil": {"from": "stay"}, "ungated": "a benchmark"},
    },
    "teacher": {
        "tasks": {"click": {"kind": "binary"}, "stay": {"kind": "regression"}},
        "features": {"item": {"dtype": "int"}},
    },
    "training": {"epochs": 1, "batch_size": 256},
}
_SCHEDULE = {"warm_up_steps": 10, "learning_rate_decay": {"by": "cosine"}}
_HASHED = {"features": {"user": {**_IDS, "side": "user", "hash": _MILLION}}}


def _read(how: str) -> dict[str, Any]:
    return {"features": _RECENT, "sequences": {"past": {"length": 50, "read": how}}}


# What each way changes in the plain surface.
WAYS: dict[str, dict[str, Any]] = {
    PLAIN: {},
    "plain again": {},
    "hashed ids, a million rows": _HASHED,
    "many values, 10": {"features": {"tags": {**_IDS, "side": "item", "many": True, "length": 10}}},
    "sequence of 50, mean": _read("mean"),
    "sequence of 50, attention": _read("attention"),
    "sequence of 50, self-attention": _read("self_attention"),
    "cross of two ids": {"crosses": {"both": {"of": ["user", "item"], "hash": 100_000, "embedding": 8}}},
    "buckets": {"features": {"price": {"kind": "numeric", "buckets": 10, "default": 0.0, "embedding": 8}}},
    "DCN-v2, 2 layers": {"model": {"interactions": ["cross"]}},
    "dot products": {"model": {"interactions": ["dot"]}},
    "factorization machine": {"model": {"interactions": ["fm"]}},
    "layer norm": {"model": {"layer_norm": True}},
    "warm-up and cosine": {"training": _SCHEDULE},
    "clipping": {"training": {"clip_norm": 1.0}},
    "adamw": {"training": {"optimizer": "adamw"}},
    "adagrad": {"training": {"optimizer": "adagrad"}},
    "hashed ids, adamw, scheduled": {**_HASHED, "training": {"optimizer": "adamw", **_SCHEDULE}},
    "hashed ids, adagrad": {**_HASHED, "training": {"optimizer": "adagrad"}},
    "hashed ids, clipping": {**_HASHED, "training": {"clip_norm": 1.0}},
}


def measure(rounds: int) -> dict[str, Any]:
    """Milliseconds a step of every way and its ratio to the plain one, by the clock and in processor time."""
    seconds = in_turn({name: turn(surface_of(changes)) for name, changes in WAYS.items()}, rounds)
    return {
        "rounds": rounds,
        "steps_per_round": _STEPS,
        **{clock: figures({name: each / _STEPS for name, each in of.items()}) for clock, of in seconds.items()},
    }


def figures(seconds: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """Milliseconds and ratios with their intervals, by the seconds a step of each round."""
    return {
        "ms_per_step": {name: round(float(np.median(values)) * 1e3, 3) for name, values in seconds.items()},
        "step_to_plain": {name: median(values / seconds[PLAIN]) for name, values in seconds.items() if name != PLAIN},
    }


def surface_of(changes: Mapping[str, Any]) -> Surface:
    """The plain surface with some changes, section by section."""
    content = dict(_CONTENT)
    for section, change in changes.items():
        content[section] = {**content.get(section, {}), **change}
    return Surface.model_validate(content)


def turn(surface: Surface) -> Callable[[], Any]:
    """Some steps of a surface's student, ready to be called: they were taken once."""
    columns = [*surface.tasks, *soft_label_columns(surface).values()]
    statistics = {name: LabelStatistics(0.5, 0.5) for name in columns}
    ranker = build(surface, _rows(surface), statistics, distil=True)
    loop = training.Loop(ranker, surface, head_losses(surface, statistics, distil=True))
    rows = np.arange(_STEPS * surface.training.batch_size)
    data = InMemory(_columns(surface, len(rows)), rows, split(len(rows), surface.training)[1], surface.training)
    loop.fit(surface.training, data)
    return lambda: loop.take(data.epoch(0), 0)


def _rows(surface: Surface) -> dict[str, int]:
    """Rows of each embedding: those of a vocabulary are as many as a small catalogue has."""
    learned = [name for name, each in surface.features.items() if each.learned and surface.owner(name) == name]
    return {**made_up_rows(surface), **dict.fromkeys(learned, _KNOWN_IDS)}


def _columns(surface: Surface, rows: int) -> dict[str, np.ndarray]:
    """What Transform would write, at random: lists of every length, padded with -1 or 0 as it pads them."""
    rng = np.random.default_rng(0)
    ids = _rows(surface)
    lengths = rng.integers(51, size=(rows, 1))
    found: dict[str, np.ndarray] = {}
    for name, column in input_columns(surface).items():
        shape = (rows, *column.shape)
        listed = name in surface.features and surface.features[name].listed
        there = np.arange(column.shape[0]) < lengths if listed else np.True_
        if column.dtype == "int64":
            owner = surface.owner(name) if name in surface.features else name
            found[name] = np.where(there, rng.integers(ids[owner], size=shape), -1)
        else:
            found[name] = np.where(there, rng.normal(size=shape), 0.0).astype(np.float32)
    found |= {column: rng.integers(2, size=rows).astype(np.float32) for column in hard_label_columns(surface).values()}
    return found | {name: rng.normal(size=rows).astype(np.float32) for name in soft_label_columns(surface).values()}
