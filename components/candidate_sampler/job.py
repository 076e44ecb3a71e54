"""The Beam job: reads all examples once, then writes the unlabelled files side by side."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import apache_beam as beam
from pydantic import BaseModel
from tensorflow_metadata.proto.v0 import schema_pb2
from tfx.dsl.io import fileio

from components.candidate_sampler.catalogue import Catalogue, Sides, Source, read_sides
from components.candidate_sampler.drawing import Counts, PairShard, draw_shard, read_shard
from contracts.candidate_report import CandidateReport
from schema.errors import InputError
from schema.pairs import PairPlan

FROM_EXAMPLES = "examples"


class PairSummary(BaseModel):
    """What the workers hand back: sentences about what cannot be done, or the report."""

    failures: list[str]
    report: CandidateReport | None


def run_job(
    pipeline: beam.Pipeline,
    plan: PairPlan,
    schema: schema_pb2.Schema,
    sources: Sequence[Source],
    shards: Sequence[PairShard],
    logs: str | None,
    summary: str,
) -> None:
    """Builds and runs the job.

    Args:
      pipeline: An empty pipeline; it is run and waited for.
      plan: Which pairs to make.
      schema: The TFDV schema of the examples.
      sources: All files of the training and the evaluation split.
      shards: The files to write.
      logs: Folder of candidates if the shards are made of its files.
      summary: Path of the file to write the `PairSummary` to, as JSON.
    """
    with pipeline:
        catalogue = (
            pipeline
            | "Sources" >> beam.Create(list(sources))
            | "SpreadSources" >> beam.Reshuffle()
            | "ReadSides" >> beam.Map(_read, plan=plan, schema=schema)
            | "Catalogue" >> beam.CombineGlobally(_Merge(plan))
        )
        _ = (
            pipeline
            | "Shards" >> beam.Create(list(shards))
            | "SpreadShards" >> beam.Reshuffle()
            | "WriteShards"
            >> beam.FlatMap(
                _write, plan=plan, schema=schema, logs=logs is not None, catalogue=beam.pvalue.AsSingleton(catalogue)
            )
            | "Count" >> beam.CombineGlobally(_Count())
            | "Report" >> beam.Map(_report, source=logs or FROM_EXAMPLES, path=summary)
        )


def _read(source: Source, plan: PairPlan, schema: schema_pb2.Schema) -> Sides | str:
    """What a user can mend is handed on as a sentence, which arrives whole on any runner."""
    try:
        return read_sides(source, plan, schema)
    except InputError as error:
        return str(error)


class _Merge(beam.CombineFn):
    """All files' sides to one catalogue, or the sentences why there is none."""

    def __init__(self, plan: PairPlan) -> None:
        self._plan = plan

    def create_accumulator(self) -> list[Sides | str]:
        return []

    def add_input(self, parts: list[Sides | str], part: Sides | str) -> list[Sides | str]:
        return [*parts, part]

    def merge_accumulators(self, accumulators: Iterable[list[Sides | str]]) -> list[Sides | str]:
        return [part for parts in accumulators for part in parts]

    def extract_output(self, parts: list[Sides | str]) -> Catalogue | list[str]:
        failures = sorted(part for part in parts if isinstance(part, str))
        if failures:
            return failures
        try:
            return Catalogue([part for part in parts if isinstance(part, Sides)], self._plan)
        except InputError as error:
            return [str(error)]


def _write(
    shard: PairShard, plan: PairPlan, schema: schema_pb2.Schema, logs: bool, catalogue: Catalogue | list[str]
) -> Iterator[Counts | str]:
    if isinstance(catalogue, list):
        yield from catalogue
        return
    try:
        yield (read_shard if logs else draw_shard)(shard, plan, schema, catalogue)
    except InputError as error:
        yield str(error)


class _Count(beam.CombineFn):
    """Adds up the shards' counts."""

    def create_accumulator(self) -> tuple[Counts, list[str]]:
        return Counts(), []

    def add_input(self, total: tuple[Counts, list[str]], part: Counts | str) -> tuple[Counts, list[str]]:
        if isinstance(part, str):
            return total[0], [*total[1], part]
        total[0].merge(part)
        return total

    def merge_accumulators(self, totals: Iterable[tuple[Counts, list[str]]]) -> tuple[Counts, list[str]]:
        merged = self.create_accumulator()
        for counts, failures in totals:
            merged[0].merge(counts)
            merged[1].extend(failures)
        return merged

    def extract_output(self, total: tuple[Counts, list[str]]) -> tuple[Counts, list[str]]:
        return total


def _report(total: tuple[Counts, list[str]], source: str, path: str) -> None:
    counts, failures = total
    report = CandidateReport(
        source=source,
        drawn=counts.drawn,
        shown=counts.shown,
        evaluated=counts.evaluated,
        labelled=counts.labelled,
        kept=counts.kept,
        given_up=counts.given_up,
        unique_pairs=len(counts.pairs),
        unique_users=len(counts.users),
        unique_items=len(counts.items),
    )
    with fileio.open(path, "w") as file:
        file.write(PairSummary(failures=sorted(set(failures)), report=report).model_dump_json())
