"""The label report against numbers worked out by hand."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from tfx.types import Artifact

from contracts.label_report import LabelReport
from evaluation.influence import auc, r2
from evaluation.rows import Rows
from records import documents
from records.fingerprint import fingerprint
from schema.errors import InputError
from schema.surface import Surface
from tests.components.teacher_labeler.conftest import (
    Labeler,
    Labelled,
    floats,
    make_example,
    make_surface,
    save_teacher,
    write_examples,
)


def _surface() -> Surface:
    """Two tasks with a counterpart at the teacher, and one without."""
    return make_surface(
        features={
            "x": {"dtype": "float"},
            "sometimes": {"dtype": "float", "default": 0.0},
            "never": {"dtype": "float", "default": 0.0},
        },
        tasks={
            "click": {"kind": "binary", "label": "clicked", "ungated": "a test", "distil": {"from": "click"}},
            "minutes": {"kind": "regression", "label": "y", "ungated": "a test", "distil": {"from": "stay"}},
            "discovery": {"kind": "binary", "label": "found", "ungated": "a test"},
        },
        teacher_tasks={"click": {"kind": "binary"}, "stay": {"kind": "regression"}},
    )


def _answer(module: tf.Module, x: tf.Tensor, sometimes: tf.Tensor, never: tf.Tensor) -> dict[str, tf.Tensor]:
    return {"click": x + 0.0 * (sometimes + never), "stay": module.scale * x}


@pytest.fixture
def teacher(tmp_path: Path) -> Path:
    specs = {"x": floats(), "sometimes": floats(name="sometimes"), "never": floats(name="never")}
    return save_teacher(tmp_path / "teacher", _answer, specs)


@pytest.fixture
def labelled(tmp_path: Path, labeler: Labeler, teacher: Path) -> Labelled:
    train = [
        make_example(x=1.0, clicked=0, y=2.0, sometimes=1.0),
        make_example(x=2.0, clicked=1, y=5.0),
        make_example(x=3.0, clicked=0),
        make_example(x=4.0, clicked=1, y=8.0, found=1),
    ]
    evaluation = [make_example(x=10.0, clicked=1)]
    examples = write_examples(tmp_path / "examples", {"train": [train[:1], train[1:]], "eval": [evaluation]})
    return labeler.run(examples, teacher, _surface())


def test_counts_rows_and_fills(labelled: Labelled) -> None:
    train = labelled.report.splits["train"]

    assert (train.read, train.labelled, train.bad, train.sampled) == (4, 4, {}, 4)
    rates = {name: (feature.present, feature.filled, feature.fill_rate) for name, feature in train.features.items()}
    assert rates == {"x": (4, 0, 0.0), "sometimes": (1, 3, 0.75), "never": (0, 4, 1.0)}
    assert train.fill_rate == pytest.approx(1 / 3)
    assert train.mean_fill_rate == pytest.approx(1.75 / 3)


def test_describes_soft_labels(labelled: Labelled) -> None:
    click = labelled.report.splits["train"].tasks["click"]

    assert (click.count, click.non_finite, click.mean, click.min, click.max) == (4, 0, 2.5, 1.0, 4.0)
    assert click.std == pytest.approx(math.sqrt(1.25))
    assert click.quantiles["0.5"] == 2.5
    assert click.quantiles["0.25"] == 1.75
    assert labelled.report.overall.tasks["click"].mean == 4.0  # (1 + 2 + 3 + 4 + 10) / 5
    assert labelled.report.overall.tasks["stay"].mean == 8.0


def test_compares_counterparts_with_hard_labels(labelled: Labelled) -> None:
    """Of the pairs (positive, negative) by x, (2, 1), (4, 1) and (4, 3) are in order and (2, 3) is not.

    For minutes: labels 2, 5, 8 (SST = 18) against 2, 4, 8 (SSE = 1).
    """
    counterparts = labelled.report.splits["train"].counterparts

    assert set(counterparts) == {"click", "minutes"}
    click, minutes = counterparts["click"], counterparts["minutes"]
    assert (click.teacher_task, click.metric, click.value) == ("click", "auc", 0.75)
    assert (click.rows, click.labelled, click.mean_label) == (4, 4, 0.5)
    assert (minutes.teacher_task, minutes.metric) == ("stay", "r2")
    assert minutes.value == pytest.approx(1 - 1 / 18)
    assert (minutes.rows, minutes.labelled, minutes.mean_label) == (3, 3, 5.0)


def test_pools_splits_for_the_overall_metrics(labelled: Labelled) -> None:
    overall = labelled.report.overall

    assert overall.read == 5
    assert overall.counterparts["click"].value == pytest.approx(5 / 6)


def test_undefined_metrics_are_none(labelled: Labelled) -> None:
    """The evaluation split has one class only, and no minutes at all."""
    counterparts = labelled.report.splits["eval"].counterparts

    assert counterparts["click"].value is None
    assert (counterparts["minutes"].value, counterparts["minutes"].rows) == (None, 0)


@pytest.fixture
def many(tmp_path: Path) -> tuple[Artifact, np.ndarray, np.ndarray]:
    """400 rows in two shards, what the teacher says of click and minutes, and their hard labels."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=400).astype(np.float32)
    clicked, y = rng.random(400) < 1 / (1 + np.exp(-x)), (2 * x + rng.normal(size=400)).astype(np.float32)
    records = [make_example(x=float(a), clicked=int(b), y=float(c)) for a, b, c in zip(x, clicked, y, strict=True)]
    examples = write_examples(tmp_path / "many", {"train": [records[:150], records[150:]]})
    return examples, np.stack([x, 2 * x]), np.stack([clicked, y])


def test_intervals_are_about_as_wide_as_those_of_influence_values(
    many: tuple[Artifact, np.ndarray, np.ndarray], labeler: Labeler, teacher: Path
) -> None:
    examples, predicted, truth = many
    found = labeler.run(examples, teacher, _surface()).report.splits["train"].counterparts

    for task, scorer, labels, values in zip(("click", "minutes"), (auc, r2), truth, predicted, strict=True):
        expected = scorer(Rows.of(labels, values))
        assert expected is not None
        error = math.sqrt(np.square(expected.influence).sum()) / 400
        counterpart = found[task]
        assert counterpart.value == pytest.approx(expected.value, abs=1e-6)
        assert counterpart.lower is not None
        assert counterpart.upper is not None
        assert counterpart.upper + counterpart.lower == pytest.approx(2 * counterpart.value)
        # Student's t with 19 degrees of freedom; a jackknife over 20 folds knows an error to 16%.
        assert counterpart.upper - counterpart.value == pytest.approx(2.093 * error, rel=0.4)


def test_there_is_no_interval_where_rows_depend_on_each_other(
    many: tuple[Artifact, np.ndarray, np.ndarray], labeler: Labeler, teacher: Path
) -> None:
    surface = _surface().model_copy(update={"group": "request"})
    found = labeler.run(many[0], teacher, surface).report.splits["train"].counterparts

    assert all(each.value is not None and each.lower is None and each.upper is None for each in found.values())


def test_r2_of_labels_that_do_not_vary_is_undefined(tmp_path: Path, labeler: Labeler, teacher: Path) -> None:
    records = [make_example(x=float(number), y=0.1) for number in range(10)]
    examples = write_examples(tmp_path / "examples", {"train": [records[:3], records[3:]]})
    minutes = labeler.run(examples, teacher, _surface()).report.splits["train"].counterparts["minutes"]

    assert (minutes.metric, minutes.value, minutes.lower, minutes.rows) == ("r2", None, None, 10)


def test_labels_that_follow_from_a_column_are_what_the_teacher_is_compared_with(
    tmp_path: Path, labeler: Labeler, teacher: Path
) -> None:
    """Ratings 1 to 5, of which 4 and 5 are positive: none is a dead letter, and the teacher ranks one pair wrong."""
    records = [make_example(x=float(x), clicked=rating) for x, rating in ((1, 1), (2, 4), (3, 2), (4, 5))]
    content = _surface().model_dump(mode="json", by_alias=True)
    content["tasks"]["click"]["positive"] = {"at_least": 4}
    examples = write_examples(tmp_path / "rated", {"train": [records]})
    train = labeler.run(examples, teacher, Surface.model_validate(content)).report.splits["train"]

    assert (train.labelled, train.bad) == (4, {})
    click = train.counterparts["click"]
    assert (click.value, click.mean_label) == (0.75, 0.5)


def test_a_report_of_an_older_version_has_no_intervals(labelled: Labelled, tmp_path: Path) -> None:
    content = labelled.report.model_dump()
    for split in (*content["splits"].values(), content["overall"]):
        for counterpart in split["counterparts"].values():
            del counterpart["lower"], counterpart["upper"]
    (tmp_path / "report.json").write_text(json.dumps(content))

    found = documents.read(str(tmp_path), LabelReport).splits["train"].counterparts["click"]
    assert (found.value, found.lower, found.upper) == (0.75, None, None)


def test_says_which_teacher_it_was(labelled: Labelled, teacher: Path) -> None:
    assert labelled.report.teacher_fingerprint == fingerprint(str(teacher))
    assert labelled.report.teacher == str(teacher)
    assert (labelled.report.signature, labelled.report.surface) == ("serving_default", "tiny")
    assert labelled.report.seconds > 0
    assert labelled.report.examples_per_second == pytest.approx(5 / labelled.report.seconds)


def test_a_logit_is_not_compared_with_a_number(tmp_path: Path, labeler: Labeler, teacher: Path) -> None:
    surface = _surface()
    tasks = {**surface.tasks, "minutes": surface.tasks["minutes"].model_copy(update={"distil": _from("click")})}
    examples = write_examples(tmp_path / "examples", {"train": [[make_example(x=1.0, y=2.0)]]})

    labelled = labeler.run(examples, teacher, surface.model_copy(update={"tasks": tasks}))

    minutes = labelled.report.overall.counterparts["minutes"]
    assert (minutes.metric, minutes.value, minutes.labelled) == (None, None, 1)


def _from(teacher_task: str) -> object:
    distilled = make_surface().tasks["click"].distil
    assert distilled is not None
    return distilled.model_copy(update={"teacher_task": teacher_task})


def test_reading_a_report_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"report.json: expected a label report, found no such file"):
        documents.read(str(tmp_path), LabelReport)
    (tmp_path / "report.json").write_text('{"surface": "tiny"}')
    with pytest.raises(InputError, match=r"report.json: not a label report"):
        documents.read(str(tmp_path), LabelReport)
