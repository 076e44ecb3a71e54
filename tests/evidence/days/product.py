"""A product of a few days whose readers differ: what is known of them is worth keeping from day to day."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tensorflow as tf
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from schema.loader import SurfaceFolder
from schema.surface import Surface

READERS, ROWS = 40, 240
SPANS = (1, 2, 3, 4)

SURFACE = Surface.model_validate(
    {
        "name": "readers",
        "features": {
            "reader": {"kind": "categorical", "side": "user", "embedding": 4},
            "match": {"kind": "numeric", "side": "cross"},
        },
        "tasks": {
            "click": {"kind": "binary", "label": "click", "distil": {"from": "click"}, "ungated": "test"},
            "minutes": {"kind": "regression", "label": "minutes", "ungated": "test"},
        },
        "teacher": {"tasks": {"click": {"kind": "binary"}}, "features": {"reader": {"dtype": "int"}}},
        "slices": {"odd": {"features": {"odd": 1}}, "reader": {"features": {"odd": None}}},
        "model": {"trunk": [8], "tower": [4]},
        "training": {"epochs": 4, "batch_size": 32, "learning_rate": 0.02, "validation_fraction": 0.2},
    }
)

_SCHEMA = """
feature { name: "reader" type: INT presence { min_fraction: 1 } shape {} }
feature { name: "match" type: FLOAT presence { min_fraction: 1 } shape {} }
feature { name: "odd" type: INT presence { min_fraction: 1 } shape {} }
feature { name: "click" type: INT presence { min_fraction: 1 } shape {} }
feature { name: "minutes" type: FLOAT value_count { min: 1 max: 1 } }
feature { name: "teacher/click" type: FLOAT presence { min_fraction: 1 } value_count { min: 1 max: 1 } }
"""


def folder() -> SurfaceFolder:
    """The surface and its schema, as they are loaded."""
    return SurfaceFolder(Path("readers"), SURFACE, text_format.Parse(_SCHEMA, schema_pb2.Schema()))


def labelled(teacher: int, span: int, split: str) -> list[bytes]:
    """The examples of a split; teacher 0 knows nothing, any other one all, each on a scale of its own.

    After the first day minutes vary three times as much.
    """
    rng = np.random.default_rng([span, split == "eval"])
    likes = np.random.default_rng(7).normal(0, 2, READERS + 10)
    records = []
    for row in range(ROWS):
        # On the fourth day some come who were never there.
        reader = int(rng.integers(READERS + (10 if span == SPANS[-1] else 0)))
        match = float(rng.normal())
        logit = likes[reader] + match
        click = int(rng.random() < 1 / (1 + np.exp(-logit)))
        # Drawn for every teacher: they differ in what they say, and in nothing else.
        noise = rng.normal()
        said = noise if teacher == 0 else logit
        example = tf.train.Example()
        feature = example.features.feature
        feature["reader"].int64_list.value.append(reader)
        feature["odd"].int64_list.value.append(row % 2)
        feature["match"].float_list.value.append(match)
        feature["click"].int64_list.value.append(click)
        if click:
            feature["minutes"].float_list.value.append(5 + logit * (1 if span == SPANS[0] else 3))
        feature["teacher/click"].float_list.value.append((1 + teacher) * float(said) + teacher)
        records.append(example.SerializeToString())
    return records
