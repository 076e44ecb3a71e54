import logging

import keras
import numpy as np
import pytest
from absl import logging as absl_logging

from models.progress import TRAINING_EPOCH, LogEpochs


def test_every_epoch_is_logged_with_its_losses(caplog):
    model = keras.Sequential([keras.layers.Dense(1)])
    model.compile(loss="mse")
    rows = np.ones((8, 2), np.float32)
    with caplog.at_level(logging.INFO, absl_logging.get_absl_logger().name):
        history = model.fit(
            rows, rows[:, :1], validation_split=0.5, epochs=2, verbose=0, callbacks=[LogEpochs()]
        ).history
    said = [getattr(record, TRAINING_EPOCH) for record in caplog.records if hasattr(record, TRAINING_EPOCH)]
    assert [(done, of) for done, of, _ in said] == [(1, 2), (2, 2)]
    for epoch, (_, _, losses) in enumerate(said):
        assert losses == pytest.approx({name: values[epoch] for name, values in history.items()})
