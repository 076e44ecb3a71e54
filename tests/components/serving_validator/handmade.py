"""Tiny SavedModels that serve well, or fail in one way each, and requests for them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import tensorflow as tf

from components.serving_validator.requirements import Requirements, requirements_of
from schema.surface import Surface

SURFACE = Surface.model_validate(
    {
        "name": "tiny",
        "features": {
            "user": {"kind": "categorical", "side": "user"},
            "match": {"kind": "numeric"},
            "age": {"kind": "numeric", "default": 1.5},
        },
        "tasks": {
            "click": {"kind": "binary", "label": "clicked", "distil": {"from": "click"}, "ungated": "test"},
            "minutes": {"kind": "regression", "label": "minutes", "ungated": "test"},
        },
        "teacher": {"tasks": {"click": {"kind": "binary"}}, "features": {"user": {"dtype": "int"}}},
        "serving": {
            "requests": 8,
            "batch_sizes": [1, 4],
            "rounds": 3,
            "calls": 20,
            "max_p99_ratio_vs_control": 5.0,
            "max_p99_ratio_vs_last_blessed": 5.0,
        },
    }
)
REQUIREMENTS: Requirements = requirements_of(SURFACE)
ROWS = 10


def _answers(logit: tf.Tensor, parsed: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    return {"click": tf.sigmoid(logit), "minutes": parsed["age"]}


# Flaws of what is answered: it depends on the other rows, or is no number, or no probability.
_FLAWS = {
    "company": lambda logit, parsed: _answers(logit - tf.reduce_mean(logit), parsed),
    "order": lambda logit, parsed: _answers(logit + 0.01 * tf.cast(tf.range(tf.shape(logit)[0]), tf.float32), parsed),
    "nan": lambda logit, parsed: _answers(tf.math.log(-tf.ones_like(logit)), parsed),
    "last rows": lambda logit, parsed: _answers(tf.where(parsed["match"] > 4, float("nan"), logit), parsed),
    "large": lambda logit, parsed: {**_answers(logit, parsed), "click": 1e6 * tf.sigmoid(logit)},
    "one answer": lambda logit, parsed: {**_answers(logit, parsed), "click": tf.reduce_mean(tf.sigmoid(logit))},
}


class Served(tf.Module):
    """click = sigmoid(match * weight), minutes = age + user, and a flaw on demand."""

    def __init__(self, weight: float, flaw: str) -> None:
        super().__init__()
        self.weight = tf.Variable(weight, name="trunk/kernel")
        self.flaw = flaw
        if flaw == "head":
            self.head = tf.Variable(1.0, name="distillation_click/kernel")

    def _spec(self) -> dict[str, Any]:
        spec: dict[str, Any] = {
            "user": tf.io.FixedLenFeature([], tf.int64),
            "match": tf.io.FixedLenFeature([], tf.float32, 0.0 if self.flaw == "lenient" else None),
            "age": tf.io.FixedLenFeature([], tf.float32, 1.5),
        }
        if self.flaw == "label":
            spec["clicked"] = tf.io.FixedLenFeature([], tf.float32, 0.0)
        if self.flaw == "soft label":
            spec["teacher/click"] = tf.io.FixedLenFeature([], tf.float32, 0.0)
        return spec

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="examples")])
    def serve(self, examples: tf.Tensor) -> dict[str, tf.Tensor]:
        return self._answer(tf.io.parse_example(examples, self._spec()))

    @tf.function(
        input_signature=[
            tf.TensorSpec([None], tf.int64, name="user"),
            tf.TensorSpec([None], tf.float32, name="match"),
            tf.TensorSpec([None], tf.float32, name="age"),
        ]
    )
    def serve_tensors(self, user: tf.Tensor, match: tf.Tensor, age: tf.Tensor) -> dict[str, tf.Tensor]:
        absent = {name: tf.zeros_like(match) for name in ("clicked", "teacher/click")}
        if self.flaw == "tensors":
            age += 0.5
        return self._answer({"user": user, "match": match, "age": age, **absent})

    def _answer(self, parsed: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        logit = parsed["match"] * self.weight
        if self.flaw == "head":
            logit += 0 * self.head
        if self.flaw == "label":
            logit += parsed["clicked"]
        if self.flaw == "soft label":
            logit += 0 * parsed["teacher/click"]
        if self.flaw == "slow":
            logit += 0 * _work(30)
        if self.flaw == "stuck":
            logit += tf.cond(tf.size(logit) > 1, lambda: _work(10**9), lambda: 0.0)
        if self.flaw in _FLAWS:
            return _FLAWS[self.flaw](logit, parsed)
        if self.flaw == "double":
            return {"click": tf.cast(tf.sigmoid(logit), tf.float64), "minutes": parsed["age"]}
        return {"click": tf.sigmoid(logit), "minutes": parsed["age"] + tf.cast(parsed["user"], tf.float32)}


def _work(times: int) -> tf.Tensor:
    matrix = tf.eye(256)
    for _ in tf.range(times):
        matrix = tf.linalg.matmul(matrix, matrix)
    return tf.reduce_sum(matrix)


def write_model(folder: Path, weight: float = 2.0, flaw: str = "") -> str:
    module = Served(weight, flaw)
    signatures = {"serving_default": module.serve, "tensors": module.serve_tensors}
    if flaw == "no tensors":
        del signatures["tensors"]
    tf.saved_model.save(module, str(folder), signatures=signatures)
    return str(folder)


def write_examples(uri: Path) -> str:
    """Ten labelled examples in an eval split; every other one lacks `age`."""
    folder = uri / "Split-eval"
    folder.mkdir(parents=True)
    with tf.io.TFRecordWriter(str(folder / "data-00000-of-00001.gz"), "GZIP") as writer:
        for row in range(ROWS):
            writer.write(example(row).SerializeToString())
    return str(uri)


def example(row: int) -> tf.train.Example:
    floats = {"match": row - 4.5, "clicked": float(row % 2), "minutes": 3.0, "teacher/click": 0.5}
    if row % 2:
        floats["age"] = float(row)
    features = {name: tf.train.Feature(float_list=tf.train.FloatList(value=[each])) for name, each in floats.items()}
    features["user"] = tf.train.Feature(int64_list=tf.train.Int64List(value=[row]))
    return tf.train.Example(features=tf.train.Features(feature=features))
