"""The configuration of one surface: the typed form of ``surface.yaml``.

A *surface* is one ranked page of a product with its own tasks.  Everything the pipeline
does for it (preprocessing, the student's heads, labelling, evaluation, gates) is derived
from a `Surface` and from the TFDV schema beside it.  The words are those of the field:
serving head, distillation head, non-serving head, soft label (a teacher logit).
"""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import Field, model_validator

from schema.base import Name, Strict
from schema.candidates import Unlabelled, WarmStart
from schema.distillation import Distillation, NonServingHead, Representation
from schema.errors import InputError
from schema.features import EventSequence, FeatureCross, LookupFile
from schema.features import Feature as Feature
from schema.features import FeatureKind as FeatureKind
from schema.features import Side as Side
from schema.gates import Gate, JointGate, TeacherAgeGate
from schema.history import History, Period
from schema.metrics import METRICS, gateable
from schema.own_code import ImportPath, OwnStudent
from schema.score import SCORE, Score
from schema.serving import Serving
from schema.slice import Slice
from schema.split import Split
from schema.task import Task as Task
from schema.teacher import Teacher, TeacherRepresentation, TeacherTask
from schema.teacher_feature import TeacherFeature
from schema.training import Model, Training
from schema.trust import Trust

SOFT_LABEL_PREFIX = "teacher/"
# Of the columns that Transform adds to the features.
LABEL_PREFIX = "label/"
GROUP_COLUMN = "group/id"
TASK_WEIGHT_PREFIX = "weight/task/"
SAMPLING_PREFIX = "sampling/"
SOFT_WEIGHT_PREFIX = "weight/soft/"
# What is known of how far the teacher can be trusted, and what is made of it.
TRUST_PREFIX = "trust/"
WEIGHT_COLUMN = "weight/example"
# The number of the period that an example belongs to.
PERIOD_COLUMN = "period/id"
# Columns that Transform makes of a feature beside that of its name: the weights of its pool, its absence.
POOL_PREFIX = "pool/"
ABSENT_PREFIX = "absent/"
# Of the inputs that are made before training, and that no example has.
HISTORY_PREFIX = "history/"
# What a column that is no feature begins with; serving has none of them.
TRAINING_PREFIXES = (
    *(LABEL_PREFIX, SOFT_LABEL_PREFIX, GROUP_COLUMN, WEIGHT_COLUMN, TASK_WEIGHT_PREFIX, SAMPLING_PREFIX),
    *(SOFT_WEIGHT_PREFIX, TRUST_PREFIX, PERIOD_COLUMN),
)
TRAIN_SPLIT = "train"
EVAL_SPLIT = "eval"


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
      joint_gates: Conditions for a push on all tasks at once.
      teacher_age: How many spans old the teacher may be; None asks nothing.
      score: What the page is ranked by, an expression over tasks; it is served as one more
        output, `score`.
      model: The shape of student and control.
      training: How student and control are trained.
      unlabelled: Pairs never shown that the teacher labels too; None makes none.
      warm_start: Ids whose first embeddings are the teacher's, by feature.
      histories: What the teacher said of an id's earlier rows, as a part of the student's embedding of it, by feature.
      period: What tells which rows are earlier; needed by `histories`.
      trust: What `adapter` and `reliability` of tasks' distillations are fitted by.
      serving: What is asked of the student beside its quality.
      group: Column that tells which examples were ranked together (a request) or depend on
        each other (a user): ranking metrics are computed per group, and confidence
        intervals take the groups, not the examples, as independent.  Ranking losses compare
        the rows of a group.
      split: How examples that come without `train/` and `eval/` are divided; None where they never do.
      preprocessing: Import path of TensorFlow of one's own, before ours: a function of the raw
        columns that a server has, by name, which returns more columns, or others under the same names.
      trunk: Import path of a trunk of one's own: a function of the encoded features, by name, and
        of the tasks' names, which returns what the tower of each task reads.
      student: A model of one's own in place of features' embeddings, trunk and towers.
      served_columns: The columns that a server has; who reads a surface with `preprocessing` sets it.
      files: The files that features name, as they were when the surface was read; they are not
        written by hand.
      weight_column: Column with the weight of an example in every loss of training, 1 where
        it is absent; None weighs all alike.
      weighted_evaluation: Whether metrics weigh the examples by `weight_column`, too.
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
    joint_gates: tuple[JointGate, ...] = ()
    teacher_age: TeacherAgeGate | None = None
    score: Score | None = None
    group: str | None = None
    weight_column: str | None = None
    split: Split | None = None
    weighted_evaluation: bool = False
    model: Model = Model()
    training: Training = Training()
    unlabelled: Unlabelled | None = None
    warm_start: dict[str, WarmStart] = Field(default_factory=dict)
    histories: dict[str, History] = Field(default_factory=dict)
    period: Period | None = None
    trust: Trust = Trust()
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

    @model_validator(mode="after")
    def _own_student_has_its_own_embeddings(self) -> Surface:
        if self.student is None:
            return self
        started = [f"features.{name}.pretrained" for name, each in self.features.items() if each.pretrained is not None]
        started += [f"{key}.{name}" for key in ("warm_start", "histories") for name in getattr(self, key)]
        for place in started:
            raise ValueError(f"`{place}` and `student` exclude each other: a student has its own embeddings")
        return self

    @model_validator(mode="after")
    def _continues_what_it_can(self) -> Surface:
        if self.training.continue_from is None:
            return self
        if self.teacher is None:
            raise ValueError(
                "`training.continue_from` is for a surface with a `teacher`, whose student is served; found none"
            )
        if self.student is not None:
            raise ValueError(
                "`training.continue_from` and `student` exclude each other: which row of a student's own embeddings is "
                "of which id, and so where it stands in the next vocabulary, cannot be told"
            )
        if self.warm_start:
            raise ValueError(
                "`training.continue_from` and `warm_start` exclude each other: both say what the first embeddings are"
            )
        if self.histories:
            raise ValueError(
                "`training.continue_from` and `histories` exclude each other: histories are made of the rows of this "
                "training's window, and are a part of the embeddings that a later training would go on from"
            )
        if self.trust.known:
            raise ValueError(
                "`training.continue_from` and `trust.known` exclude each other: a Trainer reads either the model that "
                "it continues or the teacher, whose ids these are; expected one of the two"
            )
        return self

    @model_validator(mode="after")
    def _histories_have_periods(self) -> Surface:
        if self.histories and self.period is None:
            raise ValueError(
                "`histories` needs `period: {column: ..., step: ...}`, the column of times and how long a period is: "
                "nothing else tells which rows are earlier; found none"
            )
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

    @model_validator(mode="after")
    def _weights_are_there(self) -> Surface:
        if self.weighted_evaluation and self.weight_column is None:
            raise ValueError("`weighted_evaluation` needs a `weight_column`, found none")
        return self

    @model_validator(mode="after")
    def _score_reads_tasks(self) -> Surface:
        if self.score is not None:
            self.score.check(self.tasks)
            if self.score.gates and self.group is None:
                raise ValueError(
                    "score.gates: a score is judged within groups, and the surface has no `group`; "
                    "name the column that tells which examples were ranked together"
                )
        return self

    @model_validator(mode="after")
    def _metrics_of_groups_have_groups(self) -> Surface:
        for name, task in self.tasks.items():
            asked = [gate.metric for gate in task.gates]
            asked += [each.metrics[name] for each in self.joint_gates if name in each.metrics]
            for metric in asked:
                if METRICS[metric].by_group and self.group is None:
                    raise ValueError(
                        f"tasks.{name}.gates: {metric} is computed within groups, and the surface has no `group`; "
                        "name the column that tells which examples were ranked together"
                    )
        return self

    @model_validator(mode="after")
    def _joint_gates_fit(self) -> Surface:
        for place, gate in enumerate(self.joint_gates):
            for name, metric in gate.metrics.items():
                if name not in self.tasks:
                    raise ValueError(f"joint_gates.{place}.metrics: expected tasks, found {name!r}")
                expected = gateable(self.tasks[name].kind)
                if metric not in expected:
                    kind = self.tasks[name].kind
                    raise ValueError(
                        f"joint_gates.{place}.metrics.{name}: a {kind} task is gated on one of {', '.join(expected)}; "
                        f"found {metric}"
                    )
        return self

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

    @property
    def outputs(self) -> tuple[str, ...]:
        """What the serving signature returns: the tasks and, if there is one, the score."""
        return (*self.tasks, *((SCORE,) if self.score else ()))

    @property
    def gates(self) -> dict[str, tuple[Gate, ...]]:
        """The gates of every output: of the tasks and, if there is one, of the score."""
        of_tasks = {name: task.gates for name, task in self.tasks.items()}
        return of_tasks | ({SCORE: self.score.gates} if self.score else {})

    def distillations(self) -> dict[str, Distillation]:
        """All distillations, keyed by the name of the task or non-serving head."""
        of_tasks = {name: task.distil for name, task in self.tasks.items() if task.distil}
        return {**of_tasks, **self.non_serving_heads}

    @property
    def trusted(self) -> dict[str, Distillation]:
        """The distillations of which something is fitted to hard labels before training, by task."""
        return {name: each for name, each in self.distillations().items() if each.trusted}

    @property
    def reads_teacher(self) -> bool:
        """Whether training reads the teacher's model itself, and not its soft labels alone."""
        return bool(self.warm_start or self.trust.known)

    def undistilled(self) -> Surface:
        """The surface without anything that only distillation reads: what a control is."""
        tasks = {name: task.model_copy(update={"distil": None}) for name, task in self.tasks.items()}
        only: dict[str, object] = {"non_serving_heads": {}, "representations": {}, "unlabelled": None, "warm_start": {}}
        return self.model_copy(update={"tasks": tasks, **only, "histories": {}, "trust": Trust()})

    def of_arm(self, *, distil: bool) -> Surface:
        """The surface whose inputs a student has, or without distillation a control: histories are of the teacher."""
        return self if distil or not self.histories else self.model_copy(update={"histories": {}})


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
