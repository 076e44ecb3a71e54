"""From differences to a verdict: is the gain there, and is it knowledge?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from evidence.statistics import Estimate, units_to_decide
from schema.metrics import NEGLIGIBLE


class Effect(StrEnum):
    """What distillation did for a task.

    `knowledge`: better than the control and than every placebo.  `regularisation`: better
    than the control, but a placebo gains as well, so that noise would do.  `harm`: worse
    than the control.  `none`: the difference to the control is within the margin.
    `inconclusive`: an interval, to the control or to a placebo, is too wide to say.
    """

    KNOWLEDGE = "knowledge"
    REGULARISATION = "regularisation"
    NONE = "none"
    HARM = "harm"
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True)
class Compared:
    """A placebo as a verdict sees it.

    Attributes:
      candidate: The candidate's difference to the placebo.
      control: The placebo's difference to the control.
    """

    candidate: Estimate
    control: Estimate


@dataclass(frozen=True)
class Judgement:
    """A verdict, and what would make one.

    Attributes:
      effect: The verdict.
      units: For `inconclusive`, the number of seeds (or runs) that would decide if means and
        variances stay what they are; None where none would, and for other verdicts.
    """

    effect: Effect
    units: int | None = None


def judge(control: Estimate, placebos: Sequence[Compared], margin: float = NEGLIGIBLE) -> Judgement:
    """The verdict on a candidate.

    Args:
      control: The candidate's difference to the control.
      placebos: How it compares with each placebo.
      margin: A difference this small is none, in units of the metric.

    Raises:
      ValueError: There are no placebos: nothing tells knowledge from regularisation.
    """
    if not placebos:
        raise ValueError("a verdict needs placebos")
    if control.high < 0:
        return Judgement(Effect.HARM)
    if control.low > 0:
        return _gain(placebos, margin)
    if -margin <= control.low and control.high <= margin:
        return Judgement(Effect.NONE)
    return Judgement(Effect.INCONCLUSIVE, units_to_decide(control, margin))


def _gain(placebos: Sequence[Compared], margin: float) -> Judgement:
    """The verdict on a candidate that is better than its control."""
    open_ones = [each for each in placebos if each.candidate.low <= 0]
    if not open_ones:
        return Judgement(Effect.KNOWLEDGE)
    if any(_gains_as_well(each, margin) for each in open_ones):
        return Judgement(Effect.REGULARISATION)
    needed = [units_to_decide(each.candidate, margin) for each in open_ones]
    known = [each for each in needed if each is not None]
    return Judgement(Effect.INCONCLUSIVE, max(known) if len(known) == len(needed) else None)


def _gains_as_well(placebo: Compared, margin: float) -> bool:
    """Whether a placebo is shown to beat the control too, or to come within the margin of the candidate."""
    return placebo.control.low > 0 or placebo.candidate.high <= margin


def corrected_confidence(confidence: float, verdicts: int) -> float:
    """Bonferroni's correction: all intervals of the family hold together with `confidence`.

    The family is the verdicts: one for each task and candidate.  The comparisons inside a verdict
    need no correction of their own: `knowledge` is claimed only if all of them hold, and
    the probability that all hold by chance is at most that of any one (an
    intersection-union test; Berger, Technometrics 24, 1982, 295-300).  Bonferroni rather
    than Holm or a false discovery rate, because the intervals shown and the verdicts then
    say the same thing.
    """
    return 1 - (1 - confidence) / max(verdicts, 1)
