"""What is known of each metric before anything is computed: the facts that files, gates and pages go by.

`evaluation.registry` says how each of them is computed.  A metric that is added stands in
both, and nowhere else; `tests/evaluation/test_registry.py` holds one against the other.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Literal

from schema.base import TaskKind
from schema.metric import Direction as Direction
from schema.metric import Metric as Metric

_BINARY = (TaskKind.BINARY,)
_REGRESSION = (TaskKind.REGRESSION,)
_MULTICLASS = (TaskKind.MULTICLASS,)
_NUMBERS = (TaskKind.BINARY, TaskKind.REGRESSION)
_ALL = tuple(TaskKind)
_LABEL = "the label's unit"
RANKS = 10
# A difference this small is none, in units of a main metric, unless an experiment declares another margin.
NEGLIGIBLE = 0.005

AUC = Metric(
    "auc",
    "AUC",
    _BINARY,
    Direction.HIGHER,
    least=0.0,
    most=1.0,
    no_skill=0.5,
    order_only=True,
    formula="P(p of a positive > p of a negative) + P(equal) / 2",
    source="`sklearn.metrics.roc_auc_score`",
)
R2 = Metric(
    "r2",
    "R2",
    _REGRESSION,
    Direction.HIGHER,
    most=1.0,
    no_skill=0.0,
    formula="1 - sum w (y - p)^2 / sum w (y - mean y)^2",
    source="`sklearn.metrics.r2_score`",
)
LABELLED_EXAMPLES = Metric(
    "labelled_examples",
    "labelled examples",
    _ALL,
    Direction.NEITHER,
    "examples",
    least=0.0,
    of_score=True,
    formula="rows whose label is there, whatever their weight",
)
POSITIVES = Metric(
    "positives",
    "positives",
    _BINARY,
    Direction.NEITHER,
    "examples",
    least=0.0,
    formula="sum y, whatever the weight",
)
MEAN_LABEL = Metric("mean_label", "mean label", _NUMBERS, Direction.NEITHER, _LABEL, formula="sum w y / sum w")
MEAN_PREDICTION = Metric(
    "mean_prediction",
    "mean prediction",
    _NUMBERS,
    Direction.NEITHER,
    _LABEL,
    of_score=True,
    formula="sum w p / sum w",
)
CALIBRATION = Metric(
    "calibration",
    "calibration ratio",
    _NUMBERS,
    Direction.TARGET,
    target=1.0,
    formula="sum w p / sum w y",
    source="He et al., ADKDD 2014, section 3",
)
CALIBRATION_ERROR = Metric(
    "calibration_error",
    "expected calibration error",
    _BINARY,
    Direction.LOWER,
    least=0.0,
    most=1.0,
    formula="sum over 10 bins of equal weight of abs(sum w p - sum w y), divided by sum w",
    source="Nguyen and O'Connor, EMNLP 2015",
)
BRIER = Metric(
    "brier",
    "Brier score",
    _BINARY,
    Direction.LOWER,
    least=0.0,
    most=1.0,
    formula="sum w (y - p)^2 / sum w",
    source="`sklearn.metrics.brier_score_loss`",
)
LOG_LOSS = Metric(
    "log_loss",
    "log loss",
    (*_BINARY, *_MULTICLASS),
    Direction.LOWER,
    "nats",
    least=0.0,
    formula="-sum w (y log p + (1 - y) log(1 - p)) / sum w; of classes -sum w log p of the label / sum w",
    source="`sklearn.metrics.log_loss`",
)
NORMALIZED_ENTROPY = Metric(
    "normalized_entropy",
    "normalized entropy",
    _BINARY,
    Direction.LOWER,
    least=0.0,
    no_skill=1.0,
    formula="log loss / log loss of who says the mean label of everyone",
    source="He et al., ADKDD 2014, section 3",
)
PR_AUC = Metric(
    "pr_auc",
    "PR AUC",
    _BINARY,
    Direction.HIGHER,
    least=0.0,
    most=1.0,
    order_only=True,
    formula="sum over scores of (recall - recall before) * precision",
    source="`sklearn.metrics.average_precision_score`",
)
SQUARED_ERROR = Metric(
    "mean_squared_error",
    "mean squared error",
    _REGRESSION,
    Direction.LOWER,
    f"{_LABEL}, squared",
    least=0.0,
    formula="sum w (y - p)^2 / sum w",
    source="`sklearn.metrics.mean_squared_error`",
)
RMSE = Metric(
    "rmse",
    "root mean squared error",
    _REGRESSION,
    Direction.LOWER,
    _LABEL,
    least=0.0,
    formula="sqrt(sum w (y - p)^2 / sum w)",
    source="`sklearn.metrics.root_mean_squared_error`",
)
MAE = Metric(
    "mae",
    "mean absolute error",
    _REGRESSION,
    Direction.LOWER,
    _LABEL,
    least=0.0,
    formula="sum w abs(y - p) / sum w",
    source="`sklearn.metrics.mean_absolute_error`",
)
BIAS = Metric(
    "bias",
    "bias",
    _REGRESSION,
    Direction.TARGET,
    _LABEL,
    target=0.0,
    formula="sum w (p - y) / sum w",
    source="the mean of the residuals",
)
GROUPED_AUC = Metric(
    "grouped_auc",
    "grouped AUC",
    _BINARY,
    Direction.HIGHER,
    least=0.0,
    most=1.0,
    no_skill=0.5,
    order_only=True,
    by_group=True,
    formula="mean of the AUC of groups with both classes, by the weight of their examples",
    source="Zhu et al., KDD 2017 (arXiv:1706.06978, section 6.2)",
)
NDCG = Metric(
    f"ndcg_at_{RANKS}",
    f"NDCG@{RANKS}",
    _BINARY,
    Direction.HIGHER,
    least=0.0,
    most=1.0,
    order_only=True,
    by_group=True,
    of_score=True,
    formula="mean over groups of DCG / best DCG, DCG = sum over the first 10 ranks of y / log2(1 + rank)",
    source="Järvelin and Kekäläinen 2002; `sklearn.metrics.ndcg_score`",
)
MRR = Metric(
    "mrr",
    "MRR",
    _BINARY,
    Direction.HIGHER,
    least=0.0,
    most=1.0,
    order_only=True,
    by_group=True,
    of_score=True,
    formula="mean over groups of 1 / the rank of the first positive",
    source="Voorhees, TREC-8, 1999",
)
RECALL = Metric(
    f"recall_at_{RANKS}",
    f"recall@{RANKS}",
    _BINARY,
    Direction.HIGHER,
    least=0.0,
    most=1.0,
    order_only=True,
    by_group=True,
    of_score=True,
    formula="mean over groups of the share of positives that are among the first 10 ranks",
    source="the definition",
)
SPEARMAN = Metric(
    "grouped_spearman",
    "Spearman's correlation within groups",
    _REGRESSION,
    Direction.HIGHER,
    least=-1.0,
    most=1.0,
    no_skill=0.0,
    order_only=True,
    by_group=True,
    formula="mean over groups of the correlation of the ranks of y and p",
    source="`scipy.stats.spearmanr`",
)

ACCURACY = Metric(
    "accuracy",
    "accuracy",
    _MULTICLASS,
    Direction.HIGHER,
    least=0.0,
    most=1.0,
    order_only=True,
    formula="sum of w where the likeliest class is the label / sum w",
    source="`sklearn.metrics.accuracy_score`",
)
MACRO_F1 = Metric(
    "macro_f1",
    "macro F1",
    _MULTICLASS,
    Direction.HIGHER,
    least=0.0,
    most=1.0,
    order_only=True,
    formula="mean over the classes that are told or labelled of 2 hits / (told + labelled), by weight",
    source='`sklearn.metrics.f1_score(average="macro")`',
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
        CALIBRATION_ERROR,
        BRIER,
        LOG_LOSS,
        NORMALIZED_ENTROPY,
        PR_AUC,
        SQUARED_ERROR,
        RMSE,
        MAE,
        BIAS,
        GROUPED_AUC,
        NDCG,
        MRR,
        RECALL,
        SPEARMAN,
        ACCURACY,
        MACRO_F1,
    )
}
# They tell on how many rows the others rest.
COUNTS = frozenset({LABELLED_EXAMPLES.name, POSITIVES.name})
# What a page shows first of a task, and what an experiment compares arms on; higher is better.
_MAIN = {TaskKind.BINARY: AUC, TaskKind.REGRESSION: R2, TaskKind.MULTICLASS: ACCURACY}


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


def metrics_of_score(*, grouped: bool) -> list[Metric]:
    """All metrics of a surface's score; `grouped` as for `metrics_of`."""
    return [each for each in METRICS.values() if each.of_score and (grouped or not each.by_group)]


def gateable_of_score() -> list[str]:
    """Names of the metrics that a gate of the score may ask for."""
    return [each.name for each in METRICS.values() if each.of_score and each.gateable]


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
