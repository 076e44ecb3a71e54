"""An optimizer that goes on takes the steps that it would have taken without the break."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from models.optimizers import optimizer_of
from models.tables import Table, read_for
from schema.errors import InputError
from schema.training import Training

ROWS, WIDTH, STEPS = 8000, 4, 12


class Pair:
    """A large table, a dense kernel, and their optimizer."""

    def __init__(self, training: Training):
        initializer = keras.initializers.RandomUniform(-0.5, 0.5, seed=3)
        self.table = Table(ROWS, WIDTH, initializer=initializer, l2=0.0, name="table")
        self.table.build(None)
        self.dense = keras.layers.Dense(1, kernel_initializer=keras.initializers.GlorotUniform(seed=5), name="dense")
        self.dense.build((None, WIDTH))
        self.variables = [*self.table.trainable_variables, *self.dense.trainable_variables]
        self.optimizer = optimizer_of(training, [self.table])
        self.optimizer.build(self.variables)

    def take(self, first: int, steps: int) -> None:
        for step in range(first, first + steps):
            # Some rows come often, most of them once, so that they wait over the break.
            rows = tf.constant([step % 3, 100 + step % 5, 1000 + step], tf.int64)
            with tf.GradientTape() as tape, read_for(self.optimizer):
                loss = tf.reduce_sum((self.dense(self.table(rows, training=True)) - float(step % 4)) ** 2)
            self.optimizer.apply_gradients(zip(tape.gradient(loss, self.variables), self.variables, strict=True))
        self.optimizer.settle()

    def values(self) -> list[np.ndarray]:
        return [each.numpy() for each in self.variables]


OPTIMIZERS = {
    "adam": {},
    "adamw": {"optimizer": "adamw", "weight_decay": 0.05},
    "adagrad": {"optimizer": "adagrad"},
    "adam, warm-up and decay": {
        "warm_up_steps": 5,
        "learning_rate_decay": {"by": "exponential", "factor": 0.9, "steps": 4},
    },
}


@pytest.mark.parametrize("given", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_two_halves_are_one_whole(given):
    training = Training(learning_rate=0.05, **given)
    whole, first, second = (Pair(training) for _ in range(3))
    whole.optimizer.reset(0.05, 2 * STEPS)
    whole.take(0, STEPS)
    whole.take(STEPS, STEPS)
    first.optimizer.reset(0.05, STEPS)
    first.take(0, STEPS)
    for variable, value in zip(second.variables, first.values(), strict=True):
        variable.assign(value)
    second.optimizer.resume(0.05, STEPS, STEPS, lambda fresh: fresh | first.optimizer.slots())
    second.take(STEPS, STEPS)
    assert int(second.optimizer.iterations.numpy()) == 2 * STEPS
    for one, other in zip(whole.values(), second.values(), strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=2e-6)


def test_after_a_year_of_days_rows_still_tell_steps_apart():
    """Their step is a 32-bit float; of one learning rate it does not matter how many steps came before."""
    done, pairs = 40_000_000, [Pair(Training(learning_rate=0.05)) for _ in range(2)]
    for pair, before in zip(pairs, (done, 1 << 20), strict=True):
        pair.optimizer.resume(0.05, STEPS, before, lambda fresh: fresh)
        pair.take(0, STEPS)
    for one, other in zip(*(pair.values() for pair in pairs), strict=True):
        np.testing.assert_array_equal(one, other)
    scheduled = Pair(Training(learning_rate=0.05, warm_up_steps=5))
    with pytest.raises(InputError, match=r"at most 16,777,216 steps .* found 40,000,012 .* `continue_optimizer`"):
        scheduled.optimizer.resume(0.05, STEPS, done, lambda fresh: fresh)


def test_without_its_state_it_takes_other_steps():
    training = Training(learning_rate=0.05)
    whole, second = Pair(training), Pair(training)
    whole.optimizer.reset(0.05, 2 * STEPS)
    whole.take(0, STEPS)
    for variable, value in zip(second.variables, whole.values(), strict=True):
        variable.assign(value)
    second.optimizer.reset(0.05, STEPS)
    for each in (whole, second):
        each.take(STEPS, STEPS)
    assert np.abs(whole.values()[1] - second.values()[1]).max() > 1e-3
