"""Logs as products write them, of people whose taste is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import tensorflow as tf

from tests.examples import example

FIRST = pd.Timestamp("2026-03-02")


def write_log(frame: pd.DataFrame, path: Path) -> Path:
    """Writes a log in the format of its name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".parquet":
        frame.to_parquet(path, index=False)
    elif path.suffix == ".csv":
        frame.to_csv(path, index=False)
    else:
        with tf.io.TFRecordWriter(str(path), options="GZIP") as writer:
            for row in frame.to_dict("records"):
                columns = {name: _stored(value) for name, value in row.items() if not pd.isna(value)}
                writer.write(example(columns).SerializeToString())
    return path


def _stored(value: object) -> object:
    if isinstance(value, pd.Timestamp):
        return int(value.timestamp())
    return value.encode() if isinstance(value, str) else value


def people(
    units: int = 400,
    *,
    days: int = 6,
    lift: float = 0.0,
    seed: int = 0,
    arms: tuple[str, ...] = ("control", "student"),
    warm_up: int = 0,
) -> pd.DataFrame:
    """A row per person and day on which the person came.

    Args:
      units: How many people.
      days: Days of the experiment.
      lift: How much more is heard in all arms but the first.
      seed: Of everything drawn.
      arms: The arms, by turns.
      warm_up: Days before the experiment, on which all are alike.
    """
    rng = np.random.default_rng(seed)
    taste, arm = rng.gamma(4, 1, units), np.arange(units) % len(arms)
    parts = []
    for day in range(-warm_up, days):
        came = np.flatnonzero(rng.random(units) < 0.5)
        more = np.where((arm[came] > 0) & (day >= 0), 1 + lift, 1.0)
        plays = 1 + rng.poisson(taste[came])
        parts.append(
            pd.DataFrame(
                {
                    "user": [f"u{each}" for each in came],
                    "arm": [arms[each] for each in arm[came]],
                    "day": FIRST + pd.Timedelta(days=day),
                    "country": np.where(came % 3 == 0, "de", "fr"),
                    "plays": plays.astype(float),
                    "minutes": rng.poisson(3 * plays * more).astype(float),
                    "skips": rng.poisson(1.0, len(came)).astype(float),
                }
            )
        )
    return pd.concat(parts, ignore_index=True)
