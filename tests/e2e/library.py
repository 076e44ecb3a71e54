"""A surface that no shipped world uses, with its examples and its teacher, made on the spot.

Readers are shown books.  `borrowed` is distilled from the teacher's task `loan`; `liked`
(known for some borrowed books only) is not distilled.  `genre` is an optional string.
Latency is measured, and decides nothing: other tests run beside.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import tensorflow as tf

from tests.examples import example

SERVING = """
serving: {requests: 16, batch_sizes: [1], rounds: 1, calls: 5, max_p99_ratio_vs_control: 1000,
  max_p99_ratio_vs_last_blessed: 1000}
"""

SURFACE = """
name: library
features:
  reader: {kind: categorical, side: user, embedding: 4}
  book: {kind: categorical, side: item, embedding: 4, min_count: 2}
  genre: {kind: categorical, side: item, default: unknown, embedding: 2}
  match: {kind: numeric, side: cross}
  pages: {kind: numeric, side: item, default: 200}
tasks:
  borrowed:
    kind: binary
    label: was_borrowed
    distil: {from: loan}
    gates:
      - {metric: auc, at_least: 0.6, vs_last_blessed: {at_least: -0.02}, vs_control: {at_least: -0.05}}
      - {metric: auc, slice: crime, at_least: 0.55, min_examples: 50, min_positives: 10}
  liked:
    kind: binary
    label: was_liked
    gates:
      - {metric: auc, at_least: 0.4}
teacher:
  signature: rank
  takes: tensors
  tasks:
    loan: {kind: binary, output: loan_logit}
    fun: {kind: regression}
  features:
    name: {dtype: string, from: reader}
    match: {dtype: float}
    hour: {dtype: float, default: 0.5}
slices:
  crime: {features: {genre: crime}}
model: {trunk: [16], tower: [8]}
training: {epochs: 4, batch_size: 64, learning_rate: 0.005}
""" + SERVING.lstrip()

SCHEMA = """
default_environment: "RAW"
default_environment: "TRAINING"
default_environment: "SERVING"
feature { name: "reader" type: BYTES presence { min_fraction: 1 } shape {} }
feature { name: "book" type: INT presence { min_fraction: 1 } shape {} }
feature { name: "genre" type: BYTES presence { min_count: 1 } value_count { min: 1 max: 1 } }
feature { name: "match" type: FLOAT presence { min_fraction: 1 } shape {} }
feature { name: "pages" type: INT value_count { min: 1 max: 1 } }
feature { name: "was_borrowed" type: INT presence { min_fraction: 1 } shape {} not_in_environment: "SERVING" }
feature {
  name: "was_liked" type: INT presence { min_count: 1 } value_count { min: 1 max: 1 } not_in_environment: "SERVING"
}
feature {
  name: "teacher/loan" type: FLOAT presence { min_fraction: 1 } value_count { min: 1 max: 1 }
  float_domain { min: -50 max: 50 } not_in_environment: "RAW" not_in_environment: "SERVING"
  drift_comparator { jensen_shannon_divergence { threshold: 0.1 } }
}
feature {
  name: "teacher/fun" type: FLOAT presence { min_fraction: 1 } value_count { min: 1 max: 1 }
  not_in_environment: "RAW" not_in_environment: "SERVING"
}
"""

# With these, the pipeline also makes pairs that were never shown: a reader and a book.
PAIRS = """
unlabelled:
  per_row: 1
  item: [book]
  cross: {match: {value: 0.0}}
"""
SCHEMA_WITH_PAIRS = SCHEMA.replace(
    'name: "was_borrowed" type: INT presence { min_fraction: 1 } shape {}',
    'name: "was_borrowed" type: INT presence { min_fraction: 1 } value_count { min: 1 max: 1 }',
)

TRAIN_ROWS, EVAL_ROWS = 1200, 600
GENRES = ("crime", "poetry", "travel")


def write_surface(folder: Path, *, surface: str = SURFACE, schema: str = SCHEMA) -> Path:
    folder.mkdir(parents=True)
    (folder / "surface.yaml").write_text(surface)
    (folder / "schema.pbtxt").write_text(schema)
    return folder


def write_examples(
    folder: Path,
    *,
    seed: int = 0,
    without: str | None = None,
    sizes: tuple[int, int] = (TRAIN_ROWS, EVAL_ROWS),
    shift: float = 0.0,
    key: str | None = None,
    parts: int = 2,
) -> Path:
    """Writes train/ and eval/.

    Args:
      folder: Where to.
      seed: Of everything drawn.
      without: A column that is left out everywhere.
      sizes: Rows of the two splits.
      shift: How much better the books match than usual.
      key: A column with another number in every example.
      parts: Files of each.
    """
    numbers = itertools.count(1000)
    rng = np.random.default_rng(seed)
    for split, rows in zip(("train", "eval"), sizes, strict=True):
        (folder / split).mkdir(parents=True)
        examples = list(_examples(rng, rows, without, shift))
        for each in examples if key else ():
            each.features.feature[key].int64_list.value.append(next(numbers))
        for part in range(parts):
            with tf.io.TFRecordWriter(str(folder / split / f"part-{part}.gz"), options="GZIP") as writer:
                for each in examples[part::parts]:
                    writer.write(each.SerializeToString())
    return folder


def write_candidates(folder: Path, *, rows: int, seed: int = 0) -> Path:
    """Writes logs of candidates: as examples, without labels, one file."""
    folder.mkdir(parents=True)
    with tf.io.TFRecordWriter(str(folder / "part-0.gz"), options="GZIP") as writer:
        for each in _examples(np.random.default_rng(seed), rows, None, 0.0):
            for label in ("was_borrowed", "was_liked"):
                each.features.feature.pop(label, None)
            writer.write(each.SerializeToString())
    return folder


def _examples(rng: np.random.Generator, rows: int, without: str | None, shift: float) -> Iterator[tf.train.Example]:
    for _ in range(rows):
        match = rng.normal() + shift
        borrowed = rng.random() < _sigmoid(2 * match - 0.5)
        columns: dict[str, bytes | int | float] = {
            "reader": f"reader-{rng.integers(20)}".encode(),
            "book": int(rng.integers(40)),
            "match": float(match),
            "was_borrowed": int(borrowed),
        }
        if rng.random() < 0.8:
            columns["genre"] = GENRES[rng.integers(3)].encode()
        if rng.random() < 0.5:
            columns["pages"] = int(rng.integers(50, 900))
        if borrowed and rng.random() < 0.7:
            columns["was_liked"] = int(rng.random() < _sigmoid(match))
        columns.pop(without or "", None)
        yield example(columns)


def _sigmoid(value: float) -> float:
    return 1 / (1 + np.exp(-value))


TEACHER_INPUTS = [
    tf.TensorSpec([None], tf.string, name="name"),
    tf.TensorSpec([None], tf.float32, name="match"),
    tf.TensorSpec([None], tf.float32, name="hour"),
]


class _Teacher(tf.Module):
    """Knows that the match decides; `scale` lets a test make it say NaN."""

    def __init__(self, scale: float):
        super().__init__()
        self.scale = tf.Variable(scale)

    @tf.function(input_signature=TEACHER_INPUTS)
    def rank(self, name: tf.Tensor, match: tf.Tensor, hour: tf.Tensor) -> dict[str, tf.Tensor]:
        bias = tf.cast(tf.strings.length(name), tf.float32) * 0.01
        logit = self.scale * (2 * match - hour + bias)
        return {"loan_logit": logit[:, tf.newaxis], "fun": match}


def write_teacher(folder: Path, *, scale: float = 1.0, signature: str = "rank") -> Path:
    teacher = _Teacher(scale)
    tf.saved_model.save(teacher, str(folder), signatures={signature: teacher.rank})
    return folder
