"""A product in service: candidates are judged in its root, and what serves is watched."""

from __future__ import annotations

import functools
import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

from tfx.dsl.components.base.base_node import BaseNode
from tfx.dsl.components.common.importer import Importer
from tfx.dsl.components.common.resolver import ResolverStrategy
from tfx.types import standard_artifacts

from contracts.artifacts import LabelReportArtifact
from contracts.decision import BoundKind, Decision, Verdict
from crosskd.runs import METADATA_FILE, Run, newest_run
from pipeline.beam_options import beam_args
from pipeline.judging import judging
from pipeline.pipeline import assemble
from pipeline.resolvers import Present, from_destination
from pipeline.runners import Runner, run
from pipeline.settings import Settings
from records import documents
from schema.loader import load_surface
from tests.drills import shelf


@dataclass(frozen=True)
class Candidate:
    """What one run judges; folders of artifacts."""

    student: Path
    control: Path
    examples: Path
    label_report: Path


@dataclass(frozen=True)
class Outcome:
    """What a run came to.

    Attributes:
      run: As ML Metadata holds it.
      decision: The gate's; None where there is none.
      pushed: Whether a version was added.
      sentence: What the pusher says.
    """

    run: Run
    decision: Decision | None
    pushed: bool
    sentence: str

    def verdict(self, task: str, kind: BoundKind, part: str | None = None) -> Verdict:
        """The verdict in which all gates of a task, on any of its metrics, agree."""
        assert self.decision is not None
        (found,) = {g.verdict for g in self.decision.gates if (g.task, g.kind, g.slice) == (task, kind, part)}
        return found

    def failed(self) -> list[str]:
        """Sentences of all gates and checks that failed."""
        assert self.decision is not None
        checks = [check.sentence for check in self.decision.checks if check.verdict is Verdict.FAIL]
        return [*self.failed_gates(), *checks]

    def failed_gates(self) -> list[str]:
        """Sentences of the gates that failed."""
        assert self.decision is not None
        return [gate.sentence for gate in self.decision.gates if gate.verdict is Verdict.FAIL]


class Product:
    """A root with its serving folder, and runs of the pipeline's judging stage in it."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.root = folder / "root"
        surface = load_surface(shelf.write_surface(folder / "surface"))
        self.settings = Settings(
            surface=surface.surface,
            schema_path=str(surface.schema_path),
            examples="examples",
            teacher="teacher",
            teacher_fingerprint="of-the-teacher",
            root=str(self.root / "artifacts"),
            serving=str(self.root / "serving" / "shelf"),
            metadata=str(self.root / METADATA_FILE),
            beam_args=beam_args([]),
        )
        self.good = Candidate(
            student=shelf.write_model(folder / "good", shelf.GOOD),
            control=shelf.write_model(folder / "control", replace(shelf.GOOD, noise=0.51)),
            examples=shelf.write_labelled(folder / "examples", seed=0),
            label_report=shelf.write_label_report(folder / "report", labelled=2 * shelf.ROWS),
        )

    def candidate(self, name: str, quality: shelf.Quality, kind: type[shelf.Ranker] = shelf.Ranker) -> Candidate:
        """A candidate that differs from the good one in its student."""
        shelf.write_model(self.folder / name, quality, kind)
        return self.candidate_at(name)

    def candidate_at(self, name: str) -> Candidate:
        """The candidate that was made under this name."""
        return replace(self.good, student=self.folder / name)

    def reworded(self, words: str) -> Settings:
        """Settings under which the gate judges again, from evaluations in the cache."""
        returned = self.settings.surface.tasks["returned"].model_copy(update={"ungated": words})
        tasks = {**self.settings.surface.tasks, "returned": returned}
        return replace(self.settings, surface=self.settings.surface.model_copy(update={"tasks": tasks}))

    def versions(self) -> list[str]:
        return sorted(each.name for each in Path(self.settings.serving).glob("[0-9]*"))

    def served(self) -> dict[str, str]:
        """Every file in the serving folder, with its SHA-256."""
        base = Path(self.settings.serving)
        files = [each for each in sorted(base.rglob("*")) if each.is_file() and each.name != ".lock"]
        return {str(each.relative_to(base)): hashlib.sha256(each.read_bytes()).hexdigest() for each in files}

    def nodes(
        self,
        candidate: Candidate,
        settings: Settings | None = None,
        last_blessed: type[ResolverStrategy] = Present,
    ) -> list[BaseNode]:
        """The pipeline's own judging stage, with importers for what the earlier stages make."""
        student = _importer("Student", candidate.student, standard_artifacts.Model)
        control = _importer("Control", candidate.control, standard_artifacts.Model)
        examples = _importer(
            "Labelled",
            candidate.examples,
            standard_artifacts.Examples,
            properties={"split_names": '["train", "eval"]'},
            custom_properties={"file_format": "tfrecords_gzip", "payload_format": "FORMAT_TF_EXAMPLE"},
        )
        report = _importer("Report", candidate.label_report, LabelReportArtifact)
        judged = judging(
            settings or self.settings,
            student=student.outputs["result"],
            control=control.outputs["result"],
            examples=examples.outputs["result"],
            label_report=report.outputs["result"],
            last_blessed=functools.partial(from_destination, strategy=last_blessed),
        )
        return [student, control, examples, report, *judged.nodes]

    def run(self, nodes: list[BaseNode], settings: Settings | None = None, runner: Runner = Runner.BEAM) -> Outcome:
        """Runs nodes through the real runner."""
        before = self.versions()
        run(assemble(settings or self.settings, nodes), runner)
        return self.outcome(before)

    def outcome(self, before: list[str]) -> Outcome:
        """What the newest run came to; `before` are the versions before it."""
        found = newest_run(self.root)
        decision = found.output("BlessingGate", "decision")
        pushed = found.output("Pusher", "pushed_model")
        return Outcome(
            run=found,
            decision=documents.read(decision[0], Decision) if decision else None,
            pushed=self.versions() != before,
            sentence=str(pushed[1]["sentence"]) if pushed else "",
        )

    def judge(self, candidate: Candidate, settings: Settings | None = None, runner: Runner = Runner.BEAM) -> Outcome:
        """The whole stage over a candidate."""
        return self.run(self.nodes(candidate, settings), settings, runner)

    def refuse(self, candidate: Candidate, settings: Settings | None = None) -> Outcome:
        """The same, for one that must not be pushed; what serves must stay as it is."""
        before = self.served()
        outcome = self.judge(candidate, settings)
        assert self.served() == before
        assert_refused(outcome)
        return outcome


def assert_refused(outcome: Outcome) -> None:
    """The gate said no, and the pusher gives its sentence as the reason."""
    assert outcome.decision is not None
    assert not outcome.decision.blessed
    assert not outcome.pushed
    assert outcome.decision.sentence.startswith("Not blessed: ")
    assert outcome.sentence == outcome.decision.sentence


def without(nodes: list[BaseNode], *ids: str) -> list[BaseNode]:
    """A pipeline's nodes but these, as if a run ended before them."""
    return [node for node in nodes if node.id not in ids]


def _importer(name: str, folder: Path, kind: type, **properties: dict[str, str]) -> BaseNode:
    return Importer(source_uri=str(folder), artifact_type=kind, **properties).with_id(name)
