"""Labels that are none of the classes of their multiclass task."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import tensorflow as tf

from records.labels import label_of_array
from records.tf_example import FLOAT, INT, STRING, observe_kinds
from schema.labels import LabelRule
from schema.surface import Surface, Task

_DTYPES = {FLOAT: tf.float32, INT: tf.int64, STRING: tf.string}
_SHOWN = 3


@dataclass
class _Seen:
    """What a task's column held.

    Attributes:
      rows: Examples that hold a label of none of the classes.
      values: These labels, and how often each was there.
      most: The most values of an example.
      kind: A type of values that labels of these classes do not have; empty where there was none.
    """

    rows: int = 0
    values: Counter[str] = field(default_factory=Counter)
    most: int = 0
    kind: str = ""


def foreign_classes(batches: Iterable[Sequence[bytes]], surface: Surface) -> Iterator[str]:
    """What the label columns of multiclass tasks hold beside their classes, one sentence per task, with counts.

    Args:
      batches: The examples, serialized; not read unless there is such a task.
      surface: Whose labels are looked at.
    """
    tasks = {name: task for name, task in surface.tasks.items() if task.classes is not None}
    if not tasks:
        return
    seen, total = {name: _Seen() for name in tasks}, 0
    for batch in batches:
        total += len(batch)
        kinds = observe_kinds(list(batch), [task.label for task in tasks.values()])
        for name, task in tasks.items():
            if task.label in kinds:
                _look(batch, task.label, kinds[task.label], task.rule or LabelRule(), seen[name])
    for name, found in seen.items():
        yield from _told(name, tasks[name], found, total)


def _look(batch: Sequence[bytes], column: str, kind: str, rule: LabelRule, seen: _Seen) -> None:
    if (kind == STRING) != rule.of_text:
        seen.kind = kind
        return
    parsed = tf.io.parse_example(batch, {column: tf.io.RaggedFeature(_DTYPES[kind], row_splits_dtype=tf.int64)})[column]
    seen.most = max(seen.most, int(tf.reduce_max(parsed.row_lengths(), axis=0)))
    values = parsed.flat_values.numpy()
    outside = label_of_array(rule, values if kind == STRING else values.astype("float64")) < 0
    seen.rows += len(set(parsed.value_rowids().numpy()[outside].tolist()))
    seen.values.update(each.decode(errors="replace") if kind == STRING else f"{each:g}" for each in values[outside])


def _told(name: str, task: Task, found: _Seen, total: int) -> Iterator[str]:
    where = f"column {task.label!r}"
    if found.kind:
        expected = "names" if task.rule is not None and task.rule.of_text else "integers"
        yield f"{where}: the classes of task {name!r} are {expected}, found {found.kind}s."
    if found.most > 1:
        yield f"{where}: expected one value in an example, found up to {found.most}. Keep one."
    if found.rows:
        most = ", ".join(f"{value} in {times:,}" for value, times in found.values.most_common(_SHOWN))
        classes = ", ".join(map(str, task.classes or ()))
        yield (
            f"{where}: expected one of the classes of task {name!r} ({classes}), found others in {found.rows:,} of "
            f"{total:,} examples ({most}). Add them to the task's `classes:`, or leave the label out of those examples."
        )
