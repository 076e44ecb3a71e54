"""What a result rests on, in plain sentences: what the data and the label report say.

The thresholds are those of the trials that the documentation tells of: distillation gave
nothing beyond noise where items were disjoint and many users new, where students had no
id embeddings, and where the source was small.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tensorflow_metadata.proto.v0 import schema_pb2

from evidence.arms import CONTROL, GAUSSIAN, SHUFFLED
from evidence.result import ExperimentResult
from evidence.verdicts import Effect
from models import inputs
from schema.errors import InputError
from schema.loader import SCHEMA_FILE, read_schema
from schema.metrics import METRICS, Metric
from schema.surface import TRAIN_SPLIT, FeatureKind, Side, Surface

# A categorical feature with fewer values than this tells no users or items apart.
_LEAST_IDS = 50
_LITTLE_OVERLAP = 0.5
_MANY_NEW = 0.3
_MUCH_FILLED = 0.5
_SMALL_SOURCE = 10
_NEAR_CHANCE = 0.02
_NOTABLE = 0.005


@dataclass(frozen=True)
class TeacherQuality:
    """How well the teacher's output predicts a task's label on the evaluation split."""

    metric: str
    value: float | None


@dataclass(frozen=True)
class Labels:
    """What the label report says.

    Attributes:
      fill_rate: Part of the teacher's inputs that the target never has.
      filled: Their names.
      bad: Examples that could not be labelled.
      read: Examples read.
      quality: The quality by task.
    """

    fill_rate: float | None
    filled: Sequence[str]
    bad: int
    read: int
    quality: Mapping[str, TeacherQuality]


@dataclass(frozen=True)
class IdFacts:
    """What is known of one id feature.

    Attributes:
      feature: The target's feature.
      side: User or item.
      rows_per_id: Training rows for each different value.
      new: Part of the evaluation examples whose value is not in the training split.
      known_to_teacher: Part of the evaluation examples whose value the teacher was trained
        on; None if the source was not given or the teacher does not read the feature.
      read_by_teacher: Whether the teacher has an input for it.
    """

    feature: str
    side: Side
    rows_per_id: float
    new: float
    known_to_teacher: float | None
    read_by_teacher: bool


@dataclass(frozen=True)
class Facts:
    """All that the sentences are made of.

    Attributes:
      target_rows: Training rows of the target.
      source_rows: Training rows of the source; None if it was not given.
      labels: What the label report says.
      ids: What is known of each id feature.
      pairs: Whether the student also learns from pairs never shown.
    """

    target_rows: int
    source_rows: int | None
    labels: Labels
    ids: Sequence[IdFacts] = field(default_factory=tuple)
    pairs: bool = False


def gather(
    surface: Surface,
    schema: schema_pb2.Schema,
    training: Sequence[Path],
    evaluation: Path,
    source: Path | None,
    labels: Labels,
) -> Facts:
    """Reads the raw ids of target and source.

    Args:
      surface: The target's surface.
      schema: Its schema.
      training: Folders of the training split, before Transform.
      evaluation: Folder of the evaluation split, before Transform.
      source: Folder of the source domain: `train/` and `schema.pbtxt`; None if not at hand.
      labels: What the label report says.

    Raises:
      InputError: A folder lacks what is read from it.
    """
    sides = {
        name: feature.side
        for name, feature in surface.features.items()
        if feature.kind is FeatureKind.CATEGORICAL and not feature.listed and feature.side in (Side.USER, Side.ITEM)
    }
    label = next(iter(surface.tasks.values())).label
    parts = [inputs.raw_columns(folder, schema, [*sides, label]) for folder in training]
    trained = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    evaluated = inputs.raw_columns(evaluation, schema, list(sides)) if sides else {}
    ids = [name for name in sides if len(np.unique(trained[name])) >= _LEAST_IDS]
    adapted = surface.teacher_features
    inputs_of = {each.source or name: name for name, each in adapted.items()}
    seen, source_rows = _source(source, [inputs_of[name] for name in ids if name in inputs_of])
    return Facts(
        target_rows=len(trained[label]),
        source_rows=source_rows,
        labels=labels,
        ids=[
            IdFacts(
                feature=name,
                side=sides[name],
                rows_per_id=len(trained[name]) / len(np.unique(trained[name])),
                new=1 - _share(evaluated[name], trained[name]),
                known_to_teacher=_share(evaluated[name], seen[inputs_of[name]])
                if inputs_of.get(name) in seen
                else None,
                read_by_teacher=name in inputs_of,
            )
            for name in ids
        ],
        pairs=surface.unlabelled is not None,
    )


def _source(source: Path | None, names: Sequence[str]) -> tuple[dict[str, NDArray[Any]], int | None]:
    if source is None or not names:
        return {}, None
    schema = read_schema(source / SCHEMA_FILE)
    missing = sorted(set(names) - {column.name for column in schema.feature})
    if missing:
        raise InputError(f"{source / SCHEMA_FILE}: the teacher reads {', '.join(missing)}, which the source lacks")
    columns = inputs.raw_columns(source / TRAIN_SPLIT, schema, names)
    return columns, len(columns[names[0]])


def _share(values: NDArray[Any], known: NDArray[Any]) -> float:
    return float(np.isin(values, np.unique(known)).mean())


def sentences(facts: Facts, result: ExperimentResult) -> list[str]:
    """The result and what it rests on, one sentence or two to a line."""
    return [
        *_verdicts(result),
        *_sizes(facts),
        *(line for each in facts.ids for line in _id(each)),
        *_no_ids(facts),
        *_pairs(facts),
        *_adaptation(facts.labels),
        *_quality(facts.labels, result),
        *_transferred(result),
        *_placebos(result),
    ]


def _verdicts(result: ExperimentResult) -> list[str]:
    by_verdict: dict[tuple[str, Effect], list[str]] = {}
    for each in result.findings:
        if each.verdict is not None:
            by_verdict.setdefault((each.candidate, each.verdict), []).append(each.task)
    return [_WORDS[verdict].format(arm=arm, tasks=", ".join(tasks)) for (arm, verdict), tasks in by_verdict.items()]


_WORDS = {
    Effect.KNOWLEDGE: "{arm}: on {tasks} it is better than the control and than both placebos: the gain is the "
    "teacher's knowledge.",
    Effect.REGULARISATION: "{arm}: on {tasks} it is better than the control, but noise in the teacher's place "
    "gains as well: more dropout or L2 may do, and needs no teacher.",
    Effect.NONE: "{arm}: on {tasks} it is as good as the control, within the margin that was declared.",
    Effect.INCONCLUSIVE: "{arm}: on {tasks} the intervals are too wide to say: more seeds or more evaluation "
    "examples would tell.",
    Effect.HARM: "{arm}: on {tasks} it is worse than the control: do not distil here as configured.",
}


def _sizes(facts: Facts) -> list[str]:
    if facts.source_rows is None:
        return [f"The target has {facts.target_rows:,} training rows; the source was not given (--source)."]
    times = facts.source_rows / facts.target_rows
    line = f"The source has {facts.source_rows:,} training rows, {times:,.1f} times the target's {facts.target_rows:,}."
    if times < _SMALL_SOURCE:
        line += " That is a small source, and in trials small sources taught little."
    return [line]


def _id(each: IdFacts) -> list[str]:
    lines = [
        f"{each.feature}: {each.rows_per_id:,.1f} training rows for each {each.side.value}; {each.new:.0%} of the "
        f"evaluation examples are of {each.side.value}s that the target's training data never saw."
    ]
    if not each.read_by_teacher:
        lines.append(f"{each.feature}: the teacher does not read it, so it knows no single {each.side.value}.")
    elif each.known_to_teacher is not None:
        line = (
            f"{each.feature}: {each.known_to_teacher:.0%} of the evaluation examples are of {each.side.value}s that "
            "the teacher was trained on."
        )
        if each.known_to_teacher < _LITTLE_OVERLAP:
            line += f" Where the teacher never saw the {each.side.value}s, trials showed nothing beyond noise."
        lines.append(line)
    if each.new > _MANY_NEW:
        lines.append(
            f"{each.feature}: with so many new {each.side.value}s, the student's own embedding of them says nothing "
            "unless pairs are drawn for them (`crosskd run` with --people and --items): without, trials with many new "
            "users or items failed."
        )
    return lines


def _no_ids(facts: Facts) -> list[str]:
    if facts.ids:
        return []
    return ["The student reads no user or item id; in trials students without id embeddings gained nothing."]


def _pairs(facts: Facts) -> list[str]:
    """Advice only where the teacher can have an opinion of pairs that were never shown."""
    strangers = [
        each for each in facts.ids if each.known_to_teacher is not None and each.known_to_teacher < _LITTLE_OVERLAP
    ]
    if facts.pairs or strangers or not any(each.read_by_teacher for each in facts.ids):
        return []
    return [
        "The student learns from the rows of the target alone. In trials nothing helped as much as what the teacher "
        "says of pairs of users and items that were never shown: give surface.yaml an `unlabelled:` section."
    ]


def _adaptation(labels: Labels) -> list[str]:
    lines = []
    if labels.fill_rate == 0:
        lines.append("All of the teacher's inputs exist on the target.")
    elif labels.fill_rate is not None:
        line = f"{labels.fill_rate:.0%} of the teacher's inputs do not exist on the target and are filled with defaults"
        line += f" ({', '.join(labels.filled)})."
        if labels.fill_rate > _MUCH_FILLED:
            line += " That is more than the 40% of the published case study."
        lines.append(line)
    if labels.bad:
        lines.append(f"{labels.bad:,} of {labels.read:,} examples could not be labelled; the label report says why.")
    return lines


def _quality(labels: Labels, result: ExperimentResult) -> list[str]:
    means = {(each.arm, each.task): each.mean for each in result.means if each.slice is None}
    lines = []
    for task, quality in labels.quality.items():
        control = means.get((CONTROL, task))
        if quality.value is None or control is None:
            continue
        metric = METRICS[quality.metric]
        place = "better" if quality.value > control else "worse"
        line = (
            f"{task}: as it is, the teacher's {metric.title} on the target is {quality.value:.4f}, {place} "
            f"than the control's {control:.4f}."
        )
        lines.append(line + _remark(metric, quality.value))
    return lines


def _remark(metric: Metric, value: float) -> str:
    """What a teacher's value near that of a model without any skill says of it; higher is better."""
    if metric.no_skill is None:
        return ""
    if metric.order_only:
        close = value < metric.no_skill + _NEAR_CHANCE
        return " That is close to chance: there is little to learn from it." if close else ""
    if value >= metric.no_skill:
        return ""
    return (
        f" Below {metric.no_skill:g} says that its scale does not fit the target, not that it knows nothing: "
        "soft labels are z-scored, so only their order and spacing are learned."
    )


def _transferred(result: ExperimentResult) -> list[str]:
    return [
        f"{each.candidate}, {each.task}: {each.transfer.ratio:.0%} of what the teacher's logits would give as inputs "
        "was transferred."
        for each in result.findings
        if each.transfer is not None and each.transfer.ratio is not None
    ]


def _placebos(result: ExperimentResult) -> list[str]:
    means = {(each.arm, each.task): each.mean for each in result.means if each.slice is None}
    lines = []
    for task in result.tasks:
        control = means.get((CONTROL, task))
        gains = {name: means.get((name, task)) for name in (SHUFFLED, GAUSSIAN)}
        better = {name: value - control for name, value in gains.items() if value is not None and control is not None}
        if better and max(better.values()) > _NOTABLE:
            name = max(better, key=lambda each: better[each])
            lines.append(
                f"{task}: {name} soft labels alone move the control by {better[name]:+.4f}: it is under-regularized, "
                "and a comparison with the control alone would flatter distillation. A larger --tuning helps it."
            )
    return lines
