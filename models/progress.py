"""Tells whoever listens to the log how far training is."""

from __future__ import annotations

from collections.abc import Mapping

import keras
from absl import logging

# Attribute of the log record; `crosskd.progress` reads it.
TRAINING_EPOCH = "training_epoch"


class LogEpochs(keras.callbacks.Callback):
    """Logs every epoch; the record's attribute `training_epoch` is (epoch from 1, epochs, losses)."""

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        losses = {name: float(value) for name, value in (logs or {}).items()}
        epochs = self.params["epochs"]
        shown = ", ".join(f"{name} {value:.4f}" for name, value in losses.items())
        extra = {TRAINING_EPOCH: (epoch + 1, epochs, losses)}
        logging.info("epoch %d of %d: %s", epoch + 1, epochs, shown, extra=extra)
