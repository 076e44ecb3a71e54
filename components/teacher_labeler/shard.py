"""Labels one whole shard: the unit of work."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from tfx.dsl.io import fileio

from components.teacher_labeler.columns import hard_labels
from components.teacher_labeler.dead_letters import DeadLetterWriter
from components.teacher_labeler.options import is_held_to_one_thread
from components.teacher_labeler.plan import LabelPlan, LabelShard
from components.teacher_labeler.program import TeacherProgram
from components.teacher_labeler.progress import LabelledSoFar
from components.teacher_labeler.scoring import LabelledBatch, label_batches
from components.teacher_labeler.statistics import Moments, SplitStatistics, folds_of
from records.shards import OverlappedShardWriter, ShardWriter
from schema.errors import InputError

# A teacher or data set that is wrong as a whole shows early; there is no need to write it all to dead letters.
_HOPELESS_RECORDS = 1000
_HOPELESS_FRACTION = 0.5


@dataclass
class ShardResult:
    """A labelled shard, complete but not yet at its final place.

    Attributes:
      shard: The shard.
      statistics: What was counted.
      files: Path where a file lies, and its final path.
    """

    shard: LabelShard
    statistics: SplitStatistics
    files: list[tuple[str, str]] = field(default_factory=list)


def label_shard(shard: LabelShard, program: TeacherProgram) -> ShardResult:
    """Labels `shard` into files of unique names in the staging folders.

    Raises:
      InputError: The shard cannot be read or its results not be written, or it is hopeless.
    """
    attempt = uuid.uuid4().hex
    examples = f"{shard.examples_staging}/{shard.index:05d}-{attempt}.gz"
    letters = f"{shard.dead_letters_staging}/{shard.index:05d}-{attempt}.jsonl.gz"
    fileio.makedirs(shard.examples_staging)
    fileio.makedirs(shard.dead_letters_staging)
    statistics = empty_statistics(program.plan, shard.sample_size)
    random = np.random.default_rng(shard.index)
    overlapped = not is_held_to_one_thread()
    write_shard = OverlappedShardWriter if overlapped else ShardWriter
    with (
        write_shard(examples, program.plan.options.compression_level) as writer,
        DeadLetterWriter(letters, shard.split, shard.path) as dead_letters,
        LabelledSoFar() as progress,
    ):
        for batch in label_batches(shard.path, program, overlapped=overlapped):
            writer.write(batch.records)
            for position, fault, record in batch.rejected:
                dead_letters.write(position, fault, record)
            keys = random.random(int(batch.finite.sum()))
            _count(statistics, batch, shard, keys)
            _compare(statistics, batch, program.plan, folds_of(keys))
            _give_up_if_hopeless(statistics, shard)
            progress.add(len(batch.records))
    statistics.sample.settle()
    files = [(examples, shard.examples)]
    if dead_letters.count:
        files.append((letters, shard.dead_letters))
    return ShardResult(shard, statistics, files)


def empty_statistics(plan: LabelPlan, sample_size: int) -> SplitStatistics:
    """Statistics of no records, for the plan's features, tasks and hard labels."""
    teacher = plan.surface.teacher
    return SplitStatistics.empty(len(teacher.features), len(teacher.tasks), len(hard_labels(plan.surface)), sample_size)


def _count(statistics: SplitStatistics, batch: LabelledBatch, shard: LabelShard, keys: NDArray[np.float64]) -> None:
    statistics.read += batch.read
    statistics.adapted += len(batch.finite)
    statistics.labelled += len(batch.records)
    statistics.filled += batch.filled
    for position, fault, _ in batch.rejected:
        sentence = f"{shard.path}, record {position}: {fault.detail}"
        statistics.add_fault(fault.reason, fault.column, sentence)
    logits, labels = batch.logits[batch.finite], batch.labels[batch.finite]
    for task, moments in enumerate(statistics.tasks):
        moments.merge(Moments.of(logits[:, task]))
    statistics.sample.add(keys, np.concatenate([logits, labels], axis=1))


def _compare(statistics: SplitStatistics, batch: LabelledBatch, plan: LabelPlan, folds: NDArray[np.intp]) -> None:
    tasks = list(plan.surface.teacher.tasks)
    for index, (label, agreement) in enumerate(zip(hard_labels(plan.surface), statistics.agreements, strict=True)):
        predicted = batch.logits[batch.finite, tasks.index(label.teacher_task)]
        agreement.add(predicted, batch.labels[batch.finite, index], folds)


def _give_up_if_hopeless(statistics: SplitStatistics, shard: LabelShard) -> None:
    bad = sum(statistics.bad.values())
    if bad >= _HOPELESS_RECORDS and bad > _HOPELESS_FRACTION * statistics.read:
        reasons = ", ".join(f"{reason}: {count}" for reason, count in statistics.bad.most_common())
        raise InputError(
            f"{shard.path}: {bad} of the first {statistics.read} records cannot be labelled ({reasons}). "
            f"For instance: {statistics.examples[0]}"
        )
