from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from evaluation.influence import MetricScore
from evidence.statistics import Estimate, SeedSpread, difference
from evidence.verdicts import Compared, Effect, corrected_confidence, judge


def _estimate(low: float, high: float) -> Estimate:
    """An interval of four seeds, whose examples add nothing."""
    mean = (low + high) / 2
    error = (high - mean) / stats.t.ppf(0.975, 3)
    return Estimate(mean, low, high, 0.5, (), SeedSpread(4 * error**2, 4, 2, 0.0, 0.95))


BETTER, WORSE, WIDE = _estimate(0.01, 0.03), _estimate(-0.03, -0.01), _estimate(-0.01, 0.02)
NOTHING = _estimate(-0.002, 0.004)
BEATEN = Compared(candidate=BETTER, control=NOTHING)


@pytest.mark.parametrize(
    ("control", "placebos", "expected"),
    [
        (BETTER, [BEATEN, BEATEN], Effect.KNOWLEDGE),
        # A placebo that gains as well, or comes within the margin of the candidate.
        (BETTER, [BEATEN, Compared(WIDE, BETTER)], Effect.REGULARISATION),
        (BETTER, [Compared(WORSE, WIDE), BEATEN], Effect.REGULARISATION),
        (BETTER, [Compared(NOTHING, WIDE), BEATEN], Effect.REGULARISATION),
        # A placebo of which nothing is known.
        (BETTER, [BEATEN, Compared(WIDE, WIDE)], Effect.INCONCLUSIVE),
        (WIDE, [BEATEN, BEATEN], Effect.INCONCLUSIVE),
        (NOTHING, [BEATEN, BEATEN], Effect.NONE),
        (WORSE, [BEATEN, BEATEN], Effect.HARM),
        (_estimate(0.0, 0.0), [BEATEN, BEATEN], Effect.NONE),
    ],
)
def test_judge(control, placebos, expected):
    assert judge(control, placebos).effect is expected


def test_a_gain_of_a_tenth_that_two_seeds_hide_is_not_called_none():
    """Two seeds, a gain of .131 on many examples, one degree of freedom: [-.029, .291] is no evidence of nothing."""
    error = 0.16 / stats.t.ppf(0.975, 1)
    found = judge(Estimate(0.131, -0.029, 0.291, 0.06, (), SeedSpread(2 * error**2, 2, 2, 0.0, 0.95)), [BEATEN])
    assert found.effect is Effect.INCONCLUSIVE
    assert found.units == 3


def test_what_is_within_the_margin_depends_on_the_margin():
    assert judge(NOTHING, [BEATEN], margin=0.001).effect is Effect.INCONCLUSIVE
    assert judge(WIDE, [BEATEN], margin=0.02).effect is Effect.NONE


def test_the_placebo_that_needs_most_seeds_says_how_many():
    wider = _estimate(-0.03, 0.04)
    found = judge(BETTER, [Compared(WIDE, WIDE), Compared(wider, WIDE)])
    alone = judge(BETTER, [Compared(wider, WIDE)])
    assert found.effect is Effect.INCONCLUSIVE
    assert found.units == alone.units
    assert found.units is not None
    assert found.units > 4


def test_a_verdict_without_placebos_is_refused():
    with pytest.raises(ValueError, match="placebos"):
        judge(BETTER, [])


def test_correction_is_bonferroni():
    assert corrected_confidence(0.95, 1) == pytest.approx(0.95)
    assert corrected_confidence(0.95, 10) == pytest.approx(0.995)


# What seeds and examples do to the four arms of a simulated experiment: mean gains over the control, and noise.
# The third says which verdicts would be false.
NO_EFFECT = {Effect.KNOWLEDGE, Effect.HARM}
SIMULATED = [
    pytest.param((0.0, 0.0, 0.0), 1.0, NO_EFFECT, id="all alike"),
    pytest.param((0.0, -0.02, -0.02), 1.0, NO_EFFECT, id="noise harms"),
    pytest.param((0.0, -0.02, -0.02), 2.0, NO_EFFECT, id="the candidate varies twice as much"),
    pytest.param((0.02, 0.02, 0.02), 1.0, {Effect.KNOWLEDGE, Effect.HARM, Effect.NONE}, id="noise gains as well"),
    pytest.param((-0.02, 0.0, 0.0), 1.0, {*Effect} - {Effect.HARM, Effect.INCONCLUSIVE}, id="the candidate is worse"),
    pytest.param((0.02, 0.0, 0.0), 1.0, {Effect.REGULARISATION, Effect.HARM, Effect.NONE}, id="knowledge"),
]


@pytest.mark.parametrize(("gains", "spread", "false"), SIMULATED)
def test_at_most_one_verdict_in_twenty_is_false(gains, spread, false):
    """400 experiments of five seeds: what is said of a candidate whose true gain is known."""
    rng = np.random.default_rng(0)
    said = [_simulated(rng, gains, spread) for _ in range(400)]
    assert sum(each in false for each in said) <= 20


def test_a_real_gain_is_seen():
    """Missed verdicts: a gain of three standard deviations of a seed, five seeds, 400 times."""
    rng = np.random.default_rng(1)
    said = [_simulated(rng, (0.03, 0.0, 0.0), 1.0) for _ in range(400)]
    assert said.count(Effect.KNOWLEDGE) >= 320
    assert said.count(Effect.NONE) + said.count(Effect.HARM) <= 4


def _simulated(rng: np.random.Generator, gains: tuple[float, float, float], spread: float) -> Effect:
    """The verdict on a candidate and two placebos that differ from the control by `gains`.

    A seed moves each arm by .01, and the candidate `spread` times as much; 400 examples move
    all arms alike, but for a part of .002 each.
    """
    examples = 400
    shared = rng.normal(size=examples) * 0.01 * np.sqrt(examples)

    def arm(gain: float, factor: float) -> list[list[MetricScore]]:
        own = shared + rng.normal(size=examples) * 0.002 * np.sqrt(examples)
        of_seeds = gain + own.mean() + factor * 0.01 * rng.normal(size=5)
        return [[MetricScore(float(value), own - own.mean()) for value in of_seeds]]

    control, candidate = arm(0.0, 1.0), arm(gains[0], spread)
    placebos = [arm(gain, 1.0) for gain in gains[1:]]

    def compared(one: list[list[MetricScore]], other: list[list[MetricScore]]) -> Estimate:
        others = [each for each in (control, candidate, *placebos) if each is not one and each is not other]
        return difference(one, other, confidence=0.95, others=others)

    return judge(
        compared(candidate, control),
        [Compared(compared(candidate, each), compared(each, control)) for each in placebos],
    ).effect
