"""The report's stage through the real runner: what is cached, and what it knows of earlier runs."""

from __future__ import annotations

from pathlib import Path

import pytest
from tfx.dsl.components.common.importer import Importer
from tfx.types import standard_artifacts

from contracts.artifacts import GateDecision, LabelReportArtifact, ServingReportArtifact
from crosskd.runs import METADATA_FILE, Run, newest_run
from pipeline.beam_options import beam_args
from pipeline.judging import Judging
from pipeline.labelling import Labelling
from pipeline.pipeline import assemble
from pipeline.reporting import reporting
from pipeline.runners import Runner, run
from pipeline.settings import Settings
from pipeline.training import TrainedArms
from tests.components.evaluation_report import folders, handmade

KINDS = {
    "decision": GateDecision,
    "last": standard_artifacts.ModelEvaluation,
    "control": standard_artifacts.ModelEvaluation,
    "labels": LabelReportArtifact,
    "serving": ServingReportArtifact,
    "student-run": standard_artifacts.ModelRun,
    "control-run": standard_artifacts.ModelRun,
    "statistics": standard_artifacts.ExampleStatistics,
    "pushed": standard_artifacts.PushedModel,
}


class Days:
    """A root in which a day's run finds the artifacts of its folder."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.root = folder / "root"
        self.root.mkdir()
        self.settings = Settings(
            surface=handmade.two_tasks(),
            schema_path="schema.pbtxt",
            examples="examples",
            teacher="teacher",
            teacher_fingerprint="of-the-teacher",
            root=str(self.root / "artifacts"),
            serving=str(self.root / "serving"),
            metadata=str(self.root / METADATA_FILE),
            beam_args=beam_args([]),
        )

    def run(self, day: str) -> Run:
        importers = {
            name: Importer(source_uri=str(self.folder / day / name), artifact_type=kind).with_id(name)
            for name, kind in KINDS.items()
        }
        found = {name: importer.outputs["result"] for name, importer in importers.items()}
        judged = Judging(
            [],
            found["decision"],
            found["last"],
            found["control"],
            found["serving"],
            found["pushed"],
            blessing=found["pushed"],  # nothing here reads it
        )
        model = found["student-run"]  # the report reads none; it only needs a channel
        labelled = Labelling(
            nodes=[],
            examples=model,
            teacher=model,
            report=found["labels"],
            statistics=found["statistics"],
            schema=model,
            guards=[importers["labels"]],
            arrived=model,
        )
        trained = TrainedArms(
            nodes=[],
            student=model,
            control=model,
            student_run=found["student-run"],
            control_run=found["control-run"],
        )
        report = reporting(self.settings, labelled, trained, judged)
        run(assemble(self.settings, [*importers.values(), *report]), Runner.LOCAL)
        return newest_run(self.root)


def page(of: Run) -> str:
    return (Path(of.output("EvaluationReport", "page")[0]) / "index.html").read_text()


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> dict[str, Run]:
    """A first day, the same again, a second day, and the first one's artifacts once more."""
    days = Days(tmp_path_factory.mktemp("days"))
    folders.write(days.folder / "monday", student=0.7)
    folders.write(days.folder / "tuesday", student=0.55, mean_label=-1.6)
    order = (("first", "monday"), ("again", "monday"), ("second", "tuesday"), ("back", "monday"))
    return {name: days.run(day) for name, day in order}


def test_the_first_page_knows_of_no_earlier_run(runs):
    assert runs["first"].nodes["EvaluationReport"].state == "COMPLETE"
    assert "This is the first run under this root." in page(runs["first"])
    assert "This is the first labelling" in page(runs["first"])


def test_the_next_one_knows_of_it(runs):
    html = page(runs["second"])
    assert "2 runs, 1 of them blessed" in html
    # From a mean of -2 to one of -1.6, with a standard deviation of .8.
    assert "moved by +0.500 standard deviations" in html


@pytest.mark.parametrize("name", ["again", "back"])
def test_an_unchanged_run_is_cached_also_after_later_ones(runs, name):
    assert runs[name].nodes["EvaluationReport"].state == "CACHED"
    assert page(runs[name]) == page(runs["first"])
