"""Histories without a teacher: of what a student's own control said of earlier rows.

What is said of a row must come from nothing later than the row.  So there is a control for each period, trained on
the rows up to it, that says something of the rows of this period alone: what it has in its trunk.  Histories of
later rows are made of that, as they are of what a teacher says.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from evidence.arms import Columns
from evidence.fitting import Fitter
from models.columns import NO_PERIOD, PERIOD_COLUMN
from models.trunks import shared_width
from schema.surface import Surface, soft_label


def said(fitter: Fitter, surface: Surface, columns: Columns, seed: int) -> NDArray[np.float32]:
    """What controls had in their trunks, z-scored, float32 [examples, width].

    Args:
      fitter: Fits models to the training rows.
      surface: A surface with histories; controls are trained as it says.
      columns: The training columns.
      seed: The controls' seed.

    Returns:
      NaN for rows of the newest period, which are in no history, of periods before which too few rows are for a
      training, and without time.
    """
    periods = columns[PERIOD_COLUMN]
    plain = surface.undistilled()
    plain = plain.model_copy(update={"training": plain.training.model_copy(update={"seed": seed})})
    found: dict[int, NDArray[np.float32]] = {}
    for period in np.unique(periods[periods != NO_PERIOD])[:-1].tolist():
        until = fitter.over((periods != NO_PERIOD) & (periods <= period))
        if len(until.data.fitted) and len(until.data.held_out):
            model = until.fit(plain, columns, distil=False)
            of_period = {name: column[periods == period] for name, column in columns.items()}
            found[period] = until.trunk(plain, model, of_period, distil=False)
    whole = np.full((len(periods), shared_width(surface.model)), np.nan, np.float32)
    for period, each in found.items():
        whole[periods == period] = each
    return _z_scored(whole) if found else whole


def told(surface: Surface, columns: Columns, own: NDArray[Any]) -> Columns:
    """The columns with what controls said, under the name of what the surface's histories are of."""
    return {**columns, **dict.fromkeys((soft_label(each.of) for each in surface.histories.values()), own)}


def _z_scored(values: NDArray[np.float32]) -> NDArray[np.float32]:
    spread = np.nanstd(values, axis=0)
    return np.asarray((values - np.nanmean(values, axis=0)) / np.where(spread > 0, spread, 1), np.float32)
