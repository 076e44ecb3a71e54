"""A target small enough to train on hundreds of times, and a teacher that knows it or knows another."""

from __future__ import annotations

import numpy as np
import pytest

from evidence.data import RunData
from evidence.slates import Slates, draw_slates
from models.scales import label_statistics
from schema.surface import Surface
from worlds.simulated import Sizes, World, draw_world

USERS, ITEMS = 60, 40

SURFACE = Surface.model_validate(
    {
        "name": "tiny",
        "features": {
            "user": {"kind": "categorical", "side": "user", "embedding": 4},
            "item": {"kind": "categorical", "side": "item", "embedding": 4},
            "match": {"kind": "numeric", "side": "cross"},
        },
        "tasks": {
            "click": {"kind": "binary", "label": "clicked", "distil": {"from": "click"}, "ungated": "test"},
            "minutes": {"kind": "regression", "label": "minutes", "distil": {"from": "minutes"}, "ungated": "test"},
        },
        "teacher": {
            "tasks": {"click": {"kind": "binary"}, "minutes": {"kind": "regression"}},
            "features": {"user": {"dtype": "int"}, "item": {"dtype": "int"}},
        },
        "slices": {"odd": {"features": {"odd": 1}}},
        "model": {"trunk": [16], "tower": [8], "l2": 0.0001},
        "training": {"epochs": 12, "batch_size": 32, "learning_rate": 0.01, "validation_fraction": 0.2},
    }
)


def draw(rng: np.random.Generator, *, rows: int = 400, evaluated: int = 1500, knows: bool = True) -> RunData:
    """Rows of users and items of which some are liked better, and a teacher.

    It knows which; or it was trained on other users and items, and what it says of these is
    as sure and as consistent, and says nothing.
    """
    of_users, of_items = rng.normal(size=USERS), rng.normal(size=ITEMS)
    others_users, others_items = rng.normal(size=USERS), rng.normal(size=ITEMS)

    def columns(count: int) -> dict[str, np.ndarray]:
        users, items = rng.integers(USERS, size=count), rng.integers(ITEMS, size=count)
        taste = of_users[users] + of_items[items]
        clicked = rng.random(count) < 1 / (1 + np.exp(0.5 - taste))
        minutes = np.where(clicked, 2 + taste + 0.5 * rng.normal(size=count), np.nan)
        known = taste if knows else others_users[users] + others_items[items]
        return {
            "user": users,
            "item": items,
            "match": (taste + 2 * rng.normal(size=count)).astype(np.float32)[:, None],
            "label/click": clicked.astype(np.float32),
            "label/minutes": minutes.astype(np.float32),
            "teacher/click": (known / known.std()).astype(np.float32),
            "teacher/minutes": (known / known.std()).astype(np.float32),
        }

    train, evaluation = columns(rows), columns(evaluated)
    held_out = np.arange(rows) % 5 == 0
    odd = evaluation["user"] % 2 == 1
    return RunData(
        name="drawn",
        training=train,
        evaluation=evaluation,
        fitted=np.flatnonzero(~held_out),
        held_out=np.flatnonzero(held_out),
        vocabulary_sizes={"user": USERS, "item": ITEMS},
        statistics=label_statistics(SURFACE, train),
        teacher={"click": 2 * evaluation["teacher/click"], "minutes": 2 + evaluation["teacher/minutes"]},
        raw={"user": evaluation["user"]},
        slices={"odd": odd},
        small_slices=0,
    )


@pytest.fixture(scope="session")
def knowing() -> RunData:
    """A run whose teacher knows the target's tastes."""
    return draw(np.random.default_rng(0))


@pytest.fixture(scope="session")
def disjoint() -> RunData:
    """A run whose teacher knows none of the target's users and items."""
    return draw(np.random.default_rng(0), knows=False)


@pytest.fixture(scope="session")
def live_world() -> World:
    """A simulated world of a few people."""
    return draw_world(Sizes(people=150, music_people=120, videos=100, music_items=150), np.random.default_rng(0))


@pytest.fixture(scope="session")
def slates(live_world: World) -> Slates:
    """What they could be shown."""
    return draw_slates(live_world, 400, np.random.default_rng(1))
