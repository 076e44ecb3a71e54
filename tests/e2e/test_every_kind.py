"""A surface with every kind of feature, and Keras of one's own, through the whole pipeline and an experiment."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf
import yaml

from tests.e2e import library
from tests.forked import crosskd
from tests.models import all_kinds

pytestmark = pytest.mark.slow

GATES: dict[str, Any] = {"gates": [{"metric": "auc", "at_least": 0.5}]}
SERVING: dict[str, Any] = yaml.safe_load(library.SERVING)["serving"]
OWN_NET = '''
"""A student as a team has it: a Keras class."""

import keras


class Student(keras.Model):
    def __init__(self, rows):
        super().__init__()
        self.items = keras.layers.Embedding(rows["item"], 4)
        self.hidden = keras.layers.Dense(8, activation="relu")
        self.click = keras.layers.Dense(1)
        self.minutes = keras.layers.Dense(1)

    def call(self, columns):
        recent = columns["recent"]
        there = keras.ops.expand_dims(keras.ops.cast(recent >= 0, "float32"), -1)
        history = keras.ops.sum(self.items(keras.ops.maximum(recent, 0)) * there, axis=1)
        item = self.items(columns["item"])
        hidden = self.hidden(keras.ops.concatenate([item, history, item * history, columns["views"]], axis=-1))
        return {"click": self.click(hidden), "minutes": self.minutes(hidden), "hidden": hidden}


def build_student(rows):
    return Student(rows)
'''


class Teacher(tf.Module):
    """Knows that an item among the recent ones is clicked; it takes the sequence padded."""

    @tf.function(
        input_signature=[
            tf.TensorSpec([None], tf.int64, name="item"),
            tf.TensorSpec([None, 5], tf.int64, name="recent"),
        ]
    )
    def rank(self, item: tf.Tensor, recent: tf.Tensor) -> dict[str, tf.Tensor]:
        seen = tf.reduce_any(recent == item[:, None], axis=1)
        return {"click": 3.0 * tf.cast(seen, tf.float32) - 0.8}


def schema() -> str:
    """The TFDV schema of `all_kinds`, as one writes it."""
    lines = [f'default_environment: "{each}"' for each in ("RAW", "TRAINING", "SERVING")]
    for name, spec in all_kinds.RAW_SPEC.items():
        kind = {tf.int64: "INT", tf.string: "BYTES", tf.float32: "FLOAT"}[spec.dtype]
        shape = ""
        if isinstance(spec, tf.io.FixedLenFeature) and name != "clicked":
            sizes = "".join(f"dim {{ size: {size} }} " for size in spec.shape)
            shape = f"presence {{ min_fraction: 1 }} shape {{ {sizes}}}"
        elif name in ("clicked", "minutes", "teacher/click"):
            shape = "value_count { min: 1 max: 1 }"
        absent = {"clicked": ["SERVING"], "minutes": ["SERVING"], "teacher/click": ["RAW", "SERVING"]}.get(name, [])
        outside = " ".join(f'not_in_environment: "{each}"' for each in absent)
        lines.append(f'feature {{ name: "{name}" type: {kind} {shape} {outside} }}')
    return "\n".join(lines)


def content(**changes: Any) -> dict[str, Any]:
    found = json.loads(json.dumps(all_kinds.CONTENT))
    found["tasks"]["click"] = {"kind": "binary", "label": "clicked", "distil": {"from": "click"}, **GATES}
    found["teacher"] = {
        "signature": "rank",
        "tasks": {"click": {"kind": "binary"}},
        "features": {"item": {"dtype": "int"}, "recent": {"dtype": "int", "size": 5, "pad": -1}},
    }
    return found | {"serving": SERVING, **changes}


def _as_logged(row: dict[str, Any]) -> dict[str, Any]:
    """A row before it is labelled; a label that is not known is no list without values."""
    logged = {key: value for key, value in row.items() if key != "teacher/click" and (key, value) != ("minutes", [])}
    # So many people that most pairs of a person and an item were never shown; and numbers that need no scaling.
    first, second = row["raw"]
    return logged | {"user": f"user-{int(1000 * row['rank']) % 300}", "raw": [first % 3, second]}


class Case:
    """Folders of a surface, and commands over them."""

    def __init__(self, folder: Path, **changes: Any):
        self.folder = folder
        all_kinds.surface_in(folder / "surface")  # writes the vocabulary and the vectors
        text = yaml.safe_dump(content(**changes), allow_unicode=True, sort_keys=False)
        (folder / "surface" / "surface.yaml").write_text(text, encoding="utf-8")
        (folder / "surface" / "schema.pbtxt").write_text(schema(), encoding="utf-8")
        for split, rows in (("train", 900), ("eval", 400)):
            (folder / "examples" / split).mkdir(parents=True)
            with tf.io.TFRecordWriter(str(folder / "examples" / split / "part.gz"), "GZIP") as writer:
                for row in all_kinds.drawn_rows(rows, seed=len(split)):
                    writer.write(all_kinds.serialized(_as_logged(row)))
        teacher = Teacher()
        tf.saved_model.save(teacher, str(folder / "teacher"), signatures={"rank": teacher.rank})

    def crosskd(self, command: str, *more: str) -> dict[str, Any]:
        given = [command, "--surface", self.folder / "surface", "--root", self.folder / "root", *more, "--json"]
        # Where the user's own modules are.
        done = crosskd(*given, env={"PYTHONPATH": str(self.folder)}, timeout=900)
        assert done.returncode == 0, done.stderr[-4000:]
        return json.loads(done.stdout)

    def run(self) -> dict[str, Any]:
        return self.crosskd("run", f"--examples={self.folder / 'examples'}", f"--teacher={self.folder / 'teacher'}")


@pytest.fixture(scope="module")
def case(tmp_path_factory) -> Case:
    pairs = {"per_row": 1, "user": ["user"], "item": ["item"], "columns": {}}
    return Case(
        tmp_path_factory.mktemp("kinds"),
        unlabelled=pairs,
        model={"trunk": [16], "tower": [8], "interactions": ["cross", "dot", "fm"], "cross_rank": 4},
        training={"epochs": 12, "batch_size": 64, "learning_rate": 0.01},
    )


@pytest.fixture(scope="module")
def summary(case):
    return case.run()


def test_every_kind_goes_through_the_pipeline(summary):
    assert summary["decision"]["blessed"], summary["decision"]["sentence"]
    assert summary["push"]["now"]
    assert summary["nodes"]["CandidateSampler"]["state"] == "COMPLETE"
    rows = {row["metric"]: row for row in summary["decision"]["metrics"] if row["task"] == "click" and not row["slice"]}
    assert rows["auc"]["student"]["value"] > 0.55


def test_what_was_pushed_answers_requests_with_and_without_lists(summary):
    served = tf.saved_model.load(summary["push"]["destination"]).signatures["serving_default"]
    requests = [all_kinds.serialized(row, labels=False) for row in all_kinds.ROWS]
    found = served(examples=tf.constant(requests))
    assert set(found) == {"click", "minutes"}
    assert all(0 < value < 1 for value in found["click"].numpy())


def test_an_experiment_trains_on_it(summary, case):
    short = ("--seeds=2", "--few", "--no-references", "--tuning=1", "--widen=0")
    result = case.crosskd("experiment", f"--out={case.folder / 'experiment'}", *short)
    arms = {each["name"] for each in result["arms"]}
    assert {"control", "student", "shuffled", "gaussian"} <= arms


def test_a_student_that_is_a_keras_class(tmp_path):
    features = json.loads(json.dumps(all_kinds.FEATURES))
    for own in ("pretrained", "frozen"):
        del features["language"][own]
    case = Case(
        tmp_path,
        features=features,
        student={"build": "own_net:build_student", "heads": {"click": "hidden"}},
        training={"epochs": 6, "batch_size": 64, "learning_rate": 0.01},
    )
    (tmp_path / "own_net.py").write_text(OWN_NET)
    summary = case.run()
    assert summary["decision"]["blessed"], summary["decision"]["sentence"]
    again = case.run()
    assert {node for node, each in again["nodes"].items() if each["state"] != "CACHED"} <= {
        "Teacher",
        "LastBlessed",
        "EarlierRuns",
    }
    (tmp_path / "own_net.py").write_text(OWN_NET.replace("Dense(8", "Dense(9"))
    changed = case.run()
    states = {node: each["state"] for node, each in changed["nodes"].items() if "Trainer" in node}
    assert states
    assert set(states.values()) == {"COMPLETE"}
    assert changed["nodes"]["Transform"]["state"] == "CACHED"
