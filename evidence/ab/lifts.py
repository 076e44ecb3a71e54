"""Lifts between two arms whose units are different people, with intervals over units.

What an arm's number is, each unit tells by its influence: of a mean, its distance from the
mean; of a ratio of sums, the delta method's (Deng, Knoblich and Lu, KDD 2018, section 3).

CUPED (Deng, Xu, Kohavi and Walker, WSDM 2013): what is known of a unit from before the
experiment cannot differ between arms but by chance.  With X the covariates and b the
coefficients of the influence values on them, pooled within arms,

    adjusted value = value - b (mean of X in the arm - mean of X over both arms),

and a unit's influence loses b (X - mean of X in the arm): the variance becomes
(1 - R2) of what it was, with R2 = rho^2 for a single covariate.  The common mean over both
arms is taken as known, which costs the lift's interval a share of about the lift itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from evaluation.influence import mean, ratio

Floats = NDArray[np.float64]
# Fewer units of an arm tell nothing of a mean's distribution.
LEAST_UNITS = 2


@dataclass(frozen=True)
class ArmUnits:
    """The units of one arm and one metric.

    Attributes:
      upper: Each unit's sum, [units].
      lower: What it is divided by, over all units, likewise; None for the mean over units.
      covariates: What is known of each unit from before, [units, covariates]; None for nothing.
    """

    upper: Floats
    lower: Floats | None = None
    covariates: Floats | None = None

    def of(self, rows: NDArray[np.bool_]) -> ArmUnits:
        """Some of the units."""
        return ArmUnits(
            self.upper[rows],
            None if self.lower is None else self.lower[rows],
            None if self.covariates is None else self.covariates[rows],
        )


@dataclass(frozen=True)
class MeasuredLift:
    """What an arm does to a metric, relative to the control.

    Attributes:
      control: The control's value, after the adjustment if there is one.
      treatment: The arm's.
      lift: (treatment - control) / |control|; .01 is one percent more.
      error: Its standard error.
      freedom: Degrees of freedom of Student's t (Welch, Satterthwaite).
      reduction: The share of the lift's variance that CUPED took away; None without covariates.
    """

    control: float
    treatment: float
    lift: float
    error: float
    freedom: float
    reduction: float | None = None

    @property
    def p_value(self) -> float:
        """Two-sided, against no lift, not corrected."""
        if not self.error:
            return 0.0 if self.lift else 1.0
        return float(2 * stats.t.sf(abs(self.lift) / self.error, self.freedom))

    def interval(self, confidence: float) -> tuple[float, float]:
        """The two-sided interval of this lift alone."""
        half = float(stats.t.ppf((1 + confidence) / 2, self.freedom)) * self.error
        return self.lift - half, self.lift + half


@dataclass(frozen=True)
class _Value:
    value: float
    influence: Floats

    @property
    def variance(self) -> float:
        units = len(self.influence)
        return float(np.square(self.influence).sum()) / (units * (units - 1))


def measure(treatment: ArmUnits, control: ArmUnits) -> MeasuredLift | None:
    """The lift of one arm over the control, adjusted where both have covariates.

    Returns:
      None where it is not defined: fewer than two units in an arm, or nothing to divide by.
    """
    ours, theirs = _value(treatment), _value(control)
    if ours is None or theirs is None:
        return None
    plain = _lift(ours, theirs)
    if plain is None or treatment.covariates is None or control.covariates is None:
        return plain
    adjusted = _lift(*_adjusted((ours, theirs), (treatment.covariates, control.covariates)))
    if adjusted is None:
        return plain
    reduction = 1 - (adjusted.error / plain.error) ** 2 if plain.error else 0.0
    return MeasuredLift(
        adjusted.control, adjusted.treatment, adjusted.lift, adjusted.error, adjusted.freedom, reduction
    )


def sample_ratio(counts: Sequence[int], shares: Sequence[float]) -> float:
    """The probability of counts this far from the shares by chance alone (chi-square)."""
    expected = np.asarray(shares, np.float64) / sum(shares) * sum(counts)
    return float(stats.chisquare(np.asarray(counts), expected).pvalue)


@dataclass(frozen=True)
class Explained:
    """A metric over some units.

    Attributes:
      value: The metric.
      variance: Of one unit's influence, over the squared value, after CUPED if there are covariates.
      reduction: The share of the variance that CUPED took away; None without covariates.
    """

    value: float
    variance: float
    reduction: float | None


def explained(units: ArmUnits) -> Explained | None:
    """A metric over some units, for planning; None where it is not defined, or is 0."""
    found = _value(units)
    if found is None or not found.value:
        return None
    scale = len(found.influence) / found.value**2
    if units.covariates is None or not found.variance:
        return Explained(found.value, found.variance * scale, None)
    (adjusted,) = _adjusted((found,), (units.covariates,))
    return Explained(found.value, adjusted.variance * scale, 1 - adjusted.variance / found.variance)


def _value(units: ArmUnits) -> _Value | None:
    if len(units.upper) < LEAST_UNITS:
        return None
    found = mean(units.upper) if units.lower is None else ratio(units.upper, units.lower)
    return None if found is None else _Value(found.value, np.asarray(found.influence, np.float64))


def _lift(ours: _Value, theirs: _Value) -> MeasuredLift | None:
    if not theirs.value:
        return None
    scale = abs(theirs.value)
    parts = np.array([ours.variance / scale**2, theirs.variance * ours.value**2 / scale**4])
    degrees = np.array([len(ours.influence) - 1, len(theirs.influence) - 1])
    total = float(parts.sum())
    freedom = total**2 / float((parts**2 / degrees).sum()) if total else np.inf
    return MeasuredLift(
        theirs.value, ours.value, (ours.value - theirs.value) / scale, float(np.sqrt(total)), float(freedom)
    )


def _adjusted(values: Sequence[_Value], covariates: Sequence[Floats]) -> list[_Value]:
    overall = np.concatenate(covariates).mean(axis=0)
    centred = [each - each.mean(axis=0) for each in covariates]
    influence = np.concatenate([each.influence for each in values])
    slopes = np.linalg.lstsq(np.concatenate(centred), influence, rcond=None)[0]
    return [
        _Value(float(value.value - (known.mean(axis=0) - overall) @ slopes), value.influence - each @ slopes)
        for value, known, each in zip(values, covariates, centred, strict=True)
    ]
