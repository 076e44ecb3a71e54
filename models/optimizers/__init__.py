"""The optimizers of `training:`, which are Keras's at the cost of what a step touches."""

from __future__ import annotations

from collections.abc import Sequence

from models.optimizers.adagrad import Adagrad
from models.optimizers.adam import Adam
from models.optimizers.by_rows import ByRows
from models.optimizers.rates import Rates
from models.tables import Table
from schema.training import Optimizer, Training


def optimizer_of(training: Training, tables: Sequence[Table]) -> ByRows:
    """The optimizer that a surface asks for.

    Args:
      training: Says which, and how; its learning rate may be another one after `ByRows.reset`.
      tables: Layers that read rows in training only after they were brought up to date.
    """
    rates = Rates(training) if training.scheduled else None
    if training.optimizer is Optimizer.ADAGRAD:
        return Adagrad(training.learning_rate, tables, rates=rates, clip_norm=training.clip_norm)
    return Adam(
        training.learning_rate,
        tables,
        rates=rates,
        weight_decay=training.decay_of_weights,
        clip_norm=training.clip_norm,
    )
