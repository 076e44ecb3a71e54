"""From differences to a verdict: is the gain there, and is it knowledge?"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from evidence.statistics import Estimate


class Effect(StrEnum):
    """What distillation did for a task.

    `knowledge`: better than the control and than every placebo.  `regularisation`: better
    than the control, but not than every placebo, so that noise would do as well.  `harm`:
    worse than the control.  `none`: no difference to the control is shown.
    """

    KNOWLEDGE = "knowledge"
    REGULARISATION = "regularisation"
    NONE = "none"
    HARM = "harm"


def judge(control: Estimate, placebos: Sequence[Estimate]) -> Effect:
    """The verdict on a candidate.

    Args:
      control: The candidate's difference to the control.
      placebos: Its differences to the placebos.

    Raises:
      ValueError: There are no placebos: nothing tells knowledge from regularisation.
    """
    if not placebos:
        raise ValueError("a verdict needs placebos")
    if control.high < 0:
        return Effect.HARM
    if control.low <= 0:
        return Effect.NONE
    return Effect.KNOWLEDGE if all(each.low > 0 for each in placebos) else Effect.REGULARISATION


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
