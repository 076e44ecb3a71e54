"""What an experiment found: the shape of its JSON."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from contracts.held_out import HeldOutRows
from evidence.arms import Role
from evidence.verdicts import Effect
from schema.base import TaskKind
from schema.metrics import NEGLIGIBLE


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Difference(_Part):
    """Candidate minus another arm; positive is better.

    Attributes:
      arm: The other arm.
      mean: The mean over runs and seeds.
      low: Lower end of the confidence interval, corrected for the number of comparisons.
      high: Its upper end.
      p_value: Two-sided, not corrected.
      replicates: The difference in each run and seed, runs first.
    """

    arm: str
    mean: float
    low: float
    high: float
    p_value: float
    replicates: list[float]


class Transfer(_Part):
    """The transfer ratio: (candidate - control) / (ceiling - control).

    The ceiling reads the teacher's logits as inputs.

    Attributes:
      ratio: The ratio of the means; None where the ceiling is too close to the control to tell.
      low: Lower end of its interval.
      high: Upper end.
    """

    ratio: float | None = None
    low: float | None = None
    high: float | None = None


class Comparison(_Part):
    """One candidate minus another, or one of their controls minus another, on all evaluation examples of one task.

    Attributes:
      candidate: The candidate, or control.
      task: The task.
      difference: To the other; the intervals of all comparisons hold together.
    """

    candidate: str
    task: str
    difference: Difference


class Finding(_Part):
    """One candidate on one task, overall or in a slice.

    Attributes:
      candidate: The arm that is judged.
      task: The task.
      slice: None for all evaluation examples.
      metric: Name of the task's metric.
      distilled: Whether the candidate distils this task.
      examples: Labelled evaluation examples, of the first run.
      positives: Positive ones among them, of a binary task.
      control: Difference to the control; None where the metric is not defined.
      placebos: Differences to the placebos.
      under_tuned: The placebos that are shown to beat the control: it is under-tuned.
      best: Difference to the better, in the mean, of control and placebos.
      transfer: The part of what there is to win that was transferred; None in slices, and
        where there is no ceiling.
      verdict: None in slices, and where the metric is not defined.
      units_to_decide: For `inconclusive`, how many seeds (runs, where there are several) would
        decide, as things look; None where no number would.
      note: Why there is no verdict.
    """

    candidate: str
    task: str
    slice: str | None
    metric: str
    distilled: bool
    examples: int
    positives: int | None
    control: Difference | None = None
    placebos: list[Difference] = []
    under_tuned: list[str] = []
    best: Difference | None = None
    transfer: Transfer | None = None
    verdict: Effect | None = None
    units_to_decide: int | None = None
    note: str | None = None


class Mean(_Part):
    """An arm's metric.

    Attributes:
      arm: The arm.
      task: The task.
      slice: None for all evaluation examples.
      mean: Over runs and seeds; None where it is not defined.
      std: Over runs and seeds; None for the teacher, which has no seeds.
    """

    arm: str
    task: str
    slice: str | None
    mean: float | None
    std: float | None


class ArmReport(_Part):
    """How an arm was trained.

    Attributes:
      name: The arm.
      role: What it is for.
      of: The candidate it belongs to.
      chosen: For each run, the setting that tuning chose for each task.
      held_out: For each run, setting and task, the held-out loss as a mean over seeds.
      epochs: For each run and setting, the epoch whose weights were kept, as a mean over seeds.
      seconds: Training time of all settings, seeds and runs.
    """

    name: str
    role: Role
    of: str | None
    chosen: list[dict[str, str]]
    held_out: list[dict[str, dict[str, float]]]
    epochs: list[dict[str, float]]
    seconds: float


class Edge(_Part):
    """A choice at the edge of what was tried.

    Attributes:
      arm: The arm.
      task: The task.
      untried: The neighbors of the chosen setting that were not tried.
    """

    arm: str
    task: str
    untried: list[str]


class ExperimentResult(_Part):
    """Everything an experiment found.

    Attributes:
      surface: Name of the surface.
      runs: The pipeline runs whose data were used.
      seeds: Number of paired seeds.
      settings: The settings that each arm could choose from.
      edges: Arms whose chosen setting of a task has a neighbor that was not tried.
      margin: A difference this small is none, in units of the task's metric.
      confidence: Joint confidence of all intervals of the verdicts.
      verdicts: How many verdicts the correction counts.
      clusters: The column whose values were taken as clusters of examples.
      tasks: Kind of each task.
      arms: How each was trained.
      means: The means by arm, task and slice.
      findings: The findings by candidate, task and slice.
      comparisons: Every two candidates compared, and every two of their controls, on each task.
      small_slices: Slices left out for having too few examples.
      held_out_rows: Users and items without a row, among held-out rows and in the evaluation.
      seconds: All of it.
      explanation: What the result rests on, if asked for.
    """

    surface: str
    runs: list[str]
    seeds: int
    settings: list[str]
    edges: list[Edge] = []
    margin: float = NEGLIGIBLE
    confidence: float
    verdicts: int
    clusters: str | None
    tasks: dict[str, TaskKind]
    arms: list[ArmReport]
    means: list[Mean]
    findings: list[Finding]
    comparisons: list[Comparison] = []
    small_slices: int
    held_out_rows: list[HeldOutRows] = []
    seconds: float
    explanation: list[str] = []
