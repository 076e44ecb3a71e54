"""One surface with every kind of label, slice, gate and a score, through the whole pipeline to the report."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from contracts.outcome import Exit
from crosskd.evidence_paths import run_paths
from crosskd.other_teachers import answers_of
from evidence.data import load
from evidence.other_teachers import answered
from models.columns import soft_label_columns
from schema.loader import load_surface
from tests.e2e import library
from tests.examples import example
from tests.forked import crosskd

pytestmark = pytest.mark.slow

SURFACE = (
    library.SERVING
    + """name: library
features:
  reader: {kind: categorical, side: user, embedding: 4}
  book: {kind: categorical, side: item, embedding: 4}
  match: {kind: numeric, side: cross}
  pages: {kind: numeric, side: item, default: 200}
group: reader
weight_column: importance
weighted_evaluation: true
tasks:
  borrowed:
    kind: binary
    label: was_borrowed
    distil: {from: loan}
    gates:
      - {metric: calibration, between: [0.5, 2]}
      - {metric: log_loss, vs_control: {at_least: -0.2}, judged_on: upper_limit}
      - {metric: grouped_auc, at_least: 0.6, slice: pages}
  opened:
    kind: binary
    label: was_opened
    sampled: {probability: kept}
    distil: {from: loan, loss: bce}
    gates:
      - {metric: calibration, between: [0.7, 1.4]}
  liked:
    kind: binary
    label: rating
    positive: {at_least: 4}
    gates:
      - {metric: normalized_entropy, at_most: 2}
  hated:
    kind: binary
    label: rating
    positive: {any_of: [1, 2]}
    ungated: judged jointly
  rating:
    kind: regression
    label: rating
    clip: {min: 2}
    distil: {from: fun}
    gates:
      - {metric: rmse, at_most: 3}
  minutes:
    kind: regression
    label: minutes
    transform: log1p
    gates:
      - {metric: mae, at_most: 60}
  shape:
    kind: multiclass
    label: shape
    classes: [audio, paper, screen]
    distil: {from: medium, loss: kl, head: stacked, temperature: 2, classes: {paper: [hardback, softback], audio: disc}}
    gates:
      - {metric: accuracy, at_least: 0.4, vs_control: {at_least: -0.3}}
      - {metric: log_loss, at_most: 1.0}
      - {metric: macro_f1, at_least: 0.2, slice: pages}
  stars:
    kind: multiclass
    label: rating
    classes: [1, 2, 3, 4, 5]
    ungated: the same column as a number and as flags
joint_gates:
  - {against: control, worse_by: 0.9, relative: false}
score:
  formula: borrowed * (liked + love * log1p(minutes))
  constants: {love: 0.1}
  gain: borrowed + liked
  gates:
    - {metric: ndcg_at_10, at_least: 0.1, vs_control: {at_least: -0.3}}
teacher:
  signature: rank
  takes: tensors
  tasks:
    loan: {kind: binary, output: loan_logit}
    fun: {kind: regression}
    medium: {kind: multiclass, gives: probability, classes: [softback, film, disc, hardback]}
  features:
    name: {dtype: string, from: reader}
    match: {dtype: float}
    hour: {dtype: float, default: 0.5}
slices:
  pages: {buckets: {pages: [300, 600]}}
  books: {most_frequent: {book: 3}}
  both: {buckets: {pages: [300, 600]}, features: {genre: null}}
model: {trunk: [16], tower: [8]}
training: {epochs: 3, batch_size: 64, learning_rate: 0.005}
"""
)
OPTIONAL = 'type: FLOAT presence { min_count: 1 } value_count { min: 1 max: 1 } not_in_environment: "SERVING"'
SCHEMA = library.SCHEMA.replace('"was_liked"', '"rating"') + "".join(
    f'feature {{ name: "{name}" {OPTIONAL} }}\n' for name in ("minutes", "importance", "was_opened", "kept")
)
SCHEMA += (
    f'feature {{ name: "shape" {OPTIONAL.replace("FLOAT", "BYTES")} }}\n'
    'feature { name: "teacher/medium" type: FLOAT presence { min_fraction: 1 } shape { dim { size: 4 } } '
    'not_in_environment: "RAW" not_in_environment: "SERVING" }\n'
)
# How much a match makes each shape likelier: audio, paper and screen.
SHAPES = np.array([-1.0, 0.0, 1.0])


class Teacher(tf.Module):
    """The library's, which also knows of media: softback, film, disc and hardback."""

    @tf.function(input_signature=library.TEACHER_INPUTS)
    def rank(self, name: tf.Tensor, match: tf.Tensor, hour: tf.Tensor) -> dict[str, tf.Tensor]:
        long = tf.cast(tf.strings.length(name), tf.float32) * 0.01
        media = tf.stack([0 * match, 2 * match, -2 * match, 0 * match], axis=1)
        return {"loan_logit": (2 * match - hour + long)[:, tf.newaxis], "fun": match, "medium": tf.nn.softmax(media)}


def write_teacher(folder: Path) -> Path:
    teacher = Teacher()
    tf.saved_model.save(teacher, str(folder), signatures={"rank": teacher.rank})
    return folder


def write_examples(folder: Path) -> Path:
    rng = np.random.default_rng(0)
    for split, rows in (("train", 1000), ("eval", 600)):
        (folder / split).mkdir(parents=True)
        with tf.io.TFRecordWriter(str(folder / split / "part-0.gz"), options="GZIP") as writer:
            for _ in range(rows):
                writer.write(row(rng).SerializeToString())
    return folder


def row(rng: np.random.Generator) -> tf.train.Example:
    match = rng.normal()
    borrowed = int(rng.random() < 1 / (1 + np.exp(0.5 - 2 * match)))
    shape = 2 * match * SHAPES + rng.gumbel(size=3)
    columns: dict[str, bytes | int | float] = {
        "reader": f"reader-{rng.integers(30)}".encode(),
        "book": int(rng.integers(12)),
        "match": float(match),
        "genre": library.GENRES[rng.integers(3)].encode(),
        "pages": int(rng.integers(50, 900)),
        "was_borrowed": borrowed,
    }
    opened, kept = rng.random() < 1 / (1 + np.exp(1 - match)), 0.2 if match < 0 else 0.6
    if opened or rng.random() < kept:  # else its label was sampled away
        columns |= {"was_opened": float(opened), "kept": kept}
    if rng.random() < 0.8:
        columns["shape"] = (b"audio", b"paper", b"screen")[int(np.argmax(shape))]
    if borrowed:
        columns["rating"] = int(np.clip(np.round(3 + match + 0.5 * rng.normal()), 1, 5))
        columns["minutes"] = float(np.expm1(2 + 0.5 * match + 0.3 * rng.normal()))
    if rng.random() < 0.5:
        columns["importance"] = float(rng.uniform(0.5, 2))
    return example(columns)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("kinds")
    return {
        "surface": library.write_surface(folder / "surface", surface=SURFACE, schema=SCHEMA),
        "examples": write_examples(folder / "examples"),
        "teacher": write_teacher(folder / "teacher"),
        "root": folder / "root",
    }


def run(folders: dict[str, Path], *more: object) -> dict[str, Any]:
    options = [word for name, path in folders.items() for word in (f"--{name}", path)]
    done = crosskd("run", *options, "--json", *more)
    assert done.returncode == 0, done.stderr + done.stdout
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.fixture(scope="module")
def first(folders: dict[str, Path]) -> dict[str, Any]:
    return run(folders)


def values(summary: dict[str, Any], task: str) -> dict[str, float]:
    rows = (each for each in summary["decision"]["metrics"] if (each["task"], each["slice"]) == (task, ""))
    return {each["metric"]: each["student"]["value"] for each in rows}


def test_it_is_blessed_by_gates_of_every_kind(first: dict[str, Any]) -> None:
    decision = first["decision"]
    assert decision["blessed"], decision["sentence"]
    verdicts = {(each["task"], each["metric"], each["slice_key"]): each["verdict"] for each in decision["gates"]}
    assert verdicts["borrowed", "calibration", ""] == "pass"
    assert verdicts["score", "ndcg_at_10", ""] == "pass"
    assert {key[2] for key in verdicts if key[1] == "grouped_auc"} == {
        *("pages (bucket)=under 300", "pages (bucket)=300 to under 600", "pages (bucket)=600 or more")
    }
    joint = [each for each in decision["checks"] if each["name"] == "no task worse than the control"]
    assert [each["verdict"] for each in joint] == ["pass"]


def test_counts_are_learned_and_told_in_their_unit(first: dict[str, Any]) -> None:
    minutes = values(first, "minutes")
    assert minutes["mean_label"] == pytest.approx(8.5, abs=2.5)
    assert minutes["r2"] > 0.2
    assert 0.6 < minutes["calibration"] < 1.2
    assert values(first, "rating")["r2"] > 0.1


def test_the_score_is_served_and_drawn(first: dict[str, Any], folders: dict[str, Path]) -> None:
    served = tf.saved_model.load(first["push"]["destination"]).signatures["serving_default"]
    record = example({"reader": b"reader-1", "book": 3, "match": 0.5, "pages": 300}).SerializeToString()
    told = served(examples=tf.constant([record]))
    found = {name: float(value.numpy()[0]) for name, value in told.items() if name not in ("shape", "stars")}
    expected = found["borrowed"] * (found["liked"] + 0.1 * np.log1p(found["minutes"]))
    assert found["score"] == pytest.approx(expected, rel=1e-5)
    page = Path(first["report"]).read_text(encoding="utf-8")
    for told in ("score ndcg_at_10", "NDCG@10 of", "book (top 3)=others", "pages (bucket)=600 or more, genre=crime"):
        assert told in page or ", ".join(reversed(told.split(", "))) in page


def test_classes_are_learned_and_served_as_probabilities(first: dict[str, Any]) -> None:
    found = values(first, "shape")
    assert 0.4 < found["accuracy"] < 1
    assert 0.2 < found["macro_f1"] < found["accuracy"] + 0.1
    assert 0 < found["log_loss"] < np.log(3)
    assert set(found) == {"accuracy", "log_loss", "macro_f1"}
    served = tf.saved_model.load(first["push"]["destination"]).signatures["serving_default"]
    records = [
        example({"reader": b"reader-1", "book": 3, "match": match, "pages": 300}).SerializeToString()
        for match in (-2.0, 2.0)
    ]
    told = served(examples=tf.constant(records))
    assert told["shape"].shape == (2, 3)
    assert told["stars"].shape == (2, 5)
    np.testing.assert_allclose(told["shape"].numpy().sum(axis=1), 1, atol=1e-5)
    likely = np.argmax(told["shape"].numpy(), axis=1)
    assert likely.tolist() == [0, 2]  # audio where nothing matches, the screen where all does


def test_what_was_sampled_by_a_column_is_calibrated_for_all_examples(first: dict[str, Any]) -> None:
    found = values(first, "opened")
    assert found["calibration"] == pytest.approx(1, abs=0.3)
    # Of all examples; among those that were kept about half are opened.
    assert found["mean_label"] == pytest.approx(0.3, abs=0.07)
    assert found["mean_prediction"] == pytest.approx(0.3, abs=0.1)


def test_the_other_runner_comes_to_the_same(first: dict[str, Any], folders: dict[str, Path]) -> None:
    again = run({**folders, "root": folders["root"].parent / "local"}, "--runner", "local")
    assert again["decision"]["blessed"]
    # Transform's Beam deals rows out to files in another order, hence another order of training.
    assert values(again, "borrowed")["auc"] == pytest.approx(values(first, "borrowed")["auc"], abs=0.05)


def test_bounds_are_suggested_and_nothing_is_written(first: dict[str, Any], folders: dict[str, Path]) -> None:
    before = (folders["surface"] / "surface.yaml").read_bytes()
    done = crosskd("gate", "--root", folders["root"], "--suggest")
    assert done.returncode == 0, done.stderr
    assert "From 1 runs, 1 of them blessed. Nothing was written." in done.stdout
    assert "\nscore.gates:\n" in done.stdout
    assert "- {metric: rmse, at_most: " in done.stdout
    assert "1 of 1 runs would have passed" in done.stdout
    assert (folders["surface"] / "surface.yaml").read_bytes() == before


def test_an_experiment_reads_the_same_surface(first: dict[str, Any], folders: dict[str, Path]) -> None:
    out = folders["root"].parent / "experiment"
    options = ("--seeds", 2, "--few", "--no-references", "--tuning", 1, "--widen", 0, "--out", out)
    done = crosskd("experiment", "--surface", folders["surface"], "--root", folders["root"], *options)
    assert done.returncode == 0, done.stderr + done.stdout
    result = json.loads((out / "experiment.json").read_text())
    assert {each["task"] for each in result["findings"]} == {
        *("borrowed", "liked", "hated", "rating", "minutes", "shape", "stars", "opened")
    }
    parts = {each["slice"] for each in result["findings"]}
    assert "pages (bucket)=600 or more" in parts
    assert "book (top 3)=others" in parts


def test_the_runs_own_teacher_asked_again_says_what_it_said(first: dict[str, Any], folders: dict[str, Path]) -> None:
    surface, of = load_surface(folders["surface"]).surface, run_paths(folders["root"])
    again = answers_of(surface, {"again": Path(str(of.teacher))}, of.labelled_train[0])
    found = answered(load(surface, of), surface, of, again)
    for column in set(soft_label_columns(surface).values()):
        asked = column.replace("teacher/", "teacher/again__")
        for columns in (found.training, found.evaluation):
            np.testing.assert_allclose(columns[asked], columns[column], atol=1e-4)


def test_a_search_on_the_same_surface_writes_one_that_loads(first: dict[str, Any], folders: dict[str, Path]) -> None:
    out = folders["root"].parent / "tune"
    limits = ("--trainings", 8, "--seeds", 2, "--few", "--tuning", 1, "--widen", 0)
    done = crosskd("tune", "--surface", folders["surface"], "--root", folders["root"], "--out", out, *limits, "--json")
    assert done.returncode in (Exit.OK, Exit.NOTHING_BETTER), done.stderr + done.stdout
    result = json.loads(done.stdout)
    assert (done.returncode == Exit.OK) == (result["outcome"] == "better" and bool(result["against_control"]))
    assert 0 < result["search"]["trainings"] <= 8
    assert [each["name"] for each in result["search"]["rounds"]][:2] == ["control", "alone"]
    written, own = load_surface(out / "surface").surface, load_surface(folders["surface"], result["written"]).surface
    assert (written.tasks, written.model, written.training) == (own.tasks, own.model, own.training)
    assert {path.name for path in out.iterdir()} >= {"tune.json", "tune.svg", "experiment.json", "experiment.svg"}
    assert not (out / "trainings" / "comparison").exists()
