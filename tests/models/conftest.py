"""A tiny surface with Transform's output, made once for all tests of models."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from schema.surface import Surface
from tests.models.transforming import through_transform

ROWS = 400

SURFACE = Surface.model_validate(
    {
        "name": "tiny",
        "features": {
            "user": {"kind": "categorical", "side": "user", "embedding": 4},
            "genre": {"kind": "categorical", "side": "item", "default": "unknown", "embedding": 2},
            "match": {"kind": "numeric", "side": "cross"},
            "content": {"kind": "numeric", "side": "item", "size": 2},
            "age": {"kind": "numeric", "default": 1.5},
        },
        "tasks": {
            "click": {"kind": "binary", "label": "clicked", "distil": {"from": "click"}, "ungated": "test"},
            "minutes": {"kind": "regression", "label": "minutes", "ungated": "test"},
        },
        "teacher": {
            "tasks": {"click": {"kind": "binary"}, "stay": {"kind": "binary"}},
            "features": {"user": {"dtype": "int"}},
            "representations": {"layer": {"size": 3}},
        },
        "non_serving_heads": {"stay": {"from": "stay"}},
        "group": "user",
        "model": {"trunk": [8], "tower": [4], "dropout": 0.1},
        "training": {"epochs": 3, "batch_size": 32, "validation_fraction": 0.2},
    }
)

RAW_SPEC = {
    "user": tf.io.FixedLenFeature([], tf.int64),
    "genre": tf.io.VarLenFeature(tf.string),
    "match": tf.io.FixedLenFeature([], tf.float32),
    "content": tf.io.FixedLenFeature([2], tf.float32),
    "age": tf.io.VarLenFeature(tf.float32),
    "clicked": tf.io.FixedLenFeature([], tf.int64),
    "minutes": tf.io.VarLenFeature(tf.float32),
    "importance": tf.io.VarLenFeature(tf.float32),
    "day": tf.io.VarLenFeature(tf.int64),
    "teacher/layer": tf.io.VarLenFeature(tf.float32),
    "teacher/click": tf.io.VarLenFeature(tf.float32),
    "teacher/stay": tf.io.VarLenFeature(tf.float32),
}


@dataclass(frozen=True)
class Transformed:
    """Raw rows, and where Transform's graph and transformed examples are."""

    raw: list[dict]
    graph: str
    train_files: list[str]


def raw_rows() -> list[dict]:
    rng = np.random.default_rng(0)
    rows = []
    for index in range(ROWS):
        match = float(rng.normal())
        clicked = int(rng.random() < 1 / (1 + np.exp(-2 * match)))
        rows.append(
            {
                "user": index % 7,
                "genre": ["rock"] if index % 3 else [],
                "match": match,
                "content": [float(index % 5), 2.0],
                "age": [float(index % 4)] if index % 2 else [],
                "clicked": clicked,
                "minutes": [3.0 + match] if clicked else [],
                "importance": [float(index % 3)] if index % 2 else [],
                "day": [index // 50] if index else [],
                "teacher/click": [10.0 + 2 * match] if index % 10 else [],
                "teacher/stay": [-match],
                "teacher/layer": [match, -match, 2.0] if index % 10 else [],
            }
        )
    return rows


@pytest.fixture(scope="session")
def transformed(tmp_path_factory: pytest.TempPathFactory) -> Transformed:
    return write_transformed(tmp_path_factory.mktemp("transform"))


def write_transformed(folder: Path) -> Transformed:
    """Sends the raw rows through Transform; the examples are in ``Split-train``, in two shards."""
    rows = raw_rows()
    content = SURFACE.model_dump(mode="json", by_alias=True) | {"weight_column": "importance"}
    content["period"] = {"column": "day"}
    # What is written for trust by examples, too.
    content["tasks"]["click"]["distil"] |= {"reliability": True, "weight_column": "importance"}
    content["teacher"]["features"]["genre"] = {"dtype": "string"}
    return Transformed(rows, *through_transform(Surface.model_validate(content), rows, RAW_SPEC, folder))
