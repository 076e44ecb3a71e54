from __future__ import annotations

import numpy as np
import pytest

from evaluation.influence import auc
from evidence.statistics import Estimate, difference
from evidence.verdicts import Effect, corrected_confidence, judge


def _estimate(low: float, high: float) -> Estimate:
    return Estimate((low + high) / 2, low, high, 0.5, ())


BETTER, WORSE, UNCLEAR = _estimate(0.01, 0.03), _estimate(-0.03, -0.01), _estimate(-0.01, 0.02)


@pytest.mark.parametrize(
    ("control", "placebos", "expected"),
    [
        (BETTER, [BETTER, BETTER], Effect.KNOWLEDGE),
        (BETTER, [BETTER, UNCLEAR], Effect.REGULARISATION),
        (BETTER, [WORSE, BETTER], Effect.REGULARISATION),
        (UNCLEAR, [BETTER, BETTER], Effect.NONE),
        (WORSE, [BETTER, BETTER], Effect.HARM),
        (_estimate(0.0, 0.0), [BETTER, BETTER], Effect.NONE),
    ],
)
def test_judge(control, placebos, expected):
    assert judge(control, placebos) is expected


def test_a_verdict_without_placebos_is_refused():
    with pytest.raises(ValueError, match="placebos"):
        judge(BETTER, [])


def test_correction_is_bonferroni():
    assert corrected_confidence(0.95, 1) == pytest.approx(0.95)
    assert corrected_confidence(0.95, 10) == pytest.approx(0.995)


def test_noise_is_practically_never_called_knowledge():
    """Arms that differ by their seeds' noise alone, on one set of examples, 300 times: at most 1 in 20."""
    rng = np.random.default_rng(0)
    verdicts = [_verdict_on_noise(rng, gain=0.0) for _ in range(300)]
    assert verdicts.count(Effect.KNOWLEDGE) <= 15


def test_a_gain_over_the_control_that_noise_gives_too_is_regularisation():
    rng = np.random.default_rng(1)
    verdicts = [_verdict_on_noise(rng, gain=3.0) for _ in range(100)]
    assert verdicts.count(Effect.KNOWLEDGE) <= 5
    assert verdicts.count(Effect.REGULARISATION) >= 90


def _verdict_on_noise(rng: np.random.Generator, gain: float) -> Effect:
    """A candidate and two placebos that are alike, `gain` above the control, over three seeds."""
    truth = rng.normal(size=300)
    labels = (truth + rng.normal(size=300) > 0).astype(np.float32)

    def arm(signal: float) -> list:
        return [[auc(labels, signal * truth + 2 * rng.normal(size=300)) for _ in range(3)]]

    control, candidate, shuffled, gaussian = (arm(0.5 + extra) for extra in (0.0, gain, gain, gain))
    against = [difference(candidate, other, confidence=0.95) for other in (control, shuffled, gaussian)]
    return judge(against[0], against[1:])
