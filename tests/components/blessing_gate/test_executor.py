"""Real evaluations of tiny models by TFX's Evaluator, judged and blessed."""

from __future__ import annotations

import json
import shutil
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from sklearn.metrics import log_loss
from tfx.components.util import model_utils
from tfx.dsl.input_resolution.strategies.latest_blessed_model_strategy import LatestBlessedModelStrategy
from tfx.types import standard_artifacts

from components.blessing_gate.checks import Evidence
from components.blessing_gate.executor import Executor
from components.blessing_gate.judge import decide
from contracts.artifacts import GateDecision, LabelReportArtifact
from contracts.decision import Decision, Verdict
from contracts.label_report import LabelReport, SplitReport
from contracts.roles import ModelRole
from evaluation import results as evaluation
from evaluation.registry import COMPUTATIONS, Computation
from records import documents
from schema.base import TaskKind
from schema.errors import InputError
from schema.metrics import METRICS, Direction, Metric
from schema.surface import Surface
from tests.evaluation.evaluating import evaluate, surface_of, write_examples, write_model

# `good` ranks the clicks fully right, `worse` one pair of nine wrong, `nan` lacks a prediction.
ROWS = [
    {"clicked": 0, "good": 0.1, "worse": 0.1, "nan": 0.1, "new": 0},
    {"clicked": 0, "good": 0.2, "worse": 0.2, "nan": 0.2, "new": 1},
    {"clicked": 0, "good": 0.3, "worse": 0.5, "nan": 0.3, "new": 1},
    {"clicked": 1, "good": 0.4, "worse": 0.4, "nan": float("nan"), "new": 1},
    {"clicked": 1, "good": 0.5, "worse": 0.6, "nan": 0.5, "new": 0},
    {"clicked": 1, "good": 0.6, "worse": 0.7, "nan": 0.6, "new": 0},
    {"clicked": None, "good": 0.9, "worse": 0.9, "nan": 0.9, "new": 0},
]
WORSE = 8 / 9
SURFACE = surface_of(
    {
        "click": {
            "kind": "binary",
            "label": "clicked",
            "gates": [
                {
                    "metric": "auc",
                    "at_least": 0.6,
                    "vs_last_blessed": {"at_least": -0.05},
                    "vs_control": {"at_least": 0.0},
                },
                {"metric": "auc", "slice": "new", "at_least": 0.9},
            ],
        },
    },
    {"new": {"features": {"new": 1}}},
)


class World:
    """One set of examples and one model per column; each pair is evaluated once."""

    def __init__(self, root: Path):
        self.root = root
        self.examples = write_examples(root / "examples", ROWS)
        names = ("good", "worse", "nan")
        self.models = {
            name: write_model(root / name, {"click": name}, ident) for ident, name in enumerate(names, start=1)
        }
        self.known: dict[tuple[Any, ...], standard_artifacts.ModelEvaluation] = {}

    def evaluation(self, kind: ModelRole, student: str, other: str | None) -> standard_artifacts.ModelEvaluation:
        key = (kind, student, other)
        if key not in self.known:
            root = self.root / "-".join(str(part) for part in key)
            baseline = self.models[other] if other else None
            self.known[key] = evaluate(root, SURFACE, self.examples, self.models[student], baseline, kind)
        return self.known[key]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return World(tmp_path_factory.mktemp("gate"))


def run(
    tmp_path: Path, world: World, student: str, last: str | None, control: str, **more: Any
) -> tuple[Decision, standard_artifacts.ModelBlessing]:
    inputs = {
        "model": [world.models[student]],
        "evaluation": [world.evaluation(ModelRole.LAST_BLESSED, student, last)],
        "control_evaluation": [world.evaluation(ModelRole.CONTROL, student, control)],
        **more,
    }
    blessing, decision = standard_artifacts.ModelBlessing(), GateDecision()
    blessing.uri, decision.uri = str(tmp_path / "blessing"), str(tmp_path / "decision")
    outputs = {"blessing": [blessing], "decision": [decision]}
    Executor().Do(inputs, outputs, {"surface": SURFACE.model_dump_json(by_alias=True)})
    return documents.read(decision.uri, Decision), blessing


def files(artifact: standard_artifacts.ModelBlessing) -> list[str]:
    return [path.name for path in Path(artifact.uri).iterdir()]


def failures(decision: Decision) -> list[str]:
    return [gate.sentence for gate in decision.gates if gate.verdict is Verdict.FAIL]


def test_the_decision_says_what_the_run_was_made_of(tmp_path: Path, world: World) -> None:
    statistics = standard_artifacts.ExampleStatistics()
    statistics.uri = "/statistics/7"
    made_of = run(tmp_path, world, "good", None, "worse", statistics=[statistics])[0].made_of
    assert made_of is not None
    assert (made_of.statistics, made_of.version) == ("/statistics/7", version("crosskd"))
    assert made_of.configuration["tasks"]["click"]["gates"][0]["at_least"] == 0.6
    assert made_of.configuration["training"]["seed"] == SURFACE.training.seed


def test_first_run_of_a_good_student(tmp_path: Path, world: World) -> None:
    decision, blessing = run(tmp_path, world, "good", None, "worse")
    assert decision.blessed
    assert decision.first_run
    assert files(blessing) == ["BLESSED"]
    assert model_utils.is_model_blessed(blessing)
    assert blessing.get_int_custom_property("current_model_id") == 1
    assert blessing.get_string_custom_property("current_model") == world.models["good"].uri
    change = next(gate for gate in decision.gates if gate.kind == "control")
    assert change.baseline is not None
    assert change.baseline.value == pytest.approx(WORSE)
    assert change.examples == 6
    assert change.positives == 3
    (row,) = [row for row in decision.metrics if (row.metric, row.slice) == ("log_loss", "")]
    labelled = [each for each in ROWS if each["clicked"] is not None]
    for measured, model in ((row.student, "good"), (row.control, "worse")):
        assert measured is not None
        expected = log_loss([each["clicked"] for each in labelled], [each[model] for each in labelled])
        assert measured.value == pytest.approx(expected, abs=1e-6)


def test_a_metric_that_is_only_added_to_the_registry_is_evaluated_and_gated(
    tmp_path: Path, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beside the AUC of the same task, and TFMA's own verdict is told from that on the AUC."""
    facts = Metric("share_right", "share right", frozenset({TaskKind.BINARY}), Direction.HIGHER)
    monkeypatch.setitem(METRICS, facts.name, facts)
    monkeypatch.setitem(COMPUTATIONS, facts.name, Computation("ShareRight", "tests.evaluation.share_right"))
    click = SURFACE.tasks["click"]
    auc = click.gates[0].model_copy(update={"vs_last_blessed": None, "vs_control": None})
    # Of the six rows, only the positive one that is predicted as .4 is on the wrong side.
    right, wrong = (auc.model_copy(update={"metric": facts.name, "at_least": least}) for least in (0.83, 0.84))
    surface = SURFACE.model_copy(update={"tasks": {"click": click.model_copy(update={"gates": (auc, right, wrong)})}})

    # Its name is none of those that a surface is read with.
    monkeypatch.setattr(Surface, "model_validate_json", lambda content: surface)
    found = evaluate(tmp_path, surface, world.examples, world.models["good"])
    decision = decide(surface, Evidence(last_blessed=evaluation.read(found.uri), control="not asked for"))

    assert [(gate.metric, gate.verdict) for gate in decision.gates] == [
        ("auc", Verdict.PASS),
        ("share_right", Verdict.PASS),
        ("share_right", Verdict.FAIL),
    ]
    assert decision.gates[2].sentence == "click share_right, overall: 0.8333, but at least 0.84 was asked."
    assert [check.name for check in decision.checks if check.verdict is Verdict.FAIL] == [
        "evaluation against the control"
    ]


def test_tfx_resolves_what_was_blessed(tmp_path: Path, world: World) -> None:
    _, blessing = run(tmp_path, world, "good", None, "worse")
    models = [world.models["good"], world.models["nan"]]
    found = LatestBlessedModelStrategy().resolve_artifacts(None, {"model": models, "model_blessing": [blessing]})
    assert [artifact.id for artifact in found["model"]] == [1]


def test_better_than_last_blessed(tmp_path: Path, world: World) -> None:
    decision, _ = run(tmp_path, world, "good", "worse", "worse")
    assert decision.sentence == "Blessed: 4 gates passed."
    assert not decision.first_run


def test_worse_than_last_blessed_and_control_in_spite_of_its_absolute_bound(tmp_path: Path, world: World) -> None:
    decision, blessing = run(tmp_path, world, "worse", "good", "good")
    assert files(blessing) == ["NOT_BLESSED"]
    assert not model_utils.is_model_blessed(blessing)
    assert decision.gates[0].sentence == "click auc, overall: 0.8889, at least 0.6 was asked."
    assert failures(decision) == [
        "click auc, overall, against the last blessed model: 0.8889 against 1.0000, change -0.1111, "
        "but at least -0.05 was asked.",
        "click auc, overall, against the control: 0.8889 against 1.0000, change -0.1111, but at least 0 was asked.",
        # In `new`, .4 of the one positive is over .2 and under .5: one pair of two.
        "click auc, slice new (new=1): 0.5000, but at least 0.9 was asked.",
    ]


def test_predictions_that_are_no_numbers(tmp_path: Path, world: World) -> None:
    decision, blessing = run(tmp_path, world, "nan", "worse", "worse")
    assert files(blessing) == ["NOT_BLESSED"]
    assert decision.sentence.startswith("Not blessed: click auc, overall: undefined, the metric is not defined (NaN).")
    assert len(failures(decision)) == 4


def test_tfmas_own_verdict_is_read_and_agrees(world: World) -> None:
    found = evaluation.read(world.evaluation(ModelRole.LAST_BLESSED, "worse", "good").uri)
    rejected = {(failure.bound.change, failure.bound.at_least, failure.slice_key) for failure in found.failures}
    assert rejected == {(True, -0.05, ()), (False, 0.9, (("new", 1),))}
    assert evaluation.read(world.evaluation(ModelRole.LAST_BLESSED, "good", "worse").uri).failures == ()


def test_a_slice_that_tfma_misses_is_read(tmp_path: Path, world: World) -> None:
    examples = write_examples(tmp_path / "examples", [row for row in ROWS if not row["new"]])
    student = evaluate(tmp_path, SURFACE, examples, world.models["good"])
    assert [failure.slice_key for failure in evaluation.read(student.uri).failures] == [None]


def copied(tmp_path: Path, original: standard_artifacts.ModelEvaluation) -> standard_artifacts.ModelEvaluation:
    copy = standard_artifacts.ModelEvaluation()
    copy.uri = str(shutil.copytree(original.uri, tmp_path / "copy"))
    return copy


@pytest.mark.parametrize(
    ("harm", "says"),
    [
        (lambda folder: shutil.rmtree(folder), "it was not finished"),
        (lambda folder: (folder / "eval_config.json").write_text("{"), "not valid JSON"),
        (lambda folder: (folder / "eval_config.json").write_text("{}"), "expected the key evalConfig"),
        (lambda folder: (folder / "metrics-00000-of-00001.tfrecord").unlink(), "expected 1 metrics files, found 0"),
        (
            lambda folder: (folder / "metrics-00000-of-00001.tfrecord").rename(
                folder / "metrics-00000-of-00002.tfrecord"
            ),
            "expected 2 metrics files, found 1",
        ),
        (lambda folder: truncate(folder / "metrics-00000-of-00001.tfrecord"), "the metrics cannot be read"),
        (lambda folder: (folder / "metrics-00000-of-00001.tfrecord").write_bytes(b""), "no example was evaluated"),
        (lambda folder: keep_overall(folder / "metrics-00000-of-00001.tfrecord"), "the metrics are not whole"),
        (lambda folder: (folder / "validations.tfrecord").unlink(), "validation result is missing"),
        (lambda folder: truncate(folder / "validations.tfrecord"), "validation result is missing or cannot be read"),
    ],
)
def test_an_evaluation_that_is_not_whole_blesses_nothing(tmp_path: Path, world: World, harm: Any, says: str) -> None:
    evaluated = copied(tmp_path, world.evaluation(ModelRole.LAST_BLESSED, "good", "worse"))
    harm(Path(evaluated.uri))
    with pytest.raises(InputError, match=says):
        evaluation.read(evaluated.uri)
    decision, blessing = run(tmp_path, world, "good", "worse", "worse", evaluation=[evaluated])
    assert files(blessing) == ["NOT_BLESSED"]
    assert any(says in check.sentence for check in decision.checks)


def keep_overall(path: Path) -> None:
    records = [record.numpy() for record in tf.data.TFRecordDataset(str(path))]
    with tf.io.TFRecordWriter(str(path)) as writer:
        writer.write(next(record for record in records if b"new" not in record))


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


def test_an_evaluation_of_another_model_blesses_nothing(tmp_path: Path, world: World) -> None:
    other = world.evaluation(ModelRole.LAST_BLESSED, "good", "worse")
    decision, _ = run(tmp_path, world, "worse", "good", "good", evaluation=[other])
    assert not decision.blessed
    assert "which is not the student at" in decision.sentence


def test_the_label_report_is_heard(tmp_path: Path, world: World) -> None:
    reports = LabelReportArtifact()
    reports.uri = str(tmp_path / "report")
    decision, _ = run(tmp_path, world, "good", None, "worse", label_report=[reports])
    assert not decision.blessed
    assert "expected a label report, found no such file" in decision.sentence
    for labelled, blessed in ((0, False), (7, True)):
        write_report(reports.uri, labelled)
        decision, _ = run(tmp_path, world, "good", None, "worse", label_report=[reports])
        assert decision.blessed is blessed
        assert decision.checks[0].sentence == f"Soft labels: {labelled} of 7 examples are labelled."


def write_report(uri: str, labelled: int) -> None:
    split = SplitReport(
        read=7,
        labelled=labelled,
        bad={},
        features={},
        fill_rate=0.0,
        mean_fill_rate=0.0,
        tasks={},
        counterparts={},
        sampled=labelled,
    )
    whole = LabelReport(
        surface="tiny",
        teacher="/teacher",
        teacher_fingerprint="0",
        signature="serving_default",
        splits={"train": split},
        overall=split,
        seconds=1.0,
        examples_per_second=7.0,
    )
    documents.write(uri, whole)


@pytest.mark.parametrize(("blessed", "expected"), [(1, True), (0, False)])
def test_a_model_that_cannot_be_served_is_not_blessed(
    tmp_path: Path, world: World, blessed: int, expected: bool
) -> None:
    serving = standard_artifacts.InfraBlessing()
    serving.uri = str(tmp_path / "infra")
    serving.set_int_custom_property("blessed", blessed)
    decision, _ = run(tmp_path, world, "good", None, "worse", infra_blessing=[serving])
    assert decision.blessed is expected


def test_the_decision_on_disk_is_plain_json(tmp_path: Path, world: World) -> None:
    run(tmp_path, world, "nan", "worse", "worse")
    content = json.loads((tmp_path / "decision" / "decision.json").read_text())
    assert content["blessed"] is False
    assert content["gates"][0]["student"] == {"value": None, "lower": None, "upper": None}
    with pytest.raises(InputError, match="expected a gate decision, found no such file"):
        documents.read(str(tmp_path), Decision)
    (tmp_path / "decision.json").write_text('{"blessed": true}')
    with pytest.raises(InputError, match="not a gate decision"):
        documents.read(str(tmp_path), Decision)


def test_rows_make_the_numbers_above() -> None:
    labelled = [row for row in ROWS if row["clicked"] is not None]
    pairs = [
        good["worse"] > bad["worse"] for good in labelled if good["clicked"] for bad in labelled if not bad["clicked"]
    ]
    assert np.mean(pairs) == WORSE
