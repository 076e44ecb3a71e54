"""A training that was stopped goes on after its last whole epoch, as if it had not been stopped."""

import json

import keras
import numpy as np
import pytest

from models import tables
from models.backup import Backup, Progress
from schema.errors import InputError
from schema.training import EarlyStopping
from tests.models.conftest import SURFACE
from tests.models.test_training import TRAINING, columns_of, in_memory, loop_of

LONGER = TRAINING.model_copy(update={"epochs": 6, "learning_rate": 0.05})
BY_ROWS = SURFACE.model_copy(
    update={
        "model": SURFACE.model.model_copy(update={"l2": 0.001}),
        "training": SURFACE.training.model_copy(
            update={"optimizer": "adamw", "warm_up_steps": 3, "loss_weights": "uncertainty"}
        ),
    }
)


class StoppedError(Exception):
    """What a signal does."""


class Stop(keras.callbacks.Callback):
    """Stops a training in the middle of an epoch."""

    def __init__(self, epoch):
        super().__init__()
        self._epoch = epoch

    def on_test_begin(self, logs=None):
        self.seen = getattr(self, "seen", 0) + 1
        if self.seen == self._epoch:
            raise StoppedError


def fitted(training, backup=None, callbacks=(), surface=SURFACE):
    loop, ranker = loop_of(surface)
    fit = loop.fit(training, in_memory(columns_of(), training), callbacks, backup=backup)
    return fit, [each.numpy() for each in ranker.training.variables], loop.optimizer.slots()


@pytest.mark.parametrize("stopped", [1, 2, 5])
@pytest.mark.parametrize("by_rows", [False, True])
def test_a_stopped_training_goes_on_to_the_same_bits(stopped, by_rows, tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "_SMALL", 0 if by_rows else tables._SMALL)
    surface = BY_ROWS if by_rows else SURFACE
    training = LONGER.model_copy(update={"warm_up_steps": 3}) if by_rows else LONGER
    whole, weights, slots = fitted(training, surface=surface)
    backup = Backup(str(tmp_path / "backup"), "this")
    with pytest.raises(StoppedError):
        fitted(training, backup, [Stop(stopped)], surface)
    assert (backup.find() or Progress()).epochs == stopped - 1
    again, weights_again, slots_again = fitted(training, backup, surface=surface)

    assert again.history == whole.history
    assert (again.epoch, again.losses) == (whole.epoch, whole.losses)
    for one, other in zip(weights, weights_again, strict=True):
        np.testing.assert_array_equal(other, one)
    assert slots.keys() == slots_again.keys() != set()
    for name, slot in slots.items():
        np.testing.assert_array_equal(slots_again[name], slot)


def test_the_best_epoch_may_be_one_before_the_stop(tmp_path):
    """Too high a learning rate: the last epochs are not the best."""
    training = LONGER.model_copy(update={"learning_rate": 0.5})
    whole, weights, _ = fitted(training)
    assert whole.epoch < 5
    backup = Backup(str(tmp_path / "backup"), "this")
    with pytest.raises(StoppedError):
        fitted(training, backup, [Stop(6)])
    again, weights_again, _ = fitted(training, backup)
    assert again.epoch == whole.epoch
    for one, other in zip(weights, weights_again, strict=True):
        np.testing.assert_array_equal(other, one)


def test_patience_that_had_run_out_when_it_was_stopped_takes_no_more_epochs(tmp_path):
    training = LONGER.model_copy(update={"learning_rate": 0.5, "early_stopping": EarlyStopping(patience=1)})
    backup = Backup(str(tmp_path / "backup"), "this")
    whole, _, _ = fitted(training, backup)
    assert len(whole.history["loss"]) == whole.epoch + 1 < 6
    again, _, _ = fitted(training, backup)
    assert again.history == whole.history


def test_only_the_last_and_the_best_epoch_take_room(tmp_path):
    backup = Backup(str(tmp_path / "backup"), "this")
    whole, _, _ = fitted(LONGER, backup)
    assert {each.name for each in (tmp_path / "backup").iterdir()} == {"training.json", "last-6", f"best-{whole.epoch}"}
    backup.remove()
    assert not (tmp_path / "backup").exists()
    backup.remove()


def test_what_another_training_left_is_an_error(tmp_path):
    fitted(TRAINING, Backup(str(tmp_path / "backup"), "that"))
    with pytest.raises(InputError, match="found what another one did; remove the folder"):
        fitted(TRAINING, Backup(str(tmp_path / "backup"), "this"))


def test_a_stop_while_an_epoch_is_written_leaves_the_one_before(tmp_path, monkeypatch):
    backup = Backup(str(tmp_path / "backup"), "this")
    with pytest.raises(StoppedError):
        fitted(LONGER, backup, [Stop(3)])

    def full(*_):
        raise StoppedError

    monkeypatch.setattr(json, "dump", full)
    with pytest.raises(StoppedError):
        fitted(LONGER, backup)
    monkeypatch.undo()
    assert backup.find().epochs == 2
    assert fitted(LONGER, backup)[0].history == fitted(LONGER)[0].history
