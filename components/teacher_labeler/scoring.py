"""Labels the batches of one file, in order, and keeps bad records from spoiling good ones.

The records of a batch that fails are looked at one by one, without the teacher, and what is
left is labelled at once: bad records cost time in proportion to the batches that they stand
in.  Only where nothing is wrong with the records themselves, and the teacher refuses them
nevertheless, is the first such record searched for by halves, and what comes after it tried at
once again.  No record is lost for its neighbour's sake.
"""

from __future__ import annotations

import itertools
import operator
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from components.teacher_labeler.columns import written_apart
from components.teacher_labeler.faults import Fault, Reason, find_fault, unreadable
from components.teacher_labeler.plan import LabelPlan
from components.teacher_labeler.program import BAD_RECORD_ERRORS, TeacherProgram, TeacherScores
from components.teacher_labeler.stored import KeyReader
from records.encoding import NumberField, NumberLayout
from records.shards import cause, read_batches
from schema.surface import soft_label

_THREADS = 2  # one batch is encoded in Python while the other is in the graph
_BATCHES_AHEAD = 4  # so that both have work while a finished batch is counted and the next is read

# Of records in a file, by number, counted from 0.
Positions = Sequence[int]
# Position in the file, fault and bytes of a record that was not labelled.
Rejected = tuple[int, Fault, bytes]


@dataclass
class LabelledBatch:
    """One batch, done.

    Attributes:
      records: The labelled records: original bytes (or the key) with the soft labels appended.
      logits: float32 [adapted, teacher tasks]: also of rows with a non-finite logit; of a multiclass task
        the log of its likeliest class's probability.
      labels: float32 [adapted, hard labels].
      finite: Boolean [adapted]: the rows that were labelled.
      filled: Rows in which each feature was filled, and was not in its vocabulary; int [features, 2].
      rejected: Position in the file, fault and bytes of each record that was not labelled.
    """

    records: list[bytes]
    logits: NDArray[np.float32]
    labels: NDArray[np.float32]
    finite: NDArray[np.bool_]
    filled: NDArray[np.int64]
    rejected: list[Rejected] = field(default_factory=list)

    @property
    def read(self) -> int:
        """Records read for this batch."""
        return len(self.records) + len(self.rejected)


def soft_label_layout(plan: LabelPlan) -> NumberLayout:
    """The tf.Example that is appended to each record: the numbers of each task of the teacher, its representations."""
    return NumberLayout([NumberField(soft_label(name), "float", size) for name, size in _written(plan).items()])


def _written(plan: LabelPlan) -> dict[str, int]:
    """What is written of each record, in order, and how many numbers: first the tasks that are one number each."""
    apart = written_apart(plan.surface)
    return {name: 1 for name in plan.surface.teacher.tasks if name not in apart} | apart


def label_batches(path: str, program: TeacherProgram, *, overlapped: bool) -> Iterator[LabelledBatch]:
    """Labels the records of one file.

    Args:
      path: TFRecords of serialized tf.Examples.
      program: The teacher.
      overlapped: Whether batches are read and labelled on threads, ahead of the caller.

    Yields:
      Batches in the file's order.

    Raises:
      InputError: The file is corrupted, or a column cannot be cast.
    """
    scorer = _Scorer(program, path)
    batches = _positioned(read_batches(path, program.plan.options.batch_size))
    if not overlapped:
        yield from itertools.starmap(scorer.label, batches)
        return
    with ThreadPoolExecutor(_THREADS, thread_name_prefix="labeller") as pool:
        running: deque[Future[LabelledBatch]] = deque()
        for raw, positions in batches:
            running.append(pool.submit(scorer.label, raw, positions))
            if len(running) > _BATCHES_AHEAD:
                yield running.popleft().result()
        while running:
            yield running.popleft().result()


def _positioned(batches: Iterable[list[bytes]]) -> Iterator[tuple[list[bytes], Positions]]:
    """Each batch, and the positions of its records in the file."""
    position = 0
    for raw in batches:
        yield raw, range(position, position + len(raw))
        position += len(raw)


class _Scorer:
    """Labels batches of one file; thread-safe."""

    def __init__(self, program: TeacherProgram, path: str) -> None:
        self._program = program
        self._path = path
        self._layout = soft_label_layout(program.plan)
        key_column = program.plan.options.key_column
        self._read_keys = KeyReader(key_column, path) if key_column else None
        written, tasks = _written(program.plan), program.plan.surface.teacher.tasks
        self._names = [*written]
        self._ends = np.cumsum([*written.values()])[:-1]
        self._single = [place for place, task in enumerate(tasks.values()) if task.classes is None]

    def label(self, records: list[bytes], positions: Positions) -> LabelledBatch:
        """Labels `records`, which are at `positions` of the file."""
        try:
            scores = self._program(tf.constant(records))
        except BAD_RECORD_ERRORS as error:
            if self._program.learn_kinds(records, self._path):
                return self.label(records, positions)
            return self._label_failed(records, positions, error)
        return self._encode(records, positions, scores)

    def _label_failed(self, records: list[bytes], positions: Positions, error: Exception) -> LabelledBatch:
        """Sets aside the records that are at fault themselves, and labels the others."""
        plan = self._program.plan
        spoilt = unreadable(records, plan.surface, plan.all_kinds())
        rejected = [
            (positions[row], self._find_fault(records[row], Reason.UNPARSABLE, cause(error)), records[row])
            for row in spoilt
        ]
        good = sorted(set(range(len(records))).difference(spoilt))
        batch = self._label_good([records[row] for row in good], [positions[row] for row in good], refused=not spoilt)
        batch.rejected = sorted([*rejected, *batch.rejected], key=_position)
        return batch

    def _label_good(self, records: list[bytes], positions: Positions, *, refused: bool) -> LabelledBatch:
        """Labels records that are not at fault themselves, and sets aside those that the teacher refuses.

        Args:
          records: The records.
          positions: Their positions in the file.
          refused: Whether all of them together are known to be refused.
        """
        done, start = self._nothing_labelled([]), 0
        while start < len(records):
            rest, places = records[start:], positions[start:]
            tried = None if refused else self._try(rest, places)
            if isinstance(tried, LabelledBatch):
                return _joined(done, tried)
            part = self._label_up_to_refused(rest, places)
            done, start, refused = _joined(done, part), start + part.read, False
        return done

    def _label_up_to_refused(self, records: list[bytes], positions: Positions) -> LabelledBatch:
        """Labels the records before the first one that the teacher refuses, and sets that one aside."""
        done, low, high = self._nothing_labelled([]), 0, len(records)
        while high - low > 1:
            middle = (low + high) // 2
            tried = self._try(records[low:middle], positions[low:middle])
            if isinstance(tried, LabelledBatch):
                done, low = _joined(done, tried), middle
            else:
                high = middle
        alone = self._try(records[low:high], positions[low:high])
        if isinstance(alone, LabelledBatch):  # the teacher refused it in company only
            return _joined(done, alone)
        refused = positions[low], Fault(Reason.TEACHER_FAILED, "", cause(alone)), records[low]
        return _joined(done, self._nothing_labelled([refused]))

    def _try(self, records: list[bytes], positions: Positions) -> LabelledBatch | Exception:
        """The labelled records, or the teacher's error."""
        try:
            scores = self._program.tolerant(tf.constant(records))
        except BAD_RECORD_ERRORS as error:
            return error
        return self._encode(records, positions, scores)

    def _encode(self, records: list[bytes], positions: Positions, scores: TeacherScores) -> LabelledBatch:
        outputs = np.concatenate([scores.logits[:, self._single], scores.vectors], axis=1)
        if not scores.unfit.any() and np.isfinite(outputs).all():
            return self._append(records, scores, outputs)
        rejected: list[Rejected] = []
        for row in np.flatnonzero(scores.unfit).tolist():
            fault = self._find_fault(records[row], Reason.UNCASTABLE, "a value is out of the range of the teacher's")
            rejected.append((positions[row], fault, records[row]))
        fit = ~scores.unfit
        finite = np.asarray(np.isfinite(outputs).all(axis=1))
        for row in np.flatnonzero(fit & ~finite).tolist():
            rejected.append((positions[row], self._non_finite(outputs[row]), records[row]))
        good = fit & finite
        labelled = self._with_soft_labels([records[row] for row in np.flatnonzero(good)], outputs[good])
        rejected.sort(key=_position)
        return LabelledBatch(labelled, scores.logits[fit], scores.labels[fit], finite[fit], scores.filled, rejected)

    def _append(self, records: list[bytes], scores: TeacherScores, outputs: NDArray[np.float32]) -> LabelledBatch:
        """A batch without any fault, which nearly all are."""
        labelled = self._with_soft_labels(records, outputs)
        return LabelledBatch(labelled, scores.logits, scores.labels, np.ones(len(records), bool), scores.filled)

    def _with_soft_labels(self, records: list[bytes], outputs: NDArray[np.float32]) -> list[bytes]:
        suffixes = self._layout.encode(np.split(outputs, self._ends, axis=1))
        kept = self._read_keys(records) if self._read_keys else records
        return list(map(operator.add, kept, suffixes))

    def _find_fault(self, record: bytes, otherwise: Reason, detail: str) -> Fault:
        plan = self._program.plan
        return find_fault(record, plan.surface, plan.all_kinds()) or Fault(otherwise, "", detail)

    def _non_finite(self, outputs: NDArray[np.float32]) -> Fault:
        parts = dict(zip(self._names, np.split(outputs, self._ends), strict=True))
        wrong = {name: values[~np.isfinite(values)] for name, values in parts.items()}
        found = ", ".join(f"{name} = {values[0]}" for name, values in wrong.items() if len(values))
        first = next(name for name, values in wrong.items() if len(values))
        return Fault(Reason.NON_FINITE, first, f"the teacher's output is not finite: {found}")

    def _nothing_labelled(self, rejected: list[Rejected]) -> LabelledBatch:
        plan = self._program.plan
        teacher = plan.surface.teacher
        logits = np.empty((0, len(teacher.tasks)), np.float32)
        labels = np.empty((0, sum(task.distil is not None for task in plan.surface.tasks.values())), np.float32)
        return LabelledBatch(
            [], logits, labels, np.empty(0, bool), np.zeros((len(teacher.features), 2), np.int64), rejected
        )


def _position(rejected: Rejected) -> int:
    return rejected[0]


def _joined(first: LabelledBatch, second: LabelledBatch) -> LabelledBatch:
    return LabelledBatch(
        first.records + second.records,
        np.concatenate([first.logits, second.logits]),
        np.concatenate([first.labels, second.labels]),
        np.concatenate([first.finite, second.finite]),
        first.filled + second.filled,
        first.rejected + second.rejected,
    )
