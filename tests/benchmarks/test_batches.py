from __future__ import annotations

import numpy as np

from benchmarks.batches import _figures


def test_ratios_are_of_each_round_to_tfx_in_the_same_round():
    seconds = {
        "transform": np.array([2.0, 4.0, 2.0, 4.0, 2.0]),
        "transform_of_tfx": np.array([4.0, 8.0, 4.0, 8.0, 4.0]),
        "statistics": np.full(5, 3.0),
        "statistics_of_tfx": np.full(5, 4.0),
    }
    found = _figures(seconds)
    assert found["seconds"] == {"transform": 2.0, "transform_of_tfx": 4.0, "statistics": 3.0, "statistics_of_tfx": 4.0}
    assert found["transform_to_tfx"] == (0.5, 0.5, 0.5)
    assert found["statistics_to_tfx"] == (0.75, 0.75, 0.75)
