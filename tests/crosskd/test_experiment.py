from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from contracts.held_out import HeldOutRows
from crosskd import evidence_paths, experiment, runs
from crosskd.experiment import _technique
from crosskd.launch import surface_folder
from crosskd.runs import NodeOfRun, Run
from crosskd.terminal import TERMINAL
from evidence.arms import Role
from evidence.paths import RunPaths
from evidence.result import (
    ArmReport,
    Comparison,
    Difference,
    Edge,
    ExperimentResult,
    Finding,
    Mean,
    Transfer,
)
from evidence.verdicts import Effect
from schema.base import TaskKind
from schema.errors import InputError

app = typer.Typer(pretty_exceptions_enable=False)
app.command()(experiment.command)


def _run(*arguments: str) -> BaseException | None:
    return CliRunner().invoke(app, list(arguments)).exception


def test_a_root_without_a_run_is_named(tmp_path: Path):
    error = _run("--surface", "homepage", "--root", str(tmp_path / "none"), "--out", str(tmp_path / "out"))
    assert isinstance(error, InputError)
    assert f"{tmp_path / 'none'}: expected the root of a run" in str(error)


def _made(**outputs: list[Path]) -> NodeOfRun:
    return NodeOfRun(
        "COMPLETE", 1.0, {key: [(str(uri), {}) for uri in uris] for key, uris in outputs.items()}, settings={}
    )


def test_a_run_over_several_spans_trained_on_all_of_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    folders = {name: tmp_path / name for name in ("monday", "tuesday", "before", "labelled", "graph", "teacher")}
    for folder in folders.values():
        folder.mkdir()
    (folders["tuesday"] / "Split-unlabelled").mkdir()
    nodes = {
        "Transform": _made(
            transformed_examples=[folders["monday"], folders["tuesday"]], transform_graph=[folders["graph"]]
        ),
        "TeacherLabeler": _made(labelled_examples=[folders["labelled"]]),
        "Window": _made(examples=[folders["before"], folders["labelled"]]),
        "Teacher": _made(result=[folders["teacher"]]),
    }
    monkeypatch.setattr(runs, "newest_run", lambda root: Run("a run", "crosskd-tiny", nodes))
    assert evidence_paths.run_paths(tmp_path) == RunPaths(
        name=tmp_path.name,
        transform_graph=str(folders["graph"]),
        train=(f"{folders['monday']}/Split-train", f"{folders['tuesday']}/Split-train"),
        labelled_eval=f"{folders['labelled']}/Split-eval",
        labelled_train=(f"{folders['before']}/Split-train", f"{folders['labelled']}/Split-train"),
        unlabelled=(f"{folders['tuesday']}/Split-unlabelled",),
        teacher=str(folders["teacher"]),
    )


def test_spans_are_in_their_order_in_whatever_order_they_were_labelled(tmp_path: Path):
    """Rows that other teachers answer are held out by their place, which is that of the newest span for the last."""
    spans = {span: tmp_path / str(span) for span in (10, 2, 9)}
    for folder in spans.values():
        folder.mkdir()
    outputs = {"examples": [(str(folder), {"span": span}) for span, folder in spans.items()]}
    run = Run("a run", "crosskd-tiny", {"Window": NodeOfRun("COMPLETE", 1.0, outputs, settings={})})
    assert evidence_paths.labelled_spans(tmp_path, run) == [str(spans[each]) for each in (2, 9, 10)]


def test_a_run_whose_artifacts_are_gone_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    nodes = {"Transform": _made(transformed_examples=[tmp_path, tmp_path / "removed"])}
    monkeypatch.setattr(runs, "newest_run", lambda root: Run("a run", "crosskd-tiny", nodes))
    with pytest.raises(InputError, match=r"\(a run\) has no transformed_examples of Transform"):
        evidence_paths.run_paths(tmp_path)


def test_an_unknown_surface_is_named(tmp_path: Path):
    error = _run("--surface", "frontpage", "--root", str(tmp_path), "--out", str(tmp_path / "out"))
    assert isinstance(error, InputError)
    assert "frontpage" in str(error)


@pytest.mark.parametrize("text", ["listwise", "=folder", "a/b=folder"])
def test_a_technique_needs_a_name_and_a_folder(tmp_path: Path, text: str):
    error = _run("--surface", "homepage", "--root", str(tmp_path), "--out", str(tmp_path), "--technique", text)
    assert isinstance(error, InputError)
    assert "expected NAME=FOLDER" in str(error)


def test_a_technique_may_be_a_few_keys_of_the_surface():
    text = "ranked=tasks.*.distil.loss=listwise,group=user_id,training.batch_by=group,model.trunk=[32,16]"
    name, loaded = _technique(text, surface_folder("homepage"))
    assert name == "ranked"
    assert [each.loss for each in loaded.surface.distillations().values()] == ["listwise", "listwise"]
    assert loaded.surface.model.trunk == (32, 16)
    assert loaded.surface.group == "user_id"


def test_a_key_that_does_not_fit_is_refused_as_in_the_file():
    with pytest.raises(InputError, match=r"tasks.click.distil.temprature: unknown key; did you mean 'temperature'"):
        _technique("kl=tasks.click.distil.temprature=2", surface_folder("homepage"))


def _difference(arm: str) -> Difference:
    return Difference(arm=arm, mean=0.02, low=0.01, high=0.03, p_value=0.001, replicates=[0.02, 0.02])


def _result() -> ExperimentResult:
    finding = Finding(
        candidate="student",
        task="click",
        slice=None,
        metric="auc",
        distilled=True,
        examples=1000,
        positives=100,
        control=_difference("control"),
        placebos=[_difference("shuffled"), _difference("gaussian")],
        under_tuned=["shuffled"],
        best=_difference("shuffled"),
        transfer=Transfer(ratio=0.93, low=0.4, high=1.5),
        verdict=Effect.KNOWLEDGE,
    )
    undefined = Finding(
        candidate="student",
        task="stay",
        slice=None,
        metric="r2",
        distilled=False,
        examples=0,
        positives=None,
        note="no verdict: labels that do not vary among 0 labelled examples",
    )
    sliced = finding.model_copy(update={"slice": "new", "verdict": None, "examples": 70})
    open_one = finding.model_copy(
        update={
            "candidate": "pairs",
            "under_tuned": [],
            "transfer": Transfer(),
            "verdict": Effect.INCONCLUSIVE,
            "units_to_decide": 11,
        }
    )
    return ExperimentResult(
        surface="tiny",
        runs=["one"],
        seeds=5,
        settings=["as configured"],
        confidence=0.95,
        verdicts=2,
        clusters=None,
        tasks={"click": TaskKind.BINARY, "stay": TaskKind.REGRESSION},
        arms=[
            ArmReport(
                name="student",
                role=Role.CANDIDATE,
                of=None,
                chosen=[{"click": "L2 x 10", "stay": "as configured"}],
                held_out=[{"L2 x 10": {"click": 0.4, "stay": 1.0}}],
                epochs=[{"L2 x 10": 2.0}],
                seconds=3.0,
            )
        ],
        means=[
            Mean(arm="student", task="click", slice=None, mean=0.7123, std=0.0045),
            Mean(arm="teacher", task="click", slice=None, mean=0.6, std=None),
        ],
        findings=[finding, undefined, sliced, open_one],
        comparisons=[Comparison(candidate="pairs", task="click", difference=_difference("student"))],
        edges=[Edge(arm="student", task="click", untried=["L2 x 100"])],
        small_slices=0,
        held_out_rows=[
            HeldOutRows(slice="user without a training row", held_out=0.03, evaluation=0.66, last=False),
            HeldOutRows(slice="item without a training row", held_out=0.0, evaluation=0.1, last=False),
        ],
        seconds=9.0,
        explanation=["student: a sentence [with brackets]."],
    )


def test_the_tables_say_what_was_found(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(TERMINAL.out, "width", 200, raising=False)
    with TERMINAL.out.capture() as captured:
        experiment.print_result(_result())
    text = captured.get()
    assert "0.7123 (0.0045)" in text
    assert "L2 x 10" in text
    assert "+0.0200" in text
    assert "[+0.0100, +0.0300]" in text
    assert "knowledge" in text
    assert "stay (not distilled)" in text
    assert "undefined" in text
    assert "a sentence [with brackets]." in text
    assert "L2 x 10 *" in text
    assert "as configured *" not in text
    assert "0.93" in text
    assert "[0.40, 1.50]" in text
    assert "rows of which 3% are of a user without a training row; of the evaluation examples 66% are." in text
    assert "of an item" not in text
    assert "hold_out: last" in text
    assert "ceiling too close" in text
    assert "inconclusive (about 11 seeds would decide)" in " ".join(text.split())
    assert "Candidates and controls compared" in text
    assert (
        "student, click: the control is under-tuned: shuffled, from which there is nothing to learn, beat it." in text
    )
    assert "(shuffled) the difference is +0.0200 [+0.0100, +0.0300]." in text
    assert "pairs, click: the control is under-tuned" not in text


def test_the_json_reads_back():
    result = _result()
    assert ExperimentResult.model_validate(json.loads(result.model_dump_json())) == result
