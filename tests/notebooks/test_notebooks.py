"""The notebooks, executed from top to bottom on real runs; and what they draw on."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import nbformat
import numpy as np
import pytest
from jupyter_client import KernelManager
from nbclient import NotebookClient
from typer.testing import CliRunner

from contracts.outcome import Exit
from crosskd import frames
from crosskd.main import app
from crosskd.runs import newest_run, newest_runs
from crosskd.summary import summarize
from schema.errors import InputError
from tests.docs.pages import DOCS, ROOT, blocks
from tests.e2e import library
from tests.notebooks import lab

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
SECONDS = 120
# What each must have said, and how many pictures it draws.
SAYS = {
    "slicing": (r"run \S+ beside run \S+", 2),
    "labels": (rf"books: {library.TRAIN_ROWS + library.EVAL_ROWS:,} of 1,800 examples labelled", 2),
    "experiment": (r"books: 2 paired seeds, 1 settings", 2),
}


@pytest.mark.parametrize("file", NOTEBOOKS, ids=lambda file: file.stem)
def test_notebooks_are_kept_without_outputs(file):
    cells = [cell for cell in nbformat.read(file, as_version=4).cells if cell.cell_type == "code"]
    assert cells
    assert all(not cell.outputs and cell.execution_count is None for cell in cells)


@pytest.mark.parametrize("file", NOTEBOOKS, ids=lambda file: file.stem)
def test_the_page_of_a_notebook_is_small(file):
    page = DOCS / "notebooks" / f"{file.stem}.md"
    pictures = sorted(page.with_name(f"{file.stem}_files").glob("*"))
    assert pictures
    assert {each.suffix for each in pictures} - {".html"} == {".svg"}  # a page is what the slicing tool is
    assert page.stat().st_size + sum(each.stat().st_size for each in pictures) < 300_000


def test_make_notebooks_opens_jupyterlab_with_the_kernel_of_this_environment():
    """JupyterLab starts a notebook's kernel by its name; the name must mean this interpreter."""
    said = subprocess.run(["make", "-n", "notebooks", "ROOT=x"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert f"CROSSKD_ROOT={ROOT / 'x'} .venv/bin/jupyter lab notebooks" in said.stdout
    names = {nbformat.read(file, as_version=4).metadata.kernelspec.name for file in NOTEBOOKS}
    assert names == {"python3"}
    kernel = KernelManager(kernel_name="python3")
    assert kernel.format_kernel_cmd()[0] == sys.executable


@pytest.mark.slow
@pytest.mark.browser
def test_jupyterlab_shows_the_slicing_tool_of_a_notebook(case, chromium, monkeypatch, tmp_path):
    monkeypatch.setenv("CROSSKD_ROOT", str(case.root))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    with lab.serving(tmp_path) as address:
        page = chromium.new_page(viewport={"width": 1280, "height": 900})
        lab.run_all(page, f"{address}/lab/tree/slicing.ipynb")
        tool = page.frame_locator("iframe[srcdoc]")
        tool.locator("table.sliced tbody tr").first.wait_for(timeout=SECONDS * 1000)
        before = tool.locator("table.sliced tbody tr").count()
        tool.locator("input[name=text]").fill("genre=crime")
        assert 0 < tool.locator("table.sliced tbody tr").count() < before


@pytest.mark.slow
@pytest.mark.parametrize("file", NOTEBOOKS, ids=lambda file: file.stem)
def test_a_notebook_runs_from_top_to_bottom(file, case, monkeypatch):
    monkeypatch.setenv("CROSSKD_ROOT", str(case.root))
    monkeypatch.setenv("CROSSKD_EXPERIMENT", str(case.experiment))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    notebook = nbformat.read(file, as_version=4)
    NotebookClient(notebook, timeout=SECONDS, resources={"metadata": {"path": str(file.parent)}}).execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    said = "".join(output.text for output in outputs if output.get("name") == "stdout")
    pictures = [output for output in outputs if "image/svg+xml" in output.get("data", {})]
    assert re.search(SAYS[file.stem][0], said), said
    assert len(pictures) == SAYS[file.stem][1]


@pytest.mark.slow
def test_python_blocks_of_the_tutorial_run(case):
    found = [block for block in blocks(DOCS / "tutorial.md") if block.language == "python"]
    names: dict = {}
    for block in found:
        exec(block.code.replace("runs/demo/homepage", str(case.root)), names)
    assert set(names["worst"].task) == {"was_borrowed", "was_liked"}
    assert names["worst"].change_high.is_monotonic_increasing


@pytest.mark.slow
def test_a_drafted_surface_goes_through_the_pipeline(case):
    assert set(case.ended) <= {Exit.OK, Exit.NOT_BLESSED}
    decision = summarize(case.root).decision
    assert decision.surface == "books"
    assert {(gate.task, gate.kind.value) for gate in decision.gates} == {
        (task, kind) for task in ("was_borrowed", "was_liked") for kind in ("control", "last_blessed")
    }


@pytest.mark.slow
def test_slices_are_those_of_the_decision(case):
    run = newest_run(case.root)
    found = frames.slices(run).set_index(["slice", "task", "metric"])
    assert {"overall", *(f"genre={genre}" for genre in library.GENRES)} <= set(found.index.get_level_values("slice"))
    overall = found.loc["overall", "was_borrowed", "auc"]
    assert overall.examples == library.EVAL_ROWS
    assert overall.change == pytest.approx(overall.student - overall.baseline, abs=1e-6)
    assert overall.change_low <= overall.change <= overall.change_high
    gate = next(gate for gate in summarize(case.root).decision.gates if gate.kind.value == "control")
    assert found.loc["overall", gate.task, gate.metric].student == pytest.approx(gate.student.value)


@pytest.mark.slow
def test_history_has_the_epochs_of_each_run(case):
    newest, before = newest_runs(case.root, 2)
    for run, epochs in ((newest, 3), (before, 4)):
        history = frames.history(run)
        kept = history[(history.loss == "hard_loss") & (history.part == "validation")]
        assert kept.groupby("arm").epoch.max().to_dict() == {"student": epochs, "control": epochs}


@pytest.mark.slow
def test_labels_are_those_in_the_examples(case):
    run = newest_run(case.root)
    assert frames.surface(run).name == "books"
    found = frames.labels(run, "eval", ["match", "teacher/fun", "was_liked", "reader"], 50)
    assert len(found) == 50
    np.testing.assert_allclose(found["teacher/fun"], found["match"], rtol=1e-6)  # the teacher says so of `fun`
    assert found["was_liked"].isna().any()
    assert found["reader"].isna().all()  # a string is no number


@pytest.mark.slow
def test_nodes_come_with_their_time(case):
    nodes = frames.nodes(newest_run(case.root))
    assert nodes.seconds.is_monotonic_decreasing
    assert set(nodes.state) <= {"COMPLETE", "CACHED"}
    assert nodes.set_index("node").state["TeacherLabeler"] == "CACHED"  # only the training changed


@pytest.mark.slow
def test_what_a_run_did_not_make_is_named(case):
    with pytest.raises(InputError, match="expected control or last_blessed, found 'yesterday'"):
        frames.slices(newest_run(case.root), "yesterday")


def test_two_real_runs_are_compared(case, tmp_path):
    page = tmp_path / "comparison.html"
    done = CliRunner().invoke(app, ["compare", f"{case.root}@-1", str(case.root), "--out", str(page), "--json"])
    assert done.exit_code == 0, done.exception
    told = json.loads(done.stdout[done.stdout.index("{\n") :])
    assert told["configuration"] == [{"key": "training.epochs", "first": "4", "second": "3"}]
    assert "second run minus first" in page.read_text()
    assert [each.name for each in tmp_path.iterdir()] == ["comparison.html"]
