"""What is gained on examples in the same circumstances: a linear model for each fold, of the rows of all others.

What a single row gains is nearly all chance.  So the penalty is chosen by leaving each row out, and where the
circumstances tell nothing, every row gets about the mean.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import RidgeCV
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from models.trust.network import Floats

_PENALTIES = np.logspace(0, 7, 15)


class GainsByCircumstances:
    """Linear models that were fitted to what rows gained, one for each fold."""

    def __init__(
        self, circumstances: Floats, gains: NDArray[np.float64], weights: Floats, folds: NDArray[np.int64], count: int
    ):
        """Fits them.

        Args:
          circumstances: Float32 [rows, width].
          gains: What each row gained, float64 [rows].
          weights: The weight of each row, float32 [rows].
          folds: The fold of each row, int64 [rows].
          count: How many folds there are.
        """
        others = [folds != fold for fold in range(count)]
        self._models = [_fitted(circumstances[each], gains[each], weights[each]) for each in others]

    def outputs(self, circumstances: Floats) -> NDArray[np.float64]:
        """What each model expects rows to gain, float64 [rows, folds, 1]."""
        return np.stack([model.predict(circumstances) for model in self._models], axis=1)[..., np.newaxis]


def _fitted(circumstances: Floats, gains: NDArray[np.float64], weights: Floats) -> Pipeline:
    model = make_pipeline(StandardScaler(), RidgeCV(_PENALTIES))
    return model.fit(circumstances.astype(np.float64), gains, ridgecv__sample_weight=weights)
