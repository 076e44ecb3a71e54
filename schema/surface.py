"""The configuration of one surface: the typed form of ``surface.yaml``.

A *surface* is one ranked page of a product with its own tasks.  Everything the pipeline
does for it (preprocessing, the student's heads, labelling, evaluation, gates) is derived
from a `Surface` and from the TFDV schema beside it.  The words are those of the field:
serving head, distillation head, non-serving head, soft label (a teacher logit).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field, PositiveInt, model_validator

from schema.base import Name, Scalar, Strict, TaskKind, Weight
from schema.candidates import Unlabelled, WarmStart
from schema.distillation import Distillation, NonServingHead, Representation
from schema.errors import InputError
from schema.features import EventSequence, FeatureCross, LookupFile
from schema.features import Feature as Feature
from schema.features import FeatureKind as FeatureKind
from schema.features import Side as Side
from schema.metrics import METRICS, GatedMetric, gateable
from schema.own_code import ImportPath, OwnStudent
from schema.teacher import Teacher, TeacherRepresentation, TeacherTask
from schema.teacher_feature import TeacherFeature
from schema.training import Model, Training

SOFT_LABEL_PREFIX = "teacher/"
# Of the columns that Transform adds to the features.
LABEL_PREFIX = "label/"
GROUP_COLUMN = "group/id"
TASK_WEIGHT_PREFIX = "weight/task/"
WEIGHT_COLUMN = "weight/example"
# Columns that Transform makes of a feature beside that of its name: the weights of its pool, its absence.
POOL_PREFIX = "pool/"
ABSENT_PREFIX = "absent/"
# What a column that is no feature begins with; serving has none of them.
TRAINING_PREFIXES = (LABEL_PREFIX, SOFT_LABEL_PREFIX, GROUP_COLUMN, WEIGHT_COLUMN, TASK_WEIGHT_PREFIX)
TRAIN_SPLIT = "train"
EVAL_SPLIT = "eval"


class Change(Strict):
    """A bound on `candidate - baseline`, in the metric's unit, with better as positive.

    Attributes:
      at_least: The bound; a negative one admits as much loss.
    """

    at_least: float


# What is worse than twice the labels' variance, or than any other loss of 1, is no bound.
_LEAST, _MOST = -1.0, 1.0


def _out_of_range(key: str, metric: str, found: float, expected: str) -> str:
    percent = f"; {found:g}% is {found / 100:g}" if 1 < abs(found) <= 100 else ""
    return f"{key}: {metric} is a fraction, expected a bound of {expected}, found {found:g}{percent}"


class Gate(Strict):
    """One condition on one metric of one task; every gate must hold for a push.

    Attributes:
      metric: `auc` for binary tasks, `r2` (1 - SSE/SST) for regression tasks.
      at_least: Absolute bound.
      vs_last_blessed: Bound on the change against the last blessed model.
      vs_control: Bound on the change against the control without distillation.
      slice: Name of a slice of the surface; None is the overall slice.
      min_examples: With fewer labelled examples the gate cannot be judged.
      min_positives: The same for positive examples of a binary task.
      may_be_unjudged: A gate on all examples that cannot be judged blocks the push, and so does
        one on a slice of which the evaluation data have no labelled example; true lets them
        pass unjudged.  A slice with some examples, and too few, never blocks.
      judged_on: What the bounds apply to: the `point` estimate, or the `lower_limit` of
        its 95% confidence interval (for a change, of the paired difference).
    """

    metric: GatedMetric
    at_least: float | None = None
    vs_last_blessed: Change | None = None
    vs_control: Change | None = None
    slice: Name | None = None
    min_examples: PositiveInt = 1
    min_positives: PositiveInt = 1
    may_be_unjudged: bool = False
    judged_on: Literal["point", "lower_limit"] = "point"

    @model_validator(mode="after")
    def _asks_something(self) -> Gate:
        if self.at_least is None and self.vs_last_blessed is None and self.vs_control is None:
            raise ValueError("a gate needs at_least, vs_last_blessed or vs_control")
        return self

    @model_validator(mode="after")
    def _can_hold_and_can_fail(self) -> Gate:
        found = METRICS[self.metric]
        low = _LEAST if found.least is None else found.least
        high = _MOST if found.most is None else found.most
        if self.at_least is not None and not low <= self.at_least <= high:
            raise ValueError(_out_of_range("at_least", self.metric, self.at_least, f"{low:g} to {high:g}"))
        widest = high - low
        for key in ("vs_last_blessed", "vs_control"):
            change: Change | None = getattr(self, key)
            if change is not None and not -widest < change.at_least < widest:
                wrong = _out_of_range(f"{key}.at_least", self.metric, change.at_least, f"-{widest:g} to {widest:g}")
                raise ValueError(f"{wrong}, the ends excluded")
        return self


class Task(Strict):
    """One thing the model predicts and serves.

    Attributes:
      kind: Binary or regression.
      label: The examples' column with the hard label; it may be absent from an example,
        whose loss is then masked.
      weight: Weight of the hard loss.
      loss: What a regression's hard loss is of z-scored labels: `squared`, or `huber`, by which single
        labels far off pull less.
      label_smoothing: Share of a binary label that is given to both classes alike: with 0.1, 1 becomes .95.
      positive_weight: How many times a positive example counts, in a binary task's hard loss.
      weight_column: Column with the weight of an example in this task's hard loss, on top of the
        surface's; 1 where it is absent.  0 leaves an example out of this task alone.
      given: A binary task without which this binary one cannot be, such as a click for a purchase: what
        is learned and served is the product of both probabilities, of all examples (ESMM, Ma et al.,
        SIGIR 2018); the label is 0 where the other one is.
      bias: Features, such as the position, whose effect on the label is learned by a small tower
        that is added in training and left out of what serves; nothing else reads them, and a
        server need not have them (Zhao et al., RecSys 2019, section 4.3).
      distil: What this task's distillation head learns; None for no head.
      gates: The conditions for a push.
      ungated: Why this task has no gate; required when `gates` is empty.
    """

    kind: TaskKind
    label: str
    weight: Weight = 1.0
    loss: Literal["squared", "huber"] = "squared"
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0
    positive_weight: Annotated[float, Field(gt=0)] = 1.0
    weight_column: str | None = None
    given: Name | None = None
    bias: tuple[str, ...] = ()
    distil: Distillation | None = None
    gates: tuple[Gate, ...] = ()
    ungated: str | None = None

    @model_validator(mode="after")
    def _loss_fits_kind(self) -> Task:
        foreign = {"loss"} if self.kind is TaskKind.BINARY else {"label_smoothing", "positive_weight", "given"}
        given = sorted(set(self.model_dump(exclude_defaults=True)) & foreign)
        if given:
            raise ValueError(f"`{given[0]}` is not for {self.kind} tasks; remove it, or choose another kind")
        return self

    @model_validator(mode="after")
    def _gates_fit(self) -> Task:
        if not self.gates and not self.ungated:
            raise ValueError("a task needs at least one gate, or `ungated:` with the reason why it has none")
        if self.gates and self.ungated:
            raise ValueError("a task with gates cannot also be ungated")
        expected = gateable(self.kind)
        for gate in self.gates:
            if gate.metric not in expected:
                raise ValueError(f"a {self.kind} task is gated on {' or '.join(expected)}, found {gate.metric}")
        return self


class Slice(Strict):
    """A part of the evaluation data: equal values of all of these features.

    Attributes:
      features: Feature name to the value that defines the slice; None makes one slice of
        each value.
    """

    features: dict[str, Scalar | None] = Field(min_length=1)


class Serving(Strict):
    """What is asked of a student as a server meets it, beside the quality of what it predicts.

    Attributes:
      requests: Examples of the evaluation split that are sent as requests.
      batch_sizes: Requests per call whose latency is measured.
      rounds: How often student and other models are measured in turn; the ratio of two
        models' p99 is the median over the rounds.
      calls: Calls per model in each round; p99 is taken over them.
      max_p99_ratio_vs_control: Most that the student's p99 may be, relative to the control's.
      max_p99_ratio_vs_last_blessed: The same, relative to the last blessed model's.
    """

    requests: PositiveInt = 256
    batch_sizes: Annotated[tuple[PositiveInt, ...], Field(min_length=1)] = (1, 16, 128)
    rounds: PositiveInt = 11
    calls: PositiveInt = 100
    max_p99_ratio_vs_control: Annotated[float, Field(gt=0)] = 1.25
    max_p99_ratio_vs_last_blessed: Annotated[float, Field(gt=0)] = 1.5


class Surface(Strict):
    """One surface, complete.  `schema.loader.load_surface` reads it and checks it whole.

    Attributes:
      name: Name of the surface; part of the pipeline's name and of what is pushed.
      features: Inputs of the student, by column name.
      sequences: How sequences are read, by the name that features give under `sequence:`; one
        that is not here is read with the defaults.
      crosses: Combinations of features, by name.
      tasks: What is predicted and served, by name.
      teacher: How to call the teacher; None for a surface that is not distilled (the
        source domain, on which the reference teacher is trained).
      non_serving_heads: Heads that learn soft labels and are never exported.
      representations: Layers of the teacher that the student learns, by the layer of the
        student that learns it: `trunk`, or a task for the output of its tower.
      slices: Parts of the evaluation data that are reported and may be gated.
      model: The shape of student and control.
      training: How student and control are trained.
      unlabelled: Pairs never shown that the teacher labels too; None makes none.
      warm_start: Ids whose first embeddings are the teacher's, by feature.
      serving: What is asked of the student beside its quality.
      group: Column that tells which examples were ranked together (a request) or depend on
        each other (a user): ranking metrics are computed per group, and confidence
        intervals take the groups, not the examples, as independent.  Ranking losses compare
        the rows of a group.
      preprocessing: Import path of TensorFlow of one's own, before ours: a function of the raw
        columns that a server has, by name, which returns more columns, or others under the same names.
      trunk: Import path of a trunk of one's own: a function of the encoded features, by name, and
        of the tasks' names, which returns what the tower of each task reads.
      student: A model of one's own in place of features' embeddings, trunk and towers.
      served_columns: The columns that a server has; who reads a surface with `preprocessing` sets it.
      files: The files that features name, as they were when the surface was read; they are not
        written by hand.
      weight_column: Column with the weight of an example in every loss of training, 1 where
        it is absent; None weighs all alike.  Evaluation does not read it.
    """

    name: Name
    features: dict[str, Feature] = Field(min_length=1)
    sequences: dict[Name, EventSequence] = Field(default_factory=dict)
    crosses: dict[Name, FeatureCross] = Field(default_factory=dict)
    tasks: dict[Name, Task] = Field(min_length=1)
    teacher: Teacher | None = None
    non_serving_heads: dict[Name, NonServingHead] = Field(default_factory=dict)
    representations: dict[Name, Representation] = Field(default_factory=dict)
    slices: dict[Name, Slice] = Field(default_factory=dict)
    group: str | None = None
    weight_column: str | None = None
    model: Model = Model()
    training: Training = Training()
    unlabelled: Unlabelled | None = None
    warm_start: dict[str, WarmStart] = Field(default_factory=dict)
    serving: Serving = Serving()
    preprocessing: ImportPath | None = None
    trunk: ImportPath | None = None
    student: OwnStudent | None = None
    served_columns: tuple[str, ...] = ()
    files: dict[str, LookupFile] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _has_one_trunk(self) -> Surface:
        if self.trunk is not None and self.student is not None:
            raise ValueError("`trunk` and `student` exclude each other: a student has its own trunk")
        return self

    @property
    def raw_columns(self) -> tuple[str, ...]:
        """The columns of the examples that the inputs of what serves are made of."""
        if self.preprocessing is not None:
            return tuple(name for name in self.served_columns if name not in self.bias_features)
        weights = [each.weights for each in self.features.values() if each.weights is not None]
        return tuple(name for name in dict.fromkeys([*self.features, *weights]) if name not in self.bias_features)

    @property
    def bias_features(self) -> tuple[str, ...]:
        """The features that bias towers alone read; they do not exist when serving."""
        return tuple(dict.fromkeys(name for task in self.tasks.values() for name in task.bias))

    def owner(self, name: str) -> str:
        """The feature whose vocabulary and embedding a feature reads: its own, or that which it shares."""
        return self.features[name].embedding_of or name

    def parts(self) -> dict[str, list[str]]:
        """The columns of each sequence, in the order of the features."""
        found: dict[str, list[str]] = {}
        for name, feature in self.features.items():
            if feature.sequence is not None:
                found.setdefault(feature.sequence, []).append(name)
        return found

    def sequence(self, name: str) -> EventSequence:
        """How a sequence is read."""
        return self.sequences.get(name, EventSequence())

    @property
    def teacher_tasks(self) -> Mapping[str, TeacherTask]:
        """The teacher's tasks; none without a teacher."""
        return self.teacher.tasks if self.teacher else {}

    @property
    def teacher_features(self) -> Mapping[str, TeacherFeature]:
        """The teacher's inputs; none without a teacher."""
        return self.teacher.features if self.teacher else {}

    @property
    def teacher_representations(self) -> Mapping[str, TeacherRepresentation]:
        """The teacher's layers that are offered; none without a teacher."""
        return self.teacher.representations if self.teacher else {}

    def distillations(self) -> dict[str, Distillation]:
        """All distillations, keyed by the name of the task or non-serving head."""
        of_tasks = {name: task.distil for name, task in self.tasks.items() if task.distil}
        return {**of_tasks, **self.non_serving_heads}

    def undistilled(self) -> Surface:
        """The surface without anything that only distillation reads: what a control is."""
        tasks = {name: task.model_copy(update={"distil": None}) for name, task in self.tasks.items()}
        only: dict[str, object] = {"non_serving_heads": {}, "representations": {}, "unlabelled": None, "warm_start": {}}
        return self.model_copy(update={"tasks": tasks, **only})


class DistilledSurface(Surface):
    """A surface with a teacher: what there are labels for."""

    teacher: Teacher


def distilled(surface: Surface) -> DistilledSurface:
    """The surface as one that is distilled.

    Raises:
      InputError: It has no teacher.
    """
    if surface.teacher is None:
        raise InputError(
            f"surface {surface.name!r}: expected a `teacher:` section, found none; there is nothing to distil. "
            "A source domain is trained with `crosskd train-teacher`."
        )
    return DistilledSurface.model_validate(surface.model_dump(by_alias=True))


def soft_label(teacher_task: str) -> str:
    """The example column that holds the teacher's logit of `teacher_task`."""
    return SOFT_LABEL_PREFIX + teacher_task
