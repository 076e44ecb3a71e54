"""A surface with every kind of feature, and rows whose transformed values can be worked out by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_transform as tft

from models import inputs
from schema.inputs import resolve_files
from schema.surface import Surface
from tests.models.transforming import through_transform

LANGUAGES = ["de", "en", "日本語"]
VECTORS = {"de": (0.25, -0.5), "日本語": (1.0, 2.0)}

FEATURES: dict[str, Any] = {
    "item": {"kind": "categorical", "side": "item", "embedding": 3},
    "user": {"kind": "categorical", "side": "user", "hash": 50, "embedding": 2},
    "hour": {"kind": "categorical", "identity": 24, "oov": 2, "default": -1, "embedding": 2},
    "language": {
        "kind": "categorical", "side": "item", "vocabulary": "languages.txt", "pretrained": "vectors.txt",
        "frozen": True, "default": "", "embedding": 2,
    },
    "city": {"kind": "categorical", "top_k": 1, "oov": 3, "default": "nowhere", "embedding": 2},
    "genres": {"kind": "categorical", "side": "item", "many": True, "length": 3, "embedding": 2},
    "tags": {
        "kind": "categorical", "side": "item", "many": True, "pool": "sqrtn", "weights": "tag_weights",
        "hash": 20, "embedding": 2,
    },
    "seen": {"kind": "categorical", "side": "user", "many": True, "pool": "sum", "embedding_of": "item"},
    "recent": {"kind": "categorical", "side": "user", "sequence": "history", "embedding_of": "item"},
    "recent_action": {"kind": "categorical", "side": "user", "sequence": "history", "embedding": 2},
    "recent_age": {"kind": "numeric", "side": "user", "sequence": "history", "scale": "log1p"},
    "listened": {"kind": "categorical", "side": "user", "sequence": "plays", "embedding_of": "item"},
    "searched": {"kind": "categorical", "side": "user", "sequence": "searches", "hash": 30, "embedding": 2},
    "price": {"kind": "numeric", "default": 0.0, "indicator": True},
    "views": {"kind": "numeric", "scale": "log1p"},
    "rank": {"kind": "numeric", "scale": "quantile"},
    "share": {"kind": "numeric", "scale": "min_max", "clip": {"min": 0.0, "max": 10.0}},
    "raw": {"kind": "numeric", "scale": "none", "size": 2},
    "age": {"kind": "numeric", "side": "user", "buckets": [18, 30, 50], "embedding": 2},
    "income": {"kind": "numeric", "side": "user", "buckets": 4, "default": 0.0, "embedding": 2},
}  # fmt: skip

CONTENT: dict[str, Any] = {
    "name": "kinds",
    "features": FEATURES,
    "sequences": {
        "history": {"length": 3, "newest": "last", "read": "attention"},
        "searches": {"length": 2, "read": "self_attention"},
    },
    "crosses": {"user_city": {"of": ["user", "city"], "hash": 40, "embedding": 2}},
    "tasks": {
        "click": {"kind": "binary", "label": "clicked", "distil": {"from": "click"}, "ungated": "a test"},
        "minutes": {"kind": "regression", "label": "minutes", "ungated": "a test"},
    },
    "teacher": {"tasks": {"click": {"kind": "binary"}}, "features": {"item": {"dtype": "int"}}},
    "model": {"trunk": [8], "tower": [4], "l2": 0.0001},
    "training": {"epochs": 3, "batch_size": 16, "learning_rate": 0.01, "validation_fraction": 0.2},
}

INTS = ("item", "hour", "seen", "recent", "listened", "clicked")
TEXTS = ("user", "language", "city", "genres", "tags", "recent_action", "searched")
_REQUIRED = ("item", "user", "views", "rank", "share", "age", "clicked")

RAW_SPEC = {
    name: (tf.io.FixedLenFeature([], dtype) if name in _REQUIRED else tf.io.VarLenFeature(dtype))
    for dtype, names in (
        (tf.int64, INTS),
        (tf.string, TEXTS),
        (
            tf.float32,
            [*(each for each in FEATURES if each not in (*INTS, *TEXTS)), "tag_weights", "minutes", "teacher/click"],
        ),
    )
    for name in names
} | {"raw": tf.io.FixedLenFeature([2], tf.float32)}

# Absent, empty, too long, unknown and non-ASCII values are among them; `ROWS[2]` has no list at all.
ROWS: list[dict[str, Any]] = [
    {
        "item": 7, "user": "ana", "hour": [23], "language": ["de"], "city": ["Köln"], "genres": ["rock"],
        "tags": ["neu", "日本語"], "tag_weights": [3.0, 4.0], "seen": [7, 8], "recent": [9, 8, 7, 7],
        "recent_action": ["skip", "skip", "play", "play"], "recent_age": [0.0, 1.0, 3.0, 7.0], "listened": [8],
        "searched": ["jazz", "rock", "pop"], "price": [4.0], "views": 0.0, "rank": 1.0, "share": -5.0,
        "raw": [0.0, -2.0], "age": 17.0, "income": [1.0], "clicked": 1, "minutes": [2.0], "teacher/click": [1.0],
    },
    {
        "item": 8, "user": "ben", "hour": [24], "language": ["fr"], "city": ["Köln"],
        "genres": ["rock", "jazz", "pop", "late"], "tags": ["neu"], "tag_weights": [], "seen": [],
        "recent": [7], "recent_action": ["play"], "recent_age": [], "listened": [9, 9], "searched": [],
        "price": [2.0], "views": 1.0, "rank": 2.0, "share": 5.0, "raw": [1.0, 0.5], "age": 18.0,
        "income": [2.0], "clicked": 0, "minutes": [], "teacher/click": [-1.0],
    },
    {
        "item": 7, "user": "ana", "hour": [], "language": [], "city": [], "genres": [], "tags": [], "tag_weights": [],
        "seen": [], "recent": [], "recent_action": [], "recent_age": [], "listened": [], "searched": [], "price": [],
        "views": 3.0, "rank": 3.0, "share": 20.0, "raw": [2.0, 0.0], "age": 49.0, "income": [], "clicked": 0,
        "minutes": [], "teacher/click": [0.5],
    },
    {
        "item": 9, "user": "日本", "hour": [0], "language": ["日本語"], "city": ["Lyon"], "genres": ["jazz", "jazz"],
        "tags": ["alt", "neu", "alt"], "tag_weights": [0.0, 0.0, 0.0], "seen": [9], "recent": [7, 9],
        "recent_action": ["play", "skip"], "recent_age": [3.0, 7.0], "listened": [], "searched": ["日本語"],
        "price": [6.0], "views": 7.0, "rank": 4.0, "share": 2.5, "raw": [3.0, 3.0], "age": 50.0, "income": [4.0],
        "clicked": 1, "minutes": [5.0], "teacher/click": [2.0],
    },
]  # fmt: skip


def drawn_rows(count: int, seed: int = 0) -> list[dict[str, Any]]:
    """Rows in which a click depends on whether the item is among the recent ones, and on the genres."""
    rng = np.random.default_rng(seed)
    return [_drawn(rng, index) for index in range(count)]


def _drawn(rng: np.random.Generator, index: int) -> dict[str, Any]:
    item, recent = int(rng.integers(12)), rng.integers(12, size=rng.integers(6)).tolist()
    genres = rng.choice(["rock", "jazz", "日本語"], size=rng.integers(4)).tolist()
    tags = rng.choice(["neu", "alt", "live"], size=rng.integers(3)).tolist()
    match = 1.5 * (item in recent) + 0.7 * genres.count("jazz") - 0.8 + rng.normal() / 2
    clicked = int(rng.random() < 1 / (1 + np.exp(-match)))
    optional = rng.random(6) < 0.7
    return {
        "item": item, "user": f"user-{rng.integers(9)}", "hour": [int(rng.integers(26))] if optional[0] else [],
        "language": [str(rng.choice([*LANGUAGES, "fr"]))] if optional[1] else [],
        "city": [str(rng.choice(["Köln", "Lyon"]))] if optional[2] else [], "genres": genres, "tags": tags,
        "tag_weights": rng.random(len(tags)).tolist() if optional[3] else [],
        "seen": rng.integers(12, size=rng.integers(4)).tolist(), "recent": recent,
        "recent_action": rng.choice(["play", "skip"], size=len(recent)).tolist(),
        "recent_age": (10 * rng.random(len(recent))).tolist(), "listened": recent[:2],
        "searched": rng.choice(["jazz", "rock"], size=rng.integers(4)).tolist(),
        "price": [float(rng.normal())] if optional[4] else [], "views": float(rng.integers(1000)),
        "rank": float(rng.normal()), "share": float(12 * rng.random()), "raw": [float(index), float(rng.normal())],
        "age": float(rng.integers(15, 60)), "income": [float(rng.random())] if optional[5] else [],
        "clicked": clicked, "minutes": [match + 3.0] if clicked else [], "teacher/click": [2.0 * match],
    }  # fmt: skip


def surface_in(folder: Path, **changes: Any) -> Surface:
    """The surface with its files in a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "languages.txt").write_text("\n".join(LANGUAGES) + "\n", encoding="utf-8")
    lines = [f"{value}\t{' '.join(map(str, numbers))}" for value, numbers in VECTORS.items()]
    (folder / "vectors.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return resolve_files(Surface.model_validate({**CONTENT, **changes}), folder)


def serialized(row: dict[str, Any], *, labels: bool = True) -> bytes:
    """A row as a tf.Example; what is an empty list there has no values here."""
    example = tf.train.Example()
    for name, value in row.items():
        if not labels and name in ("clicked", "minutes", "teacher/click"):
            continue
        kept = example.features.feature[name]
        values = value if isinstance(value, list) else [value]
        if name in INTS:
            kept.int64_list.value.extend(values)
        elif name in TEXTS:
            kept.bytes_list.value.extend(each.encode() for each in values)
        else:
            kept.float_list.value.extend(values)
    return example.SerializeToString()


def transform(surface: Surface, rows: list[dict[str, Any]], folder: Path) -> tuple[str, list[str]]:
    """Sends rows through Transform: its graph, and the pattern of the transformed examples."""
    return through_transform(surface, rows, RAW_SPEC, folder)


def columns_of(graph: str, files: list[str]) -> dict[str, Any]:
    """The transformed columns, in the order of the numbers in `raw`, which Transform leaves as they are."""
    spec = tft.TFTransformOutput(graph).transformed_feature_spec()
    found = inputs.transformed_columns(files, spec, list(spec))
    order = np.argsort(found["raw"][:, 0])
    return {name: column[order] for name, column in found.items()}


def in_order(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows in the order of `columns_of`."""
    return sorted(rows, key=lambda row: row["raw"][0])
