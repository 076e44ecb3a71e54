"""A test of "it is as good as promised" that may be looked at after every span, for as long as one likes.

Let x_i be a metric in span i, n_i its examples and s_i its standard error, and let the model
keep a limit m: E[x_i] >= m.  Then, for every start k, with

    S = sum over i = k..t of n_i (m - x_i),    V = sum over i = k..t of n_i^2 s_i^2,

exp(r S - r^2 V / 2) is a supermartingale for each r > 0, approximately, since each x_i is
approximately normal (Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas, "Time-uniform central
limit theory and asymptotic confidence sequences", Annals of Statistics 52, 2024, allow s_i to
be estimated).  Mixed over r with a half-normal density of precision rho it is

    E(k, t) = 2 sqrt(rho / (V + rho)) exp(S^2 / (2 (V + rho))) Phi(S / sqrt(V + rho)),

the one-sided normal mixture of Howard, Ramdas, McAuliffe and Sekhon, "Time-uniform,
nonparametric, nonasymptotic confidence sequences", Annals of Statistics 49, 2021, section
3.2 (arXiv:1810.08240); rho is theirs, best when V is that of a week of spans like the first.
S is far above 0 for long after a fault began late, too, only for the start at which it
began.  So the test mixes over starts, with weights w_k = 1 / (k (k + 1)), which sum to 1:

    M(t) = sum over k <= t of w_k E(k, t) + sum over k > t of w_k.

M is a supermartingale that begins at 1, and by Ville's inequality the probability that a
model that keeps the limit *ever* has M >= 1 / alpha is at most alpha: looking every day costs
nothing.  The start with the largest term is where it began.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special, stats

Floats = NDArray[np.floating]
# Spans after which a fault should be found soonest.
HORIZON = 7
# The test is at its best for this error; any other is as valid.
_TUNED_FOR = 0.01


@dataclass(frozen=True)
class Limit:
    """What the metric should not fall below, of which a part of the error is spent on where it is.

    Attributes:
      value: The limit.
      alpha: The probability of an alarm, ever, where the metric keeps it.
    """

    value: float
    alpha: float


@dataclass(frozen=True)
class Alarm:
    """A promise that is not kept.

    Attributes:
      raised: The span at whose end the alarm was raised, an index.
      began: The span where it began, as it looks at the end of the last one.
      mean: The metric since then, over all examples.
      error: Its standard error.
    """

    raised: int
    began: int
    mean: float
    error: float


def lower_limit(promised: float, error: float, margin: float, alpha: float) -> Limit:
    """A limit that a metric keeps which is as it was measured at the push, for all that is known of it.

    Half of alpha is spent on the measurement at the push, half on what is measured later.

    Args:
      promised: The metric at the push.
      error: Its standard error then.
      margin: A fall by so much is none.
      alpha: The probability of an alarm, ever, where nothing is wrong.
    """
    return Limit(promised - float(stats.norm.isf(alpha / 2)) * error - margin, alpha / 2)


def watch(values: Sequence[float], errors: Sequence[float], examples: Sequence[int], limit: Limit) -> Alarm | None:
    """Looks at all spans, one after the other.

    Args:
      values: The metric by span; NaN where it is not defined.
      errors: Its standard errors.
      examples: On how many examples.
      limit: What it should not fall below.

    Returns:
      None while nothing is to be said.
    """
    x, s, n = (np.asarray(each, np.float64) for each in (values, errors, examples))
    terms = _terms(x, s, n, limit.value)
    raised = np.flatnonzero(_evidence(terms) >= -np.log(limit.alpha))
    if not raised.size:
        return None
    began = int(np.argmax(terms[:, -1]))
    told = ~np.isnan(x[began:]) & (s[began:] > 0)
    weights = n[began:][told]
    mean = float(weights @ x[began:][told] / weights.sum())
    error = float(np.sqrt(np.square(weights * s[began:][told]).sum()) / weights.sum())
    return Alarm(int(raised[0]), began, mean, error)


def evidence(values: Floats, errors: Floats, examples: Floats, limit: float) -> Floats:
    """log M(t) of many sequences at once.

    Args:
      values: Float [..., spans], NaN where not defined.
      errors: Likewise, broadcast.
      examples: Likewise.
      limit: What the metric should not fall below.

    Returns:
      Float [..., spans].
    """
    x, s, n = np.broadcast_arrays(values, errors, examples)
    return _evidence(_terms(x, s, n, limit))


def _terms(values: Floats, errors: Floats, examples: Floats, limit: float) -> Floats:
    """log(w_k E(k, t)), [..., starts, ends]; log w_k where the end comes before the start."""
    known = ~np.isnan(values) & (errors > 0)
    step = np.where(known, examples * (limit - np.where(known, values, 0.0)), 0.0)
    variance = np.where(known, np.square(examples * errors), 0.0)
    s, v = _from_each_start(step), _from_each_start(variance)
    rho = _precision(variance)[..., np.newaxis]
    scale = v + rho
    with np.errstate(invalid="ignore", divide="ignore"):
        mixed = np.log(2) + 0.5 * np.log(rho / scale) + s**2 / (2 * scale) + special.log_ndtr(s / np.sqrt(scale))
    spans = values.shape[-1]
    starts = np.arange(1, spans + 1)
    return np.where(v > 0, mixed, 0.0) - np.log(starts * (starts + 1.0))[:, np.newaxis]


def _evidence(terms: Floats) -> Floats:
    """The terms of all starts that there may ever be, the later ones with E = 1."""
    spans = terms.shape[-1]
    return np.logaddexp(special.logsumexp(terms, axis=-2), -np.log(spans + 1.0))


def _from_each_start(steps: Floats) -> Floats:
    """Sums from each start to each end, [..., starts, ends]; 0 where the end comes before the start."""
    total = np.concatenate([np.zeros((*steps.shape[:-1], 1)), np.cumsum(steps, axis=-1)], axis=-1)
    spans = steps.shape[-1]
    there = np.triu(np.ones((spans, spans), bool))
    return np.where(there, total[..., np.newaxis, 1:] - total[..., :-1, np.newaxis], 0.0)


def _precision(variance: Floats) -> Floats:
    """The mixture's precision for each start, from the variance of its first span that has one."""
    positive = np.where(variance > 0, variance, np.nan)
    first = np.nan_to_num(_filled_backwards(positive), nan=1.0)
    log_error = -np.log(2 * _TUNED_FOR)
    return HORIZON * first / (2 * log_error + np.log1p(2 * log_error))


def _filled_backwards(values: Floats) -> Floats:
    """Each NaN as the next number after it."""
    spans = values.shape[-1]
    places = np.where(np.isnan(values), spans - 1, np.arange(spans))
    nearest = np.minimum.accumulate(places[..., ::-1], axis=-1)[..., ::-1]
    return np.take_along_axis(values, nearest, axis=-1)
