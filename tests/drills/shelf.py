"""A surface whose models are made by hand, so that a drill decides how good each of them is.

Every row carries what decides its labels (`taste`, `mood`, `time`) and, per task, a column of
noise.  A model reads both: with `noise` 0 it predicts as well as anybody can, and the more
noise it adds, the worse it is, by the same amount on every run.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import tensorflow as tf

from contracts.label_report import LabelReport, SplitReport
from records import documents
from tests.examples import example

TASKS = ("borrowed", "liked", "days")
SURFACE = """
name: shelf
features:
  taste: {kind: numeric, side: cross}
  mood: {kind: numeric, side: user}
  time: {kind: numeric, side: user}
  genre: {kind: categorical, side: item, embedding: 2}
  noise/borrowed: {kind: numeric}
  noise/liked: {kind: numeric}
  noise/days: {kind: numeric}
tasks:
  borrowed:
    kind: binary
    label: was_borrowed
    distil: {from: loan}
    gates:
      - {metric: auc, at_least: 0.6, vs_last_blessed: {at_least: -0.02}, vs_control: {at_least: -0.02}}
      - {metric: auc, slice: crime, at_least: 0.8, min_examples: 50, min_positives: 10}
      - {metric: auc, slice: rare, at_least: 0.65, min_positives: 50}
      - {metric: calibration, between: [0.85, 1.15]}
  liked:
    kind: binary
    label: was_liked
    gates:
      - {metric: auc, at_least: 0.6, vs_last_blessed: {at_least: -0.02}, vs_control: {at_least: -0.02}}
  days:
    kind: regression
    label: days_kept
    gates:
      - {metric: r2, at_least: 0.3, vs_last_blessed: {at_least: -0.03}, vs_control: {at_least: -0.03}}
  returned:
    kind: binary
    label: was_returned
    ungated: almost every book comes back
group: visit
score:
  formula: borrowed + likes * liked
  constants: {likes: 0.5}
  gain: borrowed
  gates:
    - {metric: ndcg_at_10, vs_last_blessed: {at_least: -0.02}}
teacher:
  takes: tensors
  tasks:
    loan: {kind: binary}
  features:
    taste: {dtype: float}
slices:
  crime: {features: {genre: crime}}
  rare: {features: {genre: rare}}
model: {trunk: [4], tower: [4]}
training: {epochs: 1}
serving:
  requests: 64
  batch_sizes: [1]
  rounds: 5
  calls: 20
  max_p99_ratio_vs_control: 5
  max_p99_ratio_vs_last_blessed: 5
"""

SCHEMA = """
default_environment: "RAW"
default_environment: "TRAINING"
default_environment: "SERVING"
feature { name: "taste" type: FLOAT presence { min_fraction: 1 } shape {} }
feature { name: "mood" type: FLOAT presence { min_fraction: 1 } shape {} }
feature { name: "time" type: FLOAT presence { min_fraction: 1 } shape {} }
feature { name: "genre" type: BYTES presence { min_fraction: 1 } shape {} }
feature { name: "visit" type: INT presence { min_fraction: 1 } shape {} not_in_environment: "SERVING" }
feature { name: "noise/borrowed" type: FLOAT presence { min_fraction: 1 } shape {} }
feature { name: "noise/liked" type: FLOAT presence { min_fraction: 1 } shape {} }
feature { name: "noise/days" type: FLOAT presence { min_fraction: 1 } shape {} }
feature { name: "was_borrowed" type: INT presence { min_fraction: 1 } shape {} not_in_environment: "SERVING" }
feature { name: "was_liked" type: INT presence { min_fraction: 1 } shape {} not_in_environment: "SERVING" }
feature { name: "was_returned" type: INT presence { min_fraction: 1 } shape {} not_in_environment: "SERVING" }
feature {
  name: "days_kept" type: FLOAT presence { min_count: 1 } value_count { min: 1 max: 1 } not_in_environment: "SERVING"
}
feature {
  name: "teacher/loan" type: FLOAT presence { min_fraction: 1 } value_count { min: 1 max: 1 }
  float_domain { min: -50 max: 50 } not_in_environment: "RAW" not_in_environment: "SERVING"
}
"""

ROWS = 2000
# One row in eight is crime; forty rows are rare, too few for the positives that its gate asks for.
RARE_ROWS = 40
GENRES = (b"crime", b"poetry", b"travel", b"art", b"poetry", b"travel", b"art", b"cooking")

Columns = dict[str, bytes | int | float]


def write_surface(folder: Path) -> Path:
    folder.mkdir(parents=True)
    (folder / "surface.yaml").write_text(SURFACE)
    (folder / "schema.pbtxt").write_text(SCHEMA)
    return folder


def write_labelled(folder: Path, *, seed: int) -> Path:
    """Examples as TeacherLabeler leaves them: `Split-train/` and `Split-eval/`, with `teacher/loan`."""
    return _write(folder, seed, "Split-", labelled=True)


def write_raw(folder: Path, *, seed: int) -> Path:
    """Examples as they arrive: `train/` and `eval/`."""
    return _write(folder, seed, "", labelled=False)


def _write(folder: Path, seed: int, prefix: str, *, labelled: bool) -> Path:
    rng = np.random.default_rng(seed)
    for split in ("train", "eval"):
        (folder / f"{prefix}{split}").mkdir(parents=True)
        path = folder / f"{prefix}{split}" / "examples-00000-of-00001.gz"
        with tf.io.TFRecordWriter(str(path), options="GZIP") as writer:
            for columns in _rows(rng):
                if labelled:
                    columns["teacher/loan"] = 2 * float(columns["taste"])
                writer.write(example(columns).SerializeToString())
    return folder


def _rows(rng: np.random.Generator) -> Iterator[Columns]:
    for row in range(ROWS):
        taste, mood, time = (float(value) for value in rng.normal(size=3))
        noise = {f"noise/{task}": float(rng.normal()) for task in TASKS}
        columns: Columns = {
            "taste": taste,
            "mood": mood,
            "time": time,
            "visit": row // 10,
            "genre": b"rare" if row < RARE_ROWS else GENRES[row % len(GENRES)],
            "was_borrowed": int(rng.random() < _sigmoid(2 * taste)),
            "was_liked": int(rng.random() < _sigmoid(2 * mood)),
            "was_returned": int(rng.random() < 0.97),
            **noise,
        }
        if columns["was_borrowed"]:
            columns["days_kept"] = 1 + time + 0.5 * float(rng.normal())
        yield columns


def _sigmoid(value: float) -> float:
    return float(1 / (1 + np.exp(-value)))


@dataclass(frozen=True)
class Quality:
    """How good a model is.

    Attributes:
      noise: Added to every task's score, in the score's unit: 0 is best.
      of: The same, for single tasks.
      in_genre: Noise added to `borrowed` in single genres.
      shift: Added to the logits of binary tasks: neither order nor AUC change, the mean does.
      flat: Binary tasks whose logits are a hundredth of what they should be: neither order, AUC nor mean
        change, and yet they hardly count in a sum with others.
      nan: Tasks whose predictions are NaN.
      mark: A coefficient of the task without a gate; tells models of equal quality apart.
    """

    noise: float = 0.5
    of: Mapping[str, float] = field(default_factory=dict)
    in_genre: Mapping[str, float] = field(default_factory=dict)
    shift: Mapping[str, float] = field(default_factory=dict)
    flat: tuple[str, ...] = ()
    nan: tuple[str, ...] = ()
    mark: float = 0.1


GOOD = Quality()
BETTER = Quality(noise=0.1)
USELESS = 50.0  # noise that leaves nothing of the signal


class Ranker(tf.Module):
    """Scores rows as well as it is told to."""

    likes = 0.5  # as surface.yaml says

    def __init__(self, quality: Quality):
        super().__init__()
        self.quality = quality
        self.scale = tf.Variable([quality.of.get(task, quality.noise) for task in TASKS])

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="examples")])
    def serve(self, examples: tf.Tensor) -> dict[str, tf.Tensor]:
        names = ["taste", "mood", "time", *(f"noise/{task}" for task in TASKS)]
        spec = {name: tf.io.FixedLenFeature([], tf.float32) for name in names}
        spec["genre"] = tf.io.FixedLenFeature([], tf.string)
        rows = tf.io.parse_example(examples, spec)
        noise = {task: self.scale[i] * rows[f"noise/{task}"] for i, task in enumerate(TASKS)}
        for genre, more in self.quality.in_genre.items():
            noise["borrowed"] += more * rows["noise/borrowed"] * tf.cast(rows["genre"] == genre, tf.float32)
        outputs = {
            "borrowed": self.probability("borrowed", 2 * rows["taste"] + noise["borrowed"]),
            "liked": self.probability("liked", 2 * rows["mood"] + noise["liked"]),
            "days": 1 + rows["time"] + noise["days"],
            "returned": tf.sigmoid(3 + self.quality.mark * rows["mood"]),
        }
        outputs = {task: each * (float("nan") if task in self.quality.nan else 1.0) for task, each in outputs.items()}
        return {**outputs, "score": outputs["borrowed"] + self.likes * outputs["liked"]}

    def probability(self, task: str, logit: tf.Tensor) -> tf.Tensor:
        scale = 0.01 if task in self.quality.flat else 1.0
        return tf.sigmoid(scale * logit + self.quality.shift.get(task, 0.0))


class RankerWithHead(Ranker):
    """One whose export took the distillation head along."""

    def __init__(self, quality: Quality):
        super().__init__(quality)
        self.head = tf.Variable(tf.zeros([4, 1]), name="distillation_borrowed/kernel")


class RankerWithLabel(Ranker):
    """One that still reads the soft label, and gives it back."""

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="examples")])
    def serve(self, examples: tf.Tensor) -> dict[str, tf.Tensor]:
        spec = {"teacher/loan": tf.io.FixedLenFeature([], tf.float32, default_value=0.0)}
        return {**super().serve(examples), "loan": tf.io.parse_example(examples, spec)["teacher/loan"]}


class RankerWithItsOwnScore(Ranker):
    """One that serves another score than surface.yaml says."""

    likes = 0.6


class SlowRanker(Ranker):
    """One that takes its time."""

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="examples")])
    def serve(self, examples: tf.Tensor) -> dict[str, tf.Tensor]:
        outputs = super().serve(examples)
        wide = tf.fill([800, 800], outputs["days"][0] / 800)
        # Small, and yet no zero, which TensorFlow would find and leave out.
        return {**outputs, "days": outputs["days"] + 1e-12 * tf.reduce_max(tf.matmul(wide, wide))}


def write_model(folder: Path, quality: Quality, kind: type[Ranker] = Ranker) -> Path:
    """A Model artifact's folder, as Trainer writes it."""
    model = kind(quality)
    tf.saved_model.save(model, str(folder / "Format-Serving"), signatures={"serving_default": model.serve})
    return folder


class Teacher(tf.Module):
    """Its logits are `scale` times the taste."""

    def __init__(self, scale: float):
        super().__init__()
        self.scale = tf.Variable(scale)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, name="taste")])
    def rank(self, taste: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"loan": self.scale * taste}


def write_teacher(folder: Path, *, scale: float) -> Path:
    teacher = Teacher(scale)
    tf.saved_model.save(teacher, str(folder), signatures={"serving_default": teacher.rank})
    return folder


def write_label_report(folder: Path, *, labelled: int) -> Path:
    """A LabelReport artifact's folder; of `ROWS` rows a split, `labelled` in all have soft labels."""
    part = SplitReport(
        read=2 * ROWS,
        labelled=labelled,
        bad={},
        features={},
        fill_rate=None,
        mean_fill_rate=None,
        tasks={},
        counterparts={},
        sampled=labelled,
    )
    report = LabelReport(
        surface="shelf",
        teacher="teacher",
        teacher_fingerprint="of-the-teacher",
        signature="serving_default",
        splits={},
        overall=part,
        seconds=1.0,
        examples_per_second=2.0 * ROWS,
    )
    documents.write(str(folder), report)
    return folder
