"""What `crosskd tune` found: the shape of its JSON."""

from __future__ import annotations

from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from evidence.result import ExperimentResult


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Outcome(StrEnum):
    """What the comparison says of what held-out rows chose.

    `better`: shown to be better than the surface as it is on some task, and worse on none.
    `as_it_is`: held-out rows prefer the surface as it is.  `not_shown`: no difference to the
    surface as it is is shown.  `worse`: shown to be worse on some task.
    """

    BETTER = "better"
    AS_IT_IS = "as_it_is"
    NOT_SHOWN = "not_shown"
    WORSE = "worse"


class Fallen(_Part):
    """A way in a rung.

    Attributes:
      name: The way.
      rung: The rung, from 1.
      trainings: How many trainings the gain is a mean of.
      gain: How much more of the held-out losses it takes away than the surface as it is, as a share of
        the loss of a constant, mean over tasks; None where it could not be trained.
      stays: Whether it went on to the next rung, or from the last one to be chosen.
    """

    name: str
    rung: int
    trainings: int
    gain: float | None
    stays: bool


class Round(_Part):
    """A whole halving.

    Attributes:
      name: What took part: the `control`, students with one change `alone`, or with several `together`.
      allowed: How many trainings were planned.
      ended: Whether it came to its end; not where time was over.
      falls: What became of each way in each rung.
    """

    name: str
    allowed: int
    ended: bool
    falls: list[Fallen]


class Chosen(_Part):
    """A configuration.

    Attributes:
      name: The way.
      sets: What it changes in ``surface.yaml``, each `key.path=value`.
      gain: Its gain on held-out rows over the surface as it is; None of that itself.
    """

    name: str
    sets: list[str]
    gain: float | None


class SearchResult(_Part):
    """What held-out rows of the training split chose.

    Attributes:
      allowed: How many trainings the search might take.
      minutes: How many minutes it might take; None for any number.
      trainings: How many it took.
      seconds: How long it took.
      rounds: Its halvings.
      refused: Why a way could not be trained, by its name.
      left_out: Why a change was not tried, by its name.
      student: What was chosen.
      control: What was chosen for the control, among all that is not distillation.
    """

    allowed: int
    minutes: float | None
    trainings: int
    seconds: float
    rounds: list[Round]
    refused: dict[str, str]
    left_out: dict[str, str]
    student: Chosen
    control: Chosen


class TuneResult(_Part):
    """All of it.

    Attributes:
      surface: Name of the surface.
      search: What held-out rows chose.
      comparison: The surface as it is (`student`) and what was chosen (`chosen`), against control and placebos,
        on the evaluation split.
      outcome: What that says of the choice.
      written: What the written surface changes; nothing where it is as it was.
      against_control: The tasks on which the written surface is shown to be better than the control.
      seconds: How long all took.
    """

    surface: str
    search: SearchResult
    comparison: ExperimentResult
    outcome: Outcome
    written: list[str]
    against_control: list[str]
    seconds: float
