"""The Beam job: shards in, complete shards in the staging folders and one summary file out."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import apache_beam as beam
from apache_beam.metrics.metric import Metrics
from apache_beam.utils.shared import Shared
from pydantic import BaseModel
from tfx.dsl.io import fileio

from components.teacher_labeler.plan import LabelPlan, LabelShard
from components.teacher_labeler.program import TeacherProgram
from components.teacher_labeler.shard import ShardResult, empty_statistics, label_shard
from components.teacher_labeler.statistics import SAMPLE_SIZE, SplitStatistics
from components.teacher_labeler.summary import summarize
from components.teacher_labeler.trial import tried
from contracts.label_report import LabelReport
from schema.errors import InputError


class SplitFinding(BaseModel):
    """Why a split may not be published, counted over all of it."""

    reason: str
    column: str
    count: int


class JobSummary(BaseModel):
    """What the workers hand back to the executor.

    Attributes:
      failures: Sentences about shards that could not be labelled.
      shards: Shards labelled.
      files: Path of each staged file, and its final path.
      findings: Faults, by split.
      examples: Some dead letters as sentences, by split.
      report: None when a shard failed.
    """

    failures: list[str]
    shards: int
    files: list[tuple[str, str]]
    findings: dict[str, list[SplitFinding]]
    examples: dict[str, list[str]]
    report: LabelReport | None


@dataclass
class _Progress:
    """The accumulator: all shards seen so far."""

    splits: dict[str, SplitStatistics] = field(default_factory=dict)
    shards: int = 0
    files: list[tuple[str, str]] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)


def run_job(pipeline: beam.Pipeline, plan: LabelPlan, shards: Sequence[LabelShard], marker: str, summary: str) -> None:
    """Builds and runs the job.

    Args:
      pipeline: An empty pipeline; it is run and waited for.
      plan: What to label with.
      shards: What to label.
      marker: Path of a file that a failing worker writes, and others look for, to stop early.
      summary: Path of the file to write the `JobSummary` to, as JSON.
    """
    with pipeline:
        _ = (
            pipeline
            | "Shards" >> beam.Create(list(shards))
            | "Spread" >> beam.Reshuffle()
            | "Label" >> beam.ParDo(_LabelShard(plan, marker))
            | "Gather" >> beam.CombineGlobally(_Gather(plan))
            | "Summarize" >> beam.Map(_write_summary, plan=plan, path=summary, start=time.time())
        )


class _LabelShard(beam.DoFn):
    """Labels one shard per element; the loaded teacher is shared by all of a process's threads.

    What the user can mend is handed on as a sentence rather than raised: the runner need
    not try again what cannot succeed, and the message arrives whole on any runner.
    """

    def __init__(self, plan: LabelPlan, marker: str) -> None:
        self._plan = plan
        self._marker = marker
        self._shared = Shared()
        self._labelled = Metrics.counter("crosskd", "examples_labelled")

    def process(self, shard: LabelShard) -> Iterator[ShardResult | str]:
        if fileio.exists(self._marker):
            return
        try:
            program = self._shared.acquire(
                lambda: tried(TeacherProgram(self._plan), shard.path), tag=self._plan.teacher_fingerprint
            )
            result = label_shard(shard, program)
        except InputError as error:
            with fileio.open(self._marker, "w") as file:
                file.write(str(error))
            yield str(error)
        else:
            self._labelled.inc(result.statistics.labelled)
            yield result


class _Gather(beam.CombineFn):
    """Merges the results of shards."""

    def __init__(self, plan: LabelPlan) -> None:
        self._plan = plan

    def create_accumulator(self) -> _Progress:
        return _Progress()

    def add_input(self, progress: _Progress, result: ShardResult | str) -> _Progress:
        if isinstance(result, str):
            progress.failures.append(result)
            return progress
        self._add(progress, result.shard.split, result.statistics)
        progress.files.extend(result.files)
        progress.shards += 1
        return progress

    def merge_accumulators(self, accumulators: Iterable[_Progress]) -> _Progress:
        merged = _Progress()
        for progress in accumulators:
            merged.failures.extend(progress.failures)
            merged.files.extend(progress.files)
            merged.shards += progress.shards
            for split, statistics in progress.splits.items():
                self._add(merged, split, statistics)
        return merged

    def extract_output(self, progress: _Progress) -> _Progress:
        return progress

    def _add(self, progress: _Progress, split: str, statistics: SplitStatistics) -> None:
        if split not in progress.splits:
            progress.splits[split] = empty_statistics(self._plan, SAMPLE_SIZE)
        progress.splits[split].merge(statistics)


def _write_summary(progress: _Progress, plan: LabelPlan, path: str, start: float) -> None:
    findings = {
        split: [
            SplitFinding(reason=reason, column=column, count=count)
            for (reason, column), count in statistics.at_fault.most_common()
        ]
        for split, statistics in progress.splits.items()
    }
    summary = JobSummary(
        failures=progress.failures,
        shards=progress.shards,
        files=progress.files,
        findings=findings,
        examples={split: statistics.examples for split, statistics in progress.splits.items()},
        report=None if progress.failures else summarize(plan, progress.splits, time.time() - start),
    )
    with fileio.open(path, "w") as file:
        file.write(summary.model_dump_json())
