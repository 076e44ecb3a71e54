"""Numbers that are none: NaN and infinity in features, labels outside of what their task can have.

The statistics say which columns may hold them; only those are read, to count the examples.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from tensorflow_metadata.proto.v0 import statistics_pb2
from tfx.types import Artifact

from components.example_guard.classes import foreign_classes
from records.example_artifacts import split_files
from records.shards import read_batches
from schema.base import TaskKind
from schema.surface import FeatureKind, Surface, Task

_BATCH = 4096
_SHOWN = 3
_DTYPES = {statistics_pb2.FeatureNameStatistics.INT: tf.int64, statistics_pb2.FeatureNameStatistics.FLOAT: tf.float32}


class NumberKind(StrEnum):
    """What a column may hold where an example has it."""

    FEATURE = "feature"
    BINARY = "binary"
    REGRESSION = "regression"
    COUNT = "count"
    WEIGHT = "weight"
    POOL_WEIGHT = "pool weight"
    PROBABILITY = "probability"


@dataclass(frozen=True)
class _Rule:
    """A domain: which values are outside of it, what it is called, and what to do."""

    outside: Callable[[NDArray[Any]], NDArray[np.bool_]]
    expected: str
    remedy: str


_RULES = {
    NumberKind.FEATURE: _Rule(
        lambda values: ~np.isfinite(values),
        "a finite number",
        "Leave the feature out of those examples and give it a `default:`.",
    ),
    # NaN is no label: the loss of such an example is masked, as where the column is absent.
    NumberKind.BINARY: _Rule(
        lambda values: ~np.isnan(values) & (values != 0) & (values != 1),
        "0 or 1, the label of a binary task",
        "Leave the label out of examples where it is not known.",
    ),
    NumberKind.REGRESSION: _Rule(np.isinf, "a finite label", "Leave the label out of examples where it is not known."),
    NumberKind.COUNT: _Rule(
        lambda values: np.isinf(values) | (values < 0),
        "a finite label of 0 or more, since the model learns log(1 + label)",
        "Leave the label out of examples where it is not known, or give the task `clip: {min: 0}`.",
    ),
    NumberKind.POOL_WEIGHT: _Rule(
        lambda values: ~np.isfinite(values) | (values < 0),
        "finite weights of 0 or more",
        "Leave the weights out of examples whose values weigh 1 each.",
    ),
    NumberKind.PROBABILITY: _Rule(
        lambda values: ~(values > 0) | ~(values <= 1),
        "a probability of being kept, above 0 and up to 1",
        "Leave it out of examples that are always kept.",
    ),
    NumberKind.WEIGHT: _Rule(
        lambda values: ~np.isfinite(values) | (values < 0),
        "a finite weight of 0 or more",
        "Leave the weight out of examples that weigh 1.",
    ),
}


_LABELS = (NumberKind.REGRESSION, NumberKind.COUNT, NumberKind.BINARY)


def domains_of(surface: Surface) -> dict[str, NumberKind]:
    """The domain of every column with numbers that training reads, distilled or not."""
    found = {name: NumberKind.FEATURE for name, each in surface.features.items() if each.kind is FeatureKind.NUMERIC}
    found |= {each.weights: NumberKind.POOL_WEIGHT for each in surface.features.values() if each.weights is not None}
    found |= {
        task.weight_column: NumberKind.WEIGHT for task in surface.tasks.values() if task.weight_column is not None
    }
    of_soft = [each.weight_column for each in surface.distillations().values()]
    found |= {name: NumberKind.WEIGHT for name in (surface.weight_column, *of_soft) if name is not None}
    sampled = (task.sampled for task in surface.tasks.values() if task.sampled is not None)
    found |= {each.probability: NumberKind.PROBABILITY for each in sampled if each.probability is not None}
    # A column of several tasks must be fit for the strictest.
    strictest = sorted((_of_label(task), task.label) for task in surface.tasks.values())
    return found | {label: _LABELS[place] for place, label in strictest}


def _of_label(task: Task) -> int:
    """The place in `_LABELS` of what a task's column may hold."""
    if task.kind is TaskKind.BINARY and task.positive is None:
        return _LABELS.index(NumberKind.BINARY)
    counted = task.transform == "log1p" and (task.clip is None or task.clip.low is None)
    return _LABELS.index(NumberKind.COUNT if counted else NumberKind.REGRESSION)


def problems_in(
    split: str,
    statistics: statistics_pb2.DatasetFeatureStatisticsList,
    examples: Sequence[Artifact],
    surface: Surface,
) -> Iterator[str]:
    """What a split holds outside of its columns' domains, as `problems_among` has it.

    Args:
      split: The split.
      statistics: The statistics of the split.
      examples: What they were made of.
      surface: Whose features, labels and weights are looked at.
    """
    yield from problems_among(_batches(split, examples), statistics, surface)
    yield from foreign_classes(_batches(split, examples), surface)


def problems_among(
    batches: Iterable[Sequence[bytes]], statistics: statistics_pb2.DatasetFeatureStatisticsList, surface: Surface
) -> Iterator[str]:
    """What some examples hold outside of their columns' domains, one sentence per column, with counts of examples.

    Args:
      batches: The examples, serialized; not read unless the statistics make a column suspect.
      statistics: Their statistics.
      surface: Whose features, labels and weights are looked at.
    """
    domains = domains_of(surface)
    yield from _several(statistics, domains)
    types = {column: kind for column, kind in _suspects(statistics, domains) if kind in _DTYPES}
    if not types:
        return
    rows, found = _count(batches, types, domains)
    for column, (count, values) in found.items():
        if count:
            rule = _RULES[domains[column]]
            most = ", ".join(f"{value:g} in {times:,}" for value, times in values.most_common(_SHOWN))
            what = "feature" if domains[column] is NumberKind.FEATURE else "column"
            yield (
                f"{what} {column!r}: expected {rule.expected}, found others in {count:,} of {rows:,} examples "
                f"({most}). {rule.remedy}"
            )


def _several(
    statistics: statistics_pb2.DatasetFeatureStatisticsList, domains: Mapping[str, NumberKind]
) -> Iterator[str]:
    """Labels and weights of which an example has more than one."""
    for dataset in statistics.datasets:
        for column in dataset.features:
            name, most = column.path.step[0], column.num_stats.common_stats.max_num_values
            if most > 1 and domains.get(name, NumberKind.FEATURE) not in (NumberKind.FEATURE, NumberKind.POOL_WEIGHT):
                yield f"column {name!r}: expected one value in an example, found up to {most}. Keep one."


def _suspects(
    statistics: statistics_pb2.DatasetFeatureStatisticsList, domains: Mapping[str, NumberKind]
) -> Iterator[tuple[str, int]]:
    """Columns, with their types, that may hold what they must not."""
    for dataset in statistics.datasets:
        for column in dataset.features:
            name = column.path.step[0]
            if name in domains and _is_suspect(column, domains[name]):
                yield name, column.type


def _is_suspect(column: statistics_pb2.FeatureNameStatistics, domain: NumberKind) -> bool:
    numbers = column.num_stats
    not_finite = any(each.num_nan for each in numbers.histograms) or math.isinf(numbers.min) or math.isinf(numbers.max)
    if domain is NumberKind.BINARY:
        # Between the ends of a column of floats there may be others.
        return column.type != statistics_pb2.FeatureNameStatistics.INT or numbers.min < 0 or numbers.max > 1
    if domain is NumberKind.PROBABILITY:
        return not_finite or numbers.min <= 0 or numbers.max > 1
    least_is_0 = (NumberKind.WEIGHT, NumberKind.COUNT, NumberKind.POOL_WEIGHT)
    return not_finite or (domain in least_is_0 and numbers.min < 0)


def _count(
    batches: Iterable[Sequence[bytes]], types: Mapping[str, int], domains: Mapping[str, NumberKind]
) -> tuple[int, dict[str, tuple[int, Counter[float]]]]:
    """How many examples there are, and by column those with a value outside of its domain, and these values."""
    spec = {name: tf.io.RaggedFeature(_DTYPES[kind], row_splits_dtype=tf.int64) for name, kind in types.items()}
    rows = 0
    found = {name: (0, Counter[float]()) for name in types}
    for batch in batches:
        rows += len(batch)
        for name, column in tf.io.parse_example(batch, spec).items():
            values, of_row = column.flat_values.numpy(), column.value_rowids().numpy()
            outside = _RULES[domains[name]].outside(values)
            if outside.any():
                count, seen = found[name]
                seen.update(map(float, values[outside]))
                found[name] = count + len(np.unique(of_row[outside])), seen
    return rows, {name: (count, _merged(values)) for name, (count, values) in found.items()}


def _batches(split: str, examples: Sequence[Artifact]) -> Iterator[list[bytes]]:
    paths: Iterable[str] = (path for artifact in examples for path in split_files(artifact, split))
    for path in paths:
        yield from read_batches(path, _BATCH)


def _merged(values: Counter[float]) -> Counter[float]:
    """NaN is not equal to itself, so that a counter keeps each by itself."""
    merged = Counter({value: times for value, times in values.items() if not math.isnan(value)})
    nans = sum(times for value, times in values.items() if math.isnan(value))
    return merged + Counter({math.nan: nans})
