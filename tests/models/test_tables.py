"""Large tables are trained by the rows of each batch, and come to what moving all rows comes to."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from models import tables
from models.optimizer import Adam
from models.tables import Table, finite, large_tables, read_for

ROWS, WIDTH, L2 = 50, 3, 1e-4
RNG = np.random.default_rng(0)
# Few rows a step, so that most wait for many steps; row 7 several times, the last row once.
STEPS = [np.array([7, 7, row, (row * row) % ROWS]) for row in RNG.integers(ROWS - 1, size=400)]
STEPS[100] = np.array([ROWS - 1, ROWS - 1, 3, 4])


def table(l2: float = 0.0, initializer: str = "ones") -> Table:
    layer = Table(ROWS, WIDTH, initializer=keras.initializers.get(initializer), l2=l2, name="table")
    layer.build(())
    layer.embeddings.assign(np.linspace(-0.5, 0.5, ROWS * WIDTH, dtype=np.float32).reshape(ROWS, WIDTH))
    return layer


def trained(layer: Table, optimizer: keras.optimizers.Optimizer, read) -> np.ndarray:
    """Many steps of a loss whose gradients are of several scales; `read` gives rows for a step's indices."""
    optimizer.build([layer.embeddings])

    @tf.function
    def step(indices):
        with tf.GradientTape() as tape:
            rows = read(layer, indices)
            wanted = tf.cast(indices % 3 + 1, tf.float32)[:, None] * [1.0, 2.0, -1.0]
            loss = 0.01 * tf.reduce_sum((rows - wanted) ** 2 * [1.0, 1e-4, 10.0]) + sum(layer._losses)
        optimizer.apply(tape.gradient(loss, [layer.embeddings.value]), [layer.embeddings])

    for indices in STEPS:
        layer._clear_losses()
        step(tf.constant(indices))
    return layer.embeddings.numpy()


def by_rows(layer: Table, indices: tf.Tensor, optimizer: Adam) -> tf.Tensor:
    with read_for(optimizer):
        return layer(indices, training=True)


def plain(layer: Table, indices: tf.Tensor) -> tf.Tensor:
    return tf.gather(layer.embeddings.value, indices)


def settled(l2: float, read) -> np.ndarray:
    layer = table(l2)
    optimizer = Adam(0.02, [layer])
    trained(layer, optimizer, lambda of, indices: read(of, indices, optimizer))
    optimizer.settle()
    return layer.embeddings.numpy()


def test_rows_move_as_if_all_of_them_moved_in_every_step():
    found = settled(0.0, by_rows)
    expected = trained(table(), keras.optimizers.Adam(0.02), plain)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=2e-6)
    assert np.abs(found - table().embeddings.numpy()).max() > 0.1  # it is not the start that is compared


def test_two_lookups_of_a_table_are_one_step_of_it():
    """With indices in common, and of another shape: a list for each example."""

    def twice(layer, indices, optimizer):
        first, second = by_rows(layer, indices[:3], optimizer), by_rows(layer, indices[None, 1:], optimizer)
        return tf.concat([first[:1], (first[1:] + second[0, :2]) / 2, second[0, 2:]], axis=0)

    def plainly(layer, indices):
        return twice(layer, indices, None)

    expected = trained(table(), keras.optimizers.Adam(0.02), plainly)
    np.testing.assert_allclose(settled(0.0, twice), expected, rtol=1e-4, atol=2e-6)


def test_the_penalty_comes_near_to_one_of_all_rows_in_every_step():
    """As near as the means half-way are to all of them; here most rows wait for hundreds of steps."""

    def penalised(layer, indices):
        layer.add_loss(L2 * tf.reduce_sum(layer.embeddings.value**2))
        return plain(layer, indices)

    expected = trained(table(), keras.optimizers.Adam(0.02), penalised)
    without = trained(table(), keras.optimizers.Adam(0.02), plain)
    found = settled(L2, by_rows)
    done = np.abs(expected - without)
    assert done.mean() > 0.1
    assert np.abs(found - expected).mean() < 0.2 * done.mean()


def test_a_small_table_has_a_penalty_on_all_rows():
    layer = table(l2=0.25)
    np.testing.assert_allclose(sum(layer.losses), 0.25 * (layer.embeddings.numpy() ** 2).sum(), rtol=1e-6)
    assert not layer.large


def test_a_large_table_leaves_its_penalty_to_the_optimizer(monkeypatch):
    monkeypatch.setattr(tables, "_SMALL", 10)
    layer = Table(ROWS, WIDTH, initializer=keras.initializers.RandomUniform(seed=0), l2=0.25, name="table")
    layer.build(())
    assert layer.large
    assert layer.l2 == 0.25
    assert not layer.losses


def test_slices_of_a_table_come_to_the_whole(monkeypatch):
    at_once = settled(0.0, by_rows)
    monkeypatch.setattr(tables, "SLICE", 16)
    monkeypatch.setattr("models.optimizer.SLICE", 16)
    np.testing.assert_allclose(settled(0.0, by_rows), at_once, rtol=1e-6, atol=1e-7)


def test_a_reset_optimizer_forgets_its_steps():
    layer = table()
    start = layer.embeddings.numpy()
    optimizer = Adam(0.02, [layer])
    read = lambda of, indices: by_rows(of, indices, optimizer)  # noqa: E731 - one line, used twice
    first = trained(layer, optimizer, read)
    optimizer.reset(0.02)
    layer.embeddings.assign(start)
    np.testing.assert_allclose(trained(layer, optimizer, read), first, rtol=1e-6, atol=1e-7)


def test_a_gradient_of_the_whole_table_is_an_error():
    layer = table()
    optimizer = Adam(0.02, [layer])
    with pytest.raises(ValueError, match="expected a gradient of single rows, found one of the whole table"):
        trained(layer, optimizer, lambda of, _: tf.convert_to_tensor(of.embeddings.value)[:4])


def test_large_tables_are_found_wherever_they_are(monkeypatch):
    monkeypatch.setattr(tables, "_SMALL", ROWS * WIDTH - 1)
    ids = keras.Input((), dtype="int64")
    random = keras.initializers.RandomUniform(seed=0)
    small = Table(2, WIDTH, initializer=random, l2=0.0, name="small")
    nested = keras.Sequential([Table(ROWS, WIDTH, initializer=random, l2=0.0, name="nested")], name="inner")
    model = keras.Model(ids, [small(ids), nested(ids)])
    assert [each.name for each in large_tables(model)] == ["nested"]


def test_a_large_table_begins_with_other_numbers_in_each_slice(monkeypatch):
    monkeypatch.setattr(tables, "_SMALL", 10)
    monkeypatch.setattr(tables, "SLICE", 16)
    initializer = keras.initializers.RandomUniform(-0.5, 0.5, seed=3)
    first, again = (Table(ROWS, WIDTH, initializer=initializer, l2=0.0, name="table") for _ in range(2))
    for layer in (first, again):
        layer.build(())
    values = first.embeddings.numpy()
    assert len(np.unique(values)) == ROWS * WIDTH
    assert -0.5 < values.min() < -0.4 < 0.4 < values.max() < 0.5
    np.testing.assert_array_equal(values, again.embeddings.numpy())


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_one_number_that_is_not_finite_is_found(value, monkeypatch):
    monkeypatch.setattr(tables, "SLICE", 16)
    layer = table()
    assert finite([layer.embeddings])
    values = layer.embeddings.numpy()
    values[ROWS - 1, 1] = value
    layer.embeddings.assign(values)
    assert not finite([layer.embeddings])


def padded(layer: Table, indices: tf.Tensor, optimizer: Adam) -> tf.Tensor:
    """Lists are padded with row 0, and what is read of it there is masked."""
    read = by_rows(layer, tf.concat([indices, [0, 0]], axis=0), optimizer)
    return (read * tf.constant([[1.0]] * 4 + [[0.0]] * 2))[:4]


def test_padding_moves_no_row():
    np.testing.assert_allclose(settled(0.0, padded), settled(0.0, by_rows), rtol=1e-4, atol=2e-6)


def test_padding_is_not_penalised_beyond_what_every_row_is():
    def penalised(layer, indices):
        layer.add_loss(L2 * tf.reduce_sum(layer.embeddings.value**2))
        return plain(layer, indices)

    expected = trained(table(), keras.optimizers.Adam(0.02), penalised)
    done = np.abs(expected - trained(table(), keras.optimizers.Adam(0.02), plain))
    found = settled(L2, padded)
    assert np.abs(found - expected)[0].max() < 0.2 * done[0].mean()
    np.testing.assert_allclose(found[1:], settled(L2, by_rows)[1:], rtol=1e-4, atol=2e-6)


def test_a_frozen_table_is_read_and_stays(monkeypatch):
    monkeypatch.setattr(tables, "_SMALL", 10)
    random = keras.initializers.RandomUniform(seed=0)
    trains, stays = (
        Table(ROWS, WIDTH, initializer=random, l2=L2, name=name, frozen=name == "stays") for name in ("trains", "stays")
    )
    ids = keras.Input((), dtype="int64")
    model = keras.Model(ids, keras.layers.Concatenate()([trains(ids), stays(ids)]))
    assert [each.name for each in large_tables(model)] == ["trains"]
    before = [each.embeddings.numpy() for each in (trains, stays)]
    optimizer = Adam(0.1, large_tables(model))
    optimizer.build(model.trainable_variables)
    with tf.GradientTape() as tape, read_for(optimizer):
        loss = tf.reduce_sum(model(tf.constant([3, 3, 5]), training=True) ** 2)
    gradients = tape.gradient(loss, [each.value for each in model.trainable_variables])
    optimizer.apply(gradients, model.trainable_variables)
    assert np.abs(trains.embeddings.numpy() - before[0])[[3, 5]].min() > 0.01
    np.testing.assert_array_equal(stays.embeddings.numpy(), before[1])


def test_a_small_frozen_table_has_no_penalty():
    layer = Table(2, WIDTH, initializer=keras.initializers.RandomUniform(seed=0), l2=0.25, name="table", frozen=True)
    layer.build(())
    assert not layer.losses
    assert not layer.trainable_variables
