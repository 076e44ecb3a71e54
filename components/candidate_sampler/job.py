"""The Beam job: reads all examples once, then writes the unlabelled files side by side."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import apache_beam as beam
import numpy as np
from pydantic import BaseModel
from tensorflow_metadata.proto.v0 import schema_pb2
from tfx.dsl.io import fileio

from components.candidate_sampler.catalogue import CatalogueFile, Listed, read_listed
from components.candidate_sampler.drawing import Counts, PairShard, draw_shard, read_shard
from components.candidate_sampler.records import Keys
from components.candidate_sampler.sides import Sides, Source, read_sides
from components.candidate_sampler.stock import Stock, is_among
from contracts.candidate_report import CandidateReport, CatalogueCounts
from schema.candidates import ITEMS, PEOPLE
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
    catalogues: Sequence[CatalogueFile],
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
      catalogues: All files of catalogues.
      shards: The files to write.
      logs: Folder of candidates if the shards are made of its files.
      summary: Path of the file to write the `PairSummary` to, as JSON.
    """
    contexts = any(shard.people is not None for shard in shards)
    with pipeline:
        merged = (
            pipeline
            | "Sources" >> beam.Create([*sources, *catalogues])
            | "SpreadSources" >> beam.Reshuffle()
            | "ReadSides" >> beam.Map(_read, plan=plan, schema=schema, contexts=contexts)
            | "Stock" >> beam.CombineGlobally(_Merge(plan))
        )
        stock = beam.pvalue.AsSingleton(merged)
        _ = (
            pipeline
            | "Shards" >> beam.Create(list(shards))
            | "SpreadShards" >> beam.Reshuffle()
            | "WriteShards" >> beam.FlatMap(_write, plan=plan, schema=schema, logs=logs is not None, stock=stock)
            | "Count" >> beam.CombineGlobally(_Count())
            | "Report" >> beam.Map(_report, stock=stock, source=logs or FROM_EXAMPLES, path=summary)
        )


def _read(
    source: Source | CatalogueFile, plan: PairPlan, schema: schema_pb2.Schema, contexts: bool
) -> Sides | Listed | str:
    """What a user can mend is handed on as a sentence, which arrives whole on any runner."""
    try:
        if isinstance(source, CatalogueFile):
            return read_listed(source, plan, schema)
        return read_sides(source, plan, schema, contexts=contexts)
    except InputError as error:
        return str(error)


class _Merge(beam.CombineFn):
    """All files' sides to what pairs are drawn from, or the sentences why there is nothing."""

    def __init__(self, plan: PairPlan) -> None:
        self._plan = plan

    def create_accumulator(self) -> list[Sides | Listed | str]:
        return []

    def add_input(self, parts: list[Sides | Listed | str], part: Sides | Listed | str) -> list[Sides | Listed | str]:
        return [*parts, part]

    def merge_accumulators(self, accumulators: Iterable[list[Sides | Listed | str]]) -> list[Sides | Listed | str]:
        return [part for parts in accumulators for part in parts]

    def extract_output(self, parts: list[Sides | Listed | str]) -> Stock | list[str]:
        failures = sorted(part for part in parts if isinstance(part, str))
        if failures:
            return failures
        try:
            sides = [part for part in parts if isinstance(part, Sides)]
            return Stock(sides, self._plan, [part for part in parts if isinstance(part, Listed)])
        except InputError as error:
            return [str(error)]


def _write(
    shard: PairShard, plan: PairPlan, schema: schema_pb2.Schema, logs: bool, stock: Stock | list[str]
) -> Iterator[Counts | str]:
    if isinstance(stock, list):
        yield from stock
        return
    try:
        yield (read_shard if logs else draw_shard)(shard, plan, schema, stock)
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


def _report(total: tuple[Counts, list[str]], stock: Stock | list[str], source: str, path: str) -> None:
    counts, failures = total
    report = None if isinstance(stock, list) else _counted(counts, stock, source)
    with fileio.open(path, "w") as file:
        file.write(PairSummary(failures=sorted(set(failures)), report=report).model_dump_json())


def _counted(counts: Counts, stock: Stock, source: str) -> CandidateReport:
    users, items = _without(stock.users, counts.users), _without(stock.trained_items, counts.items)
    without_row = {PEOPLE: users, ITEMS: items}
    return CandidateReport(
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
        users_without_row=len(users),
        items_without_row=len(items),
        catalogues={
            which: CatalogueCounts(
                source=each.folder,
                listed=len(each.keys),
                with_row=int(each.with_row.sum()),
                drawn=len(np.intersect1d(each.keys, without_row[which])),
            )
            for which, each in stock.catalogues.items()
        },
    )


def _without(trained: Keys, drawn: Keys) -> Keys:
    """Whom or what of those drawn no training row is of."""
    return drawn[~is_among(trained, drawn)]
