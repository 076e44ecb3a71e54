"""Rows of people and items whose tastes a teacher knows, of all of them or of some."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.scales import LabelStatistics, label_statistics
from schema.surface import Surface

PEOPLE, ITEMS, FOLDS = 80, 50, 4


def surface(*, grouped: bool = True, **distil: Any) -> Surface:
    """A click, minutes and a shelf of three, each with the teacher's word for it."""
    distil = distil or {"adapter": {}, "reliability": True}
    click = {"kind": "binary", "label": "clicked", "distil": {"from": "click", **distil}, "ungated": "test"}
    minutes = {"kind": "regression", "label": "m", "distil": {"from": "minutes", **distil}, "ungated": "test"}
    shelf = {"kind": "multiclass", "label": "shelf", "classes": ["low", "middle", "top"], "ungated": "test"}
    return Surface.model_validate(
        {
            "name": "trusting",
            "features": {
                "person": {"kind": "categorical", "side": "user"},
                "item": {"kind": "categorical", "side": "item"},
                "age": {"kind": "numeric"},
            },
            "tasks": {
                "click": click,
                "minutes": minutes,
                "shelf": {**shelf, "distil": {"from": "shelf", "loss": "kl", **distil}},
            },
            "teacher": {
                "tasks": {
                    "click": {"kind": "binary"},
                    "minutes": {"kind": "regression"},
                    "shelf": {"kind": "multiclass", "classes": ["low", "middle", "top"]},
                },
                "features": {"person": {"dtype": "int"}, "item": {"dtype": "int"}},
            },
            "trust": {"folds": FOLDS, "known": ["person"]},
            **({"group": "person"} if grouped else {}),
        }
    )


def rows(seed: int = 0, count: int = 2400, knows: float = 1.0) -> dict[str, NDArray[Any]]:
    """Labels that depend on tastes, and a teacher that knows those of a share of people, and of others another's."""
    rng = np.random.default_rng(seed)
    person, item = rng.integers(PEOPLE, size=count), rng.integers(ITEMS, size=count)
    taste = 1.5 * rng.normal(size=(PEOPLE, ITEMS))[person, item]
    others = 1.5 * rng.normal(size=count)
    said = np.where(person < knows * PEOPLE, taste, others)
    cut = np.digitize(taste + rng.normal(size=count), [-1.0, 1.0])
    classes = -np.square((said[:, None] - np.array([-2.0, 0.0, 2.0])) / 2)
    clicked = rng.random(count) < 1 / (1 + np.exp(1 - taste))
    return {
        "person": person,
        "item": item,
        "age": rng.normal(size=(count, 1)).astype(np.float32),
        "label/click": clicked.astype(np.float32),
        "label/minutes": np.where(clicked, 3 + taste + 0.5 * rng.normal(size=count), np.nan).astype(np.float32),
        "label/shelf": cut.astype(np.float32),
        "teacher/click": (said / said.std()).astype(np.float32),
        "teacher/minutes": (said / said.std()).astype(np.float32),
        "teacher/shelf": classes.astype(np.float32),
        "group/id": person,
    }


def statistics(of: Surface, columns: dict[str, NDArray[Any]]) -> dict[str, LabelStatistics]:
    return label_statistics(of, columns)


def known(share: float = 1.0) -> dict[str, NDArray[np.bool_]]:
    """Which people the teacher knows."""
    return {"person": np.arange(PEOPLE) < share * PEOPLE}
