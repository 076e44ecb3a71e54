"""Large tables are trained by the rows of each batch, and come to what moving all rows comes to."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from models import tables
from models.optimizers.adagrad import Adagrad
from models.optimizers.adam import Adam
from models.optimizers.by_rows import ByRows
from models.optimizers.rates import Rates
from models.tables import Table, finite, large_tables, read_for
from schema.training import RateDecay, Training

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


def by_rows(layer: Table, indices: tf.Tensor, optimizer: ByRows) -> tf.Tensor:
    with read_for(optimizer):
        return layer(indices, training=True)


def plain(layer: Table, indices: tf.Tensor) -> tf.Tensor:
    return tf.gather(layer.embeddings.value, indices)


def settled(l2: float, read, make=Adam, **how) -> np.ndarray:
    layer = table(l2)
    optimizer = make(0.02, [layer], **how)
    optimizer.build([layer.embeddings])
    optimizer.reset(0.02, len(STEPS))
    trained(layer, optimizer, lambda of, indices: read(of, indices, optimizer))
    optimizer.settle()
    return layer.embeddings.numpy()


def test_rows_move_as_if_all_of_them_moved_in_every_step():
    found = settled(0.0, by_rows)
    expected = trained(table(), keras.optimizers.Adam(0.02), plain)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=2e-6)
    assert np.abs(found - table().embeddings.numpy()).max() > 0.1  # it is not the start that is compared


# Up from 0 and down again, so that what a row misses is of many rates.
PLAN = Training(learning_rate=0.02, warm_up_steps=40, learning_rate_decay=RateDecay(by="cosine", to=0.05))
KERAS_S = {"initial_learning_rate": 0.0, "alpha": 0.05, "warmup_target": 0.02, "warmup_steps": 40}


def keras_s_plan() -> keras.optimizers.schedules.LearningRateSchedule:
    return keras.optimizers.schedules.CosineDecay(decay_steps=len(STEPS) - 40, **KERAS_S)


@pytest.mark.parametrize("planned", [False, True], ids=["one rate", "scheduled"])
@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
def test_rows_move_as_if_all_of_them_moved_and_decayed_in_every_step(planned, weight_decay):
    """By Keras's AdamW over the whole table; rows wait for up to hundreds of steps."""
    rates = Rates(PLAN) if planned else None
    found = settled(0.0, by_rows, rates=rates, weight_decay=weight_decay)
    theirs = keras.optimizers.AdamW(keras_s_plan() if planned else 0.02, weight_decay=weight_decay)
    np.testing.assert_allclose(found, trained(table(), theirs, plain), rtol=1e-4, atol=1e-5)
    if planned or weight_decay:
        assert np.abs(found - settled(0.0, by_rows)).max() > 0.05


@pytest.mark.parametrize("planned", [False, True], ids=["one rate", "scheduled"])
def test_adagrad_moves_rows_as_keras_does(planned):
    found = settled(0.0, by_rows, Adagrad, rates=Rates(PLAN) if planned else None)
    theirs = keras.optimizers.Adagrad(keras_s_plan() if planned else 0.02)
    np.testing.assert_allclose(found, trained(table(), theirs, plain), rtol=1e-5, atol=1e-6)
    assert np.abs(found - table().embeddings.numpy()).max() > 0.1


@pytest.mark.parametrize("make", [Adam, Adagrad])
def test_the_penalty_follows_a_schedule(make):
    """A penalty on all rows in every step, at the learning rate of each step.

    Of rows that no step has twice: where there is a penalty Keras sums their gradients before it squares them.
    """
    once = [row for row in range(ROWS) if all((step == row).sum() < 2 for step in STEPS)]

    def penalised(layer, indices):
        layer.add_loss(10 * L2 * tf.reduce_sum(layer.embeddings.value**2))
        return plain(layer, indices)

    kind = {Adam: keras.optimizers.Adam, Adagrad: keras.optimizers.Adagrad}[make]
    expected = trained(table(), kind(keras_s_plan()), penalised)
    done = np.abs(expected - trained(table(), kind(keras_s_plan()), plain))
    found = settled(10 * L2, by_rows, make, rates=Rates(PLAN))
    assert len(once) > ROWS / 2
    assert done[once].mean() > 1e-3
    assert np.abs(found - expected)[once].mean() < 0.2 * done[once].mean()


def test_a_row_that_a_batch_has_twice_counts_in_the_norm_as_one():
    """Row 2 has the gradient 3 + 1 = 4, the kernel 3: the norm is 5, which is brought to 1."""
    layer, kernel = table(), keras.Variable([[1.0]])
    before = layer.embeddings.numpy()
    optimizer = Adam(0.1, [layer], clip_norm=1.0)
    optimizer.build([layer.embeddings, kernel])
    rows = tf.IndexedSlices(tf.constant([[3.0, 0, 0], [1.0, 0, 0]]), tf.constant([2, 2], tf.int64), (ROWS, WIDTH))
    found = optimizer._clip_gradients([rows, tf.constant([[3.0]]), None])
    np.testing.assert_allclose(found[0].values.numpy()[:, 0], [3 / 5, 1 / 5], rtol=1e-6)
    np.testing.assert_allclose(found[1].numpy(), [[3 / 5]], rtol=1e-6)
    assert found[2] is None
    np.testing.assert_array_equal(layer.embeddings.numpy(), before)


@pytest.mark.parametrize("norm", [0.5, 100.0])
def test_gradients_are_clipped_as_by_keras(norm):
    kernel, theirs = keras.Variable([[1.0, 2.0]]), keras.Variable([[1.0, 2.0]])
    for variable, optimizer in (
        (kernel, Adagrad(0.1, clip_norm=norm)),
        (theirs, keras.optimizers.Adagrad(0.1, global_clipnorm=norm)),
    ):
        for gradient in ([[3.0, 4.0]], [[0.1, 0.2]]):
            optimizer.apply([tf.constant(gradient)], [variable])
    np.testing.assert_allclose(kernel.numpy(), theirs.numpy(), rtol=1e-6)


@pytest.mark.parametrize(
    "make",
    [
        lambda table: Adam(0.02, [table], rates=Rates(PLAN), weight_decay=0.1, clip_norm=1.0),
        lambda table: Adagrad(0.02, [table], rates=Rates(PLAN), clip_norm=1.0),
    ],
    ids=["adamw", "adagrad"],
)
def test_a_step_makes_nothing_of_the_size_of_a_table(make):
    layer = table(l2=L2)
    optimizer = make(layer)
    optimizer.build([layer.embeddings])

    @tf.function(input_signature=[tf.TensorSpec([4], tf.int64)])
    def step(indices):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(by_rows(layer, indices, optimizer) ** 2)
        optimizer.apply(tape.gradient(loss, [layer.embeddings.value]), [layer.embeddings])

    operations = step.get_concrete_function().graph.get_operations()
    shapes = [each.shape for operation in operations for each in operation.outputs if each.shape.rank]
    assert len(shapes) > 20
    assert not [shape for shape in shapes if shape[0] == ROWS]


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
    monkeypatch.setattr("models.optimizers.by_rows.SLICE", 16)
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
