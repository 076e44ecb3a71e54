"""What it takes to have training data at hand: memory before the first step, and time to parse.

In processes of their own, over rows that are all the same, since nothing here depends on
what they say: what is added to the process at any time, in sizes of the data (rows times the
bytes that a row takes once it is parsed).
"""

from __future__ import annotations

import gc
import tempfile
import time
from pathlib import Path
from typing import Any

import tensorflow as tf

from benchmarks.steps.memory import forget_peak, in_a_process, resident
from models import inputs
from models.columns import hard_label_columns, soft_label_columns
from models.store import Store
from records.shards import ShardWriter
from schema.surface import FeatureKind, Surface

_FILES = 4
_BLOCK = 4096
_FEW = 1000
_LEVEL = 1


def measure(surface: Surface, rows: int) -> dict[str, Any]:
    """Memory of both ways to train on so many rows, in sizes of the data, and microseconds to parse a row."""
    with tempfile.TemporaryDirectory() as folder:
        many, few = Path(folder) / "many", Path(folder) / "few"
        _write(many, surface, rows)
        _write(few, surface, _FEW)
        held, streamed = (in_a_process(_read, surface, str(few), str(many), limit) for limit in (None, 0))
    return {
        "rows": rows,
        "data_megabytes": round(held["data"] / 2**20, 1),
        "parsing_microseconds_a_row_cpu": round(held["parsing_cpu"] / rows * 1e6, 2),
        "memory_in_data_held": round(held["added"] / held["data"], 2),
        "memory_in_data_streamed": round(streamed["added"] / streamed["data"], 2),
    }


def _read(surface: Surface, few: str, many: str, limit: int | None) -> dict[str, float]:
    """Gets as far as the first window or batch; a few rows came before, so that code is loaded."""
    _first(surface, few, limit)
    gc.collect()
    before = resident("VmRSS")
    forget_peak()
    store, parsing, data = _first(surface, many, limit)
    added = resident("VmHWM") - before
    del data
    return {"added": added, "data": store.rows * store.row_bytes, "parsing_cpu": parsing}


def _first(surface: Surface, folder: str, limit: int | None) -> tuple[Store, float, Any]:
    started = time.process_time()
    store = Store([f"{folder}/*.gz"], _spec(surface))
    parsing = time.process_time() - started
    store.columns(list(hard_label_columns(surface).values()))
    data = inputs.transformed(store, surface.training, memory_limit=inputs.MEMORY_LIMIT if limit is None else limit)
    return store, parsing, next(data.epoch(0).parts())


def _spec(surface: Surface) -> dict[str, Any]:
    spec: dict[str, Any] = {
        name: tf.io.FixedLenFeature([], tf.int64)
        if feature.kind is FeatureKind.CATEGORICAL
        else tf.io.FixedLenFeature([feature.size], tf.float32)
        for name, feature in surface.features.items()
    }
    labels = [*hard_label_columns(surface).values(), *sorted(set(soft_label_columns(surface).values()))]
    return {**spec, **{name: tf.io.FixedLenFeature([], tf.float32) for name in labels}}


def _write(folder: Path, surface: Surface, rows: int) -> None:
    folder.mkdir()
    example = tf.train.Example()
    for name, column in _spec(surface).items():
        kept = example.features.feature[name]
        if column.dtype == tf.int64:
            kept.int64_list.value.append(3)
        else:
            kept.float_list.value.extend([0.5] * (column.shape[0] if column.shape else 1))
    record = example.SerializeToString()
    for number in range(_FILES):
        left = rows // _FILES
        with ShardWriter(str(folder / f"{number}.gz"), _LEVEL) as writer:
            while left > 0:
                writer.write([record] * min(left, _BLOCK))
                left -= _BLOCK
