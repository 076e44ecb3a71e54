"""The learning rate of each step, by Keras's schedules."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from models.optimizers.rates import Rates, rates_of
from schema.errors import InputError
from schema.training import RateDecay, Training

COSINE = RateDecay(by="cosine", to=0.1)


def training(**keys) -> Training:
    return Training(learning_rate=0.1, **keys)


def test_a_warm_up_rises_from_0_in_a_line():
    np.testing.assert_allclose(rates_of(training(warm_up_steps=4), 0.1, 6), [0, 0.025, 0.05, 0.075, 0.1, 0.1])


def test_a_cosine_after_a_warm_up_is_that_of_keras():
    """Half-way between the end of the warm-up and the end it is half-way between 1 and `to`."""
    found = rates_of(training(warm_up_steps=4, learning_rate_decay=COSINE), 0.1, 12)
    keras_s = keras.optimizers.schedules.CosineDecay(0.0, 8, 0.1, warmup_target=0.1, warmup_steps=4)
    np.testing.assert_allclose(found, [float(keras_s(step)) for step in range(12)], rtol=1e-6)
    assert found[8] == pytest.approx(0.1 * (1 + 0.1) / 2)


def test_an_exponential_falls_by_its_factor_every_so_many_steps():
    decay = RateDecay(by="exponential", factor=0.5, steps=3)
    found = rates_of(training(learning_rate_decay=decay), 0.1, 7)
    np.testing.assert_allclose(found[::3], [0.1, 0.05, 0.025], rtol=1e-6)
    assert found[1] == pytest.approx(0.1 * 0.5 ** (1 / 3))


def test_a_step_looks_its_rate_up_and_the_last_one_stays():
    rates = Rates(training(warm_up_steps=1))
    rates.lay_out(0.2, 3)
    assert [float(rates(step)) for step in (0, 1, 2, 9)] == pytest.approx([0.0, 0.2, 0.2, 0.2])


def test_a_warm_up_as_long_as_the_training_is_an_error():
    with pytest.raises(InputError, match=r"training.warm_up_steps: training has 6 steps \(10 epochs\); expected fewer"):
        rates_of(training(warm_up_steps=6), 0.1, 6)
