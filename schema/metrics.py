"""What is known of each metric before anything is computed: the facts that files, gates and pages go by.

`evaluation.registry` says how each of them is computed.  A metric that is added stands in
both, and nowhere else; `tests/evaluation/test_registry.py` holds one against the other.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Literal

from schema.base import TaskKind


class Direction(StrEnum):
    """Which values of a metric are better.

    `target`: those near `Metric.target`.  `neither`: it tells what the data or the
    predictions are, and not how good they are.
    """

    HIGHER = "higher"
    LOWER = "lower"
    TARGET = "target"
    NEITHER = "neither"


@dataclass(frozen=True)
class Metric:
    """The facts about one metric.

    Attributes:
      name: What surface.yaml and documents write.
      title: What people read.
      kinds: The kinds of task that it is computed for.
      direction: Which values are better.
      unit: The unit of its values; empty for a number without one.
      least: No value is lower.
      most: No value is higher.
      gateable: Whether a gate may ask for it.  `Gate` knows lower bounds alone, so that
        higher must be better.
      target: The best value, where the direction is `target`.
      no_skill: The value of a model that predicts the same for everyone; None where that
        depends on the data.
      order_only: Whether it judges the order of predictions alone, so that it is the same
        for logits as for probabilities.
      by_group: Whether it needs a surface with a `group`.
    """

    name: str
    title: str
    kinds: tuple[TaskKind, ...]
    direction: Direction
    unit: str = ""
    least: float = -math.inf
    most: float = math.inf
    gateable: bool = False
    target: float | None = None
    no_skill: float | None = None
    order_only: bool = False
    by_group: bool = False


_BINARY = (TaskKind.BINARY,)
_REGRESSION = (TaskKind.REGRESSION,)
_ALL = tuple(TaskKind)
_LABEL = "the label's unit"
NDCG_RANKS = 10
# A difference this small is none, in units of a main metric, unless an experiment declares another margin.
NEGLIGIBLE = 0.005

AUC = Metric(
    "auc",
    "AUC",
    _BINARY,
    Direction.HIGHER,
    least=0.0,
    most=1.0,
    gateable=True,
    no_skill=0.5,
    order_only=True,
)
R2 = Metric("r2", "R2", _REGRESSION, Direction.HIGHER, most=1.0, gateable=True, no_skill=0.0)
LABELLED_EXAMPLES = Metric("labelled_examples", "labelled examples", _ALL, Direction.NEITHER, "examples", least=0.0)
POSITIVES = Metric("positives", "positives", _BINARY, Direction.NEITHER, "examples", least=0.0)
MEAN_LABEL = Metric("mean_label", "mean label", _ALL, Direction.NEITHER, _LABEL)
MEAN_PREDICTION = Metric("mean_prediction", "mean prediction", _ALL, Direction.NEITHER, _LABEL)
CALIBRATION = Metric("calibration", "calibration ratio", _ALL, Direction.TARGET, target=1.0)
SQUARED_ERROR = Metric(
    "mean_squared_error", "mean squared error", _ALL, Direction.LOWER, f"{_LABEL}, squared", least=0.0
)
LOG_LOSS = Metric("log_loss", "log loss", _BINARY, Direction.LOWER, "nats", least=0.0)
NDCG = Metric(
    f"ndcg_at_{NDCG_RANKS}",
    f"NDCG@{NDCG_RANKS}",
    _BINARY,
    Direction.HIGHER,
    least=0.0,
    most=1.0,
    order_only=True,
    by_group=True,
)

METRICS: Mapping[str, Metric] = {
    each.name: each
    for each in (
        AUC,
        R2,
        LABELLED_EXAMPLES,
        POSITIVES,
        MEAN_LABEL,
        MEAN_PREDICTION,
        CALIBRATION,
        SQUARED_ERROR,
        LOG_LOSS,
        NDCG,
    )
}
# They tell on how many rows the others rest.
COUNTS = frozenset({LABELLED_EXAMPLES.name, POSITIVES.name})
# What a page shows first of a task, and what an experiment compares arms on; higher is better.
_MAIN = {TaskKind.BINARY: AUC, TaskKind.REGRESSION: R2}


def is_main(name: str) -> bool:
    """Whether tasks of some kind are first of all judged on this metric."""
    return any(each.name == name for each in _MAIN.values())


def main_metric(kind: TaskKind) -> Metric:
    """The metric that a task of this kind is first of all judged on; of each, higher is better."""
    return _MAIN[kind]


def metrics_of(kind: TaskKind, *, grouped: bool) -> list[Metric]:
    """All metrics of a task of this kind.

    Args:
      kind: The task's kind.
      grouped: Whether the surface has a `group`.
    """
    return [each for each in METRICS.values() if kind in each.kinds and (grouped or not each.by_group)]


def gateable(kind: TaskKind) -> list[str]:
    """Names of the metrics that a gate of a task of this kind may ask for."""
    return [each.name for each in METRICS.values() if each.gateable and kind in each.kinds]


def title_of(name: str) -> str:
    """What people read; a name that is not known, from a document of another version, stands for itself."""
    return METRICS[name].title if name in METRICS else name


def _names(metrics: Iterable[Metric]) -> tuple[str, ...]:
    return tuple(each.name for each in metrics)


if TYPE_CHECKING:
    # A type checker cannot follow a Literal made of data; pydantic and the documentation can.
    MetricName = str
    GatedMetric = str
else:
    MetricName = Literal[_names(METRICS.values())]
    GatedMetric = Literal[_names(each for each in METRICS.values() if each.gateable)]
