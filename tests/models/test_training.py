import itertools
import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from models import epochs, tables, trainable, training
from models.batching import split
from models.columns import WEIGHT_COLUMN
from models.epochs import InMemory
from models.ranker import Ranker, build
from models.scales import LabelStatistics, label_statistics
from models.terms import HeadLoss, head_losses, mean_losses
from models.trainable import Trainable
from models.training import Loop
from schema.errors import InputError
from schema.surface import Surface
from schema.training import EarlyStopping, Training
from tests.models.conftest import SURFACE

STATISTICS = {"click": LabelStatistics(0.5, 0.5), "minutes": LabelStatistics(3.0, 2.0)}


def losses_of(*, distil: bool) -> dict[str, HeadLoss]:
    return {each.head: each for each in head_losses(SURFACE, STATISTICS, distil=distil)}


def test_control_has_no_soft_losses():
    assert set(losses_of(distil=False)) == {"serving_click", "serving_minutes"}
    assert {name for name, each in losses_of(distil=True).items() if each.soft} == {
        "distillation_click",
        "distillation_stay",
    }


def test_a_regression_loss_is_in_units_of_the_label_variance():
    labels = {"label/minutes": tf.constant([5.0, math.nan])}
    outputs = {"serving_minutes": tf.constant([[0.5], [9.0]])}
    # (5 - 3) / 2 = 1; (1 - 0.5)^2; the absent label does not count.
    assert losses_of(distil=False)["serving_minutes"](labels, outputs).numpy() == pytest.approx(0.25)


def test_a_distillation_loss_reads_the_teacher_column():
    labels = {"teacher/stay": tf.constant([1.0, -1.0])}
    outputs = {"distillation_stay": tf.constant([[0.0], [1.0]])}
    assert losses_of(distil=True)["distillation_stay"](labels, outputs).numpy() == pytest.approx((1 + 4) / 2)


def test_losses_together_are_those_of_each_head():
    terms = list(losses_of(distil=True).values())
    labels = {
        "label/click": tf.constant([1.0, 0.0, math.nan]),
        "label/minutes": tf.constant([5.0, math.nan, 2.0]),
        "teacher/click": tf.constant([2.0, math.nan, math.nan]),
        "teacher/stay": tf.constant([math.nan, math.nan, math.nan]),
    }
    outputs = {each.head: tf.constant([[0.5], [-1.0], [2.0]]) for each in terms}
    for columns in (labels, {**labels, WEIGHT_COLUMN: tf.constant([2.0, 1.0, 0.5])}):
        together = [value.numpy() for value in mean_losses(terms, columns, outputs)]
        assert together == pytest.approx([each(columns, outputs).numpy() for each in terms])
        assert together[terms.index(losses_of(distil=True)["distillation_stay"])] == 0.0


def test_label_statistics_ignore_absent_labels():
    columns = {"label/click": np.array([1.0, 0.0, 0.0, 1.0]), "label/minutes": np.array([math.nan, 2.0, 4.0, math.nan])}
    assert label_statistics(SURFACE, columns) == {
        "click": LabelStatistics(0.5, 0.5),
        "minutes": LabelStatistics(3.0, 1.0),
    }


def test_a_task_without_any_label_is_an_error():
    columns = {"label/click": np.array([1.0]), "label/minutes": np.array([math.nan])}
    with pytest.raises(InputError, match=r"'minutes'.*no label"):
        label_statistics(SURFACE, columns)


def test_reported_losses_are_means_over_batches():
    """All heads answer 0; batches of one row, so that each batch counts the same by hand."""
    terms = list(losses_of(distil=True).values())
    feature = keras.Input((1,), name="x")
    zero = keras.layers.Dense(1, kernel_initializer="zeros")
    heads = keras.Model({"x": feature}, {each.head: zero(feature) for each in terms})
    model = Trainable(heads, terms, uncertainty=False)
    model.compile(optimizer="adam")
    labels = {
        "label/click": tf.constant([1.0, 0.0]),
        "label/minutes": tf.constant([5.0, 3.0]),
        "teacher/click": tf.constant([2.0, math.nan]),
        "teacher/stay": tf.constant([1.0, 3.0]),
    }
    batches = tf.data.Dataset.from_tensor_slices(({"x": tf.zeros([2, 1])}, labels)).batch(1)
    found = model.evaluate(batches, verbose=0, return_dict=True)
    weights = {each.name: each.weight for each in terms}
    expected = {
        "serving_click": math.log(2),
        "serving_minutes": (1 + 0) / 2,
        "distillation_click": (4 + 0) / 2,
        "distillation_stay": (1 + 9) / 2,
    }
    assert {name: found[name] for name in expected} == pytest.approx(expected)
    hard = sum(weights[name] * expected[name] for name in ("serving_click", "serving_minutes"))
    soft = sum(weights[name] * expected[name] for name in ("distillation_click", "distillation_stay"))
    assert found["hard_loss"] == pytest.approx(hard)
    assert found["soft_loss"] == pytest.approx(soft)
    assert found["loss"] == pytest.approx(hard + soft)


ROWS = 120
TRAINING = Training(epochs=3, batch_size=16, validation_fraction=0.2, learning_rate=0.01, seed=2)
FITTED, HELD_OUT = split(ROWS, TRAINING)


def columns_of(rows: int = ROWS) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    match = rng.normal(size=(rows, 1)).astype(np.float32)
    clicked = (rng.random(rows) < 0.5).astype(np.float32)
    return {
        "user": rng.integers(7, size=rows),
        "genre": rng.integers(3, size=rows),
        "match": match,
        "content": rng.normal(size=(rows, 2)).astype(np.float32),
        "age": rng.normal(size=(rows, 1)).astype(np.float32),
        "label/click": clicked,
        "label/minutes": np.where(clicked > 0, 3 + match[:, 0], np.nan).astype(np.float32),
        "teacher/click": match[:, 0].copy(),
        "teacher/stay": -match[:, 0],
    }


def loop_of(surface: Surface = SURFACE) -> tuple[Loop, Ranker]:
    ranker = build(surface, {"user": 8, "genre": 4}, STATISTICS, distil=True)
    return Loop(ranker, surface, head_losses(surface, STATISTICS, distil=True)), ranker


def in_memory(columns: dict[str, np.ndarray], training: Training = TRAINING) -> InMemory:
    return InMemory(columns, FITTED, HELD_OUT, training)


def changed(name: str, rows: np.ndarray, value: float) -> dict[str, np.ndarray]:
    columns = columns_of()
    columns[name][rows] = value
    return columns


def test_held_out_losses_are_means_over_rows_whatever_the_batches(monkeypatch):
    """Absent labels lie as they fall: a batch with few of them must not count as one with many."""
    columns = columns_of()
    columns["label/minutes"][HELD_OUT[5:]] = np.nan
    loop, ranker = loop_of()
    at_once = loop.held_out(in_memory(columns).held_out(), 0)
    monkeypatch.setattr(epochs, "HELD_OUT_BATCH", 5)
    batches = in_memory(columns).held_out()
    assert batches.steps == 5
    monkeypatch.setattr("models.training._STEPS_PER_CALL", 2)
    assert loop.held_out(batches, 0) == pytest.approx(at_once, rel=1e-5)
    features = {name: columns[name][HELD_OUT] for name in SURFACE.features}
    outputs = ranker.training(features)["serving_minutes"].numpy()[:, 0]
    labels = (columns["label/minutes"][HELD_OUT] - 3) / 2
    assert at_once["serving_minutes"] == pytest.approx(np.nanmean((outputs - labels) ** 2), rel=1e-5)


def test_weights_of_examples_weigh_held_out_batches_too(monkeypatch):
    columns = {**columns_of(), WEIGHT_COLUMN: np.arange(ROWS, dtype=np.float32)}
    loop, _ = loop_of()
    at_once = loop.held_out(in_memory(columns).held_out(), 0)
    monkeypatch.setattr(epochs, "HELD_OUT_BATCH", 5)
    assert loop.held_out(in_memory(columns).held_out(), 0) == pytest.approx(at_once, rel=1e-5)


@pytest.mark.parametrize(
    ("columns", "told"),
    [
        # Squared, the largest float is not finite.
        (
            changed("teacher/stay", FITTED, 3e38),
            r"in step 1 of epoch 1 the loss was not finite, of distillation_stay \(labels teacher/stay\)\. .*0\.01",
        ),
        (
            changed("label/minutes", HELD_OUT, 3e38),
            r"in the held-out rows after epoch 1 the loss was not finite, of serving_minutes \(labels label/minutes\)",
        ),
    ],
    ids=["soft label", "held-out label"],
)
def test_a_loss_that_is_not_finite_stops_training_and_names_its_head(columns, told):
    with pytest.raises(InputError, match=f"training diverged: {told}"):
        loop_of()[0].fit(TRAINING, in_memory(columns))


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("feature", ["match", "content", "age"])
def test_a_feature_that_is_not_finite_stops_training_though_a_relu_hides_it(feature, value):
    with pytest.raises(InputError, match=r"training diverged: (in step \d of epoch 1|after epoch 1 .*trunk_0/kernel)"):
        loop_of()[0].fit(TRAINING, in_memory(changed(feature, FITTED[7:8], value)))


def test_a_label_that_spoils_the_weights_is_named_and_not_what_it_spoils():
    """One row of the first epoch: from the step after it on, every head's loss is not finite."""
    order = next(InMemory(columns_of(), FITTED, HELD_OUT, TRAINING).epoch(0).parts()).feed.rows.numpy()
    with pytest.raises(InputError, match=r"in step 3 of epoch 1 .*, of distillation_click \(labels teacher/click\)\."):
        loop_of()[0].fit(TRAINING, in_memory(changed("teacher/click", order[40:41], 3e38)))


def test_a_learning_rate_that_is_too_high_is_an_error_too():
    with pytest.raises(InputError, match=r"training diverged: .*`learning_rate: 1e\+30`, which may be too high"):
        loop_of()[0].fit(TRAINING.model_copy(update={"learning_rate": 1e30}), in_memory(columns_of()))


def test_a_loop_starts_anew_with_every_fit():
    """Optimizer, learned loss weights and the step of schedules, whatever was fitted before."""
    content = SURFACE.model_dump(mode="json", by_alias=True)
    content["training"] |= {"loss_weights": "uncertainty"}
    content["non_serving_heads"]["stay"]["schedule"] = {"from": 0.0, "steps": 10}
    loop, ranker = loop_of(Surface.model_validate(content))
    start = [variable.numpy() for variable in ranker.training.variables]
    fits = []
    for rate in (0.01, 0.1, 0.01):
        training.assign(ranker.training.variables, start)
        fits.append(loop.fit(TRAINING.model_copy(update={"learning_rate": rate}), in_memory(columns_of())))
    assert fits[0].history == fits[2].history
    assert fits[0].history != fits[1].history
    for one, other in zip(fits[0].weights, fits[2].weights, strict=True):
        np.testing.assert_array_equal(one, other)


OPTIMIZERS = {
    "adam": {},
    "adam, warmed up": {"warm_up_steps": 4},
    "adamw": {"optimizer": "adamw", "weight_decay": 0.1},
    "adamw, cosine": {"optimizer": "adamw", "warm_up_steps": 4, "learning_rate_decay": {"by": "cosine"}},
    "adagrad": {"optimizer": "adagrad"},
    "adagrad, exponential, clipped": {
        "optimizer": "adagrad",
        "learning_rate_decay": {"by": "exponential", "factor": 0.5, "steps": 5},
        "clip_norm": 0.5,
    },
}


def fitted(changes: dict, rates: tuple[float, ...] = (0.01,)) -> list[training.Fit]:
    """One loop, fitted with each of the rates from the same start."""
    content = SURFACE.model_dump(mode="json", by_alias=True)
    content["training"] |= TRAINING.model_dump(mode="json") | changes
    surface = Surface.model_validate(content)
    loop, ranker = loop_of(surface)
    start = [variable.numpy() for variable in ranker.training.variables]
    fits = []
    for rate in rates:
        training.assign(ranker.training.variables, start)
        now = surface.training.model_copy(update={"learning_rate": rate, "epochs": 3 if rate == rates[0] else 2})
        fits.append(loop.fit(now, in_memory(columns_of())))
    return fits


class PlainAdam(keras.optimizers.Adam):
    """Keras's own, as the loop asks an optimizer."""

    def reset(self, learning_rate: float, steps: int) -> None:
        self.learning_rate.assign(learning_rate)

    def settle(self) -> None:
        """Leaves nothing behind."""

    def bring_up_to_date(self, table: keras.Variable, rows: tf.Tensor) -> None:
        """Moves all rows."""


def test_without_any_of_the_keys_it_is_adam_of_keras_to_the_last_bit(monkeypatch):
    """As before there were others: a surface.yaml that says nothing of optimizers trains what it did."""
    assert not {"optimizer", "warm_up_steps", "clip_norm"} & set(TRAINING.model_dump(exclude_defaults=True))
    (ours,) = fitted({})
    monkeypatch.setattr(trainable, "optimizer_of", lambda of, _: PlainAdam(of.learning_rate))
    (keras_s,) = fitted({})
    assert ours.history == keras_s.history
    for one, other in zip(ours.weights, keras_s.weights, strict=True):
        np.testing.assert_array_equal(one, other)


def test_every_optimizer_trains_something_else():
    losses = {name: fitted(changes)[0].history["val_selection_loss"] for name, changes in OPTIMIZERS.items()}
    assert len({tuple(each) for each in losses.values()}) == len(OPTIMIZERS)


@pytest.mark.parametrize("changes", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_an_optimizer_starts_anew_with_every_fit_whatever_its_rate_and_epochs(changes):
    first, other, again = fitted(changes, (0.01, 0.1, 0.01))
    assert first.history == again.history
    assert first.history != other.history
    for name, losses in fitted(changes, (0.1,))[0].history.items():
        # Three epochs, of which a cosine falls otherwise in two.
        if "learning_rate_decay" not in changes:
            assert losses[:2] == other.history[name]


@pytest.mark.parametrize("changes", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_tables_that_are_moved_by_rows_come_to_those_that_are_moved_whole(changes, monkeypatch):
    (whole,) = fitted(changes)
    monkeypatch.setattr(tables, "_SMALL", 1)
    (by_rows,) = fitted(changes)
    for name, losses in whole.history.items():
        assert by_rows.history[name] == pytest.approx(losses, rel=1e-4), name


def test_the_weights_of_the_best_epoch_are_kept():
    """With a rate far too high the first epochs are the best, and patience waits for two more."""
    impatient = Training(epochs=30, batch_size=16, learning_rate=0.5, early_stopping=EarlyStopping(patience=2))
    loop, ranker = loop_of()
    fit = loop.fit(impatient, in_memory(columns_of()))
    losses = fit.history["val_selection_loss"]
    assert len(losses) == fit.epoch + 2 < 30
    assert fit.epoch == int(np.argmin(losses)) + 1
    assert fit.losses == {name: values[fit.epoch - 1] for name, values in fit.history.items()}
    for variable, kept in zip(ranker.training.variables, fit.weights, strict=True):
        np.testing.assert_array_equal(variable.numpy(), kept)
    again = loop.held_out(in_memory(columns_of()).held_out(), 0)
    assert again["hard_loss"] == fit.losses["val_hard_loss"]


def test_callbacks_are_told_of_every_epoch():
    told: list[tuple[str, int]] = []
    callback = keras.callbacks.LambdaCallback(
        on_epoch_begin=lambda epoch, logs: told.append(("begins", epoch)),
        on_epoch_end=lambda epoch, logs: told.append((f"ends with {len(logs)} losses", epoch)),
        on_train_end=lambda logs: told.append(("is over", -1)),
    )
    loop_of()[0].fit(TRAINING, in_memory(columns_of()), [callback])
    assert told == [
        *(each for epoch in range(3) for each in (("begins", epoch), ("ends with 15 losses", epoch))),
        ("is over", -1),
    ]


def test_there_must_be_rows_to_train_on():
    data = InMemory(columns_of(1), *split(1, TRAINING), TRAINING)
    with pytest.raises(InputError, match="no row to train on; expected at least two examples"):
        loop_of()[0].fit(TRAINING, data)


def test_a_short_training_does_not_serve_what_was_learned_upside_down():
    """27 steps, two towers of 4: with random distillation heads 3 of 10 students ranked the wrong way round.

    A tower follows the soft labels at once; were the serving head to point the other way by chance, it
    would take longer to turn round.  It must not matter, either, whether the teacher's task is the
    opposite of the student's.
    """
    rng = np.random.default_rng(0)
    match = rng.normal(size=600).astype(np.float32)
    click = (rng.random(600) < 1 / (1 + np.exp(-2 * match))).astype(np.float32)
    content = {
        "name": "short",
        "features": {"match": {"kind": "numeric"}, "noise": {"kind": "numeric"}},
        "tasks": {"click": {"kind": "binary", "label": "click", "distil": {"from": "click"}, "ungated": "test"}},
        "teacher": {"tasks": {"click": {"kind": "binary"}}, "features": {"match": {"dtype": "float"}}},
        "model": {"trunk": [8], "tower": [4]},
        "training": {"epochs": 3, "batch_size": 64, "learning_rate": 0.01},
    }
    for seed, sign in itertools.product(range(6), (1, -1)):
        surface = Surface.model_validate({**content, "training": {**content["training"], "seed": seed}})
        columns = {"match": match[:, None], "noise": rng.normal(size=(600, 1)).astype(np.float32)}
        labels = {"label/click": click, "teacher/click": sign * match}
        statistics = label_statistics(surface, labels)
        student = build(surface, {}, statistics, distil=True)
        data = InMemory({**columns, **labels}, *split(600, surface.training), surface.training)
        training.fit(student, surface, head_losses(surface, statistics, distil=True), data)
        served = student.serving(columns)["click"].numpy()
        assert np.corrcoef(served, match)[0, 1] > 0.5, (seed, sign)
