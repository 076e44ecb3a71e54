from __future__ import annotations

import numpy as np
import pytest

from models.scales import LabelStatistics, label_statistics
from schema.errors import InputError
from tests.models.conftest import SURFACE

GOOD = {"label/click": np.array([0.0, 1.0, np.nan, 1.0]), "label/minutes": np.array([1.0, 3.0, np.nan, np.nan])}


def test_absent_labels_do_not_count() -> None:
    found = label_statistics(SURFACE, GOOD)
    assert found["minutes"] == LabelStatistics(2.0, 1.0)
    assert found["click"].mean == pytest.approx(2 / 3)


@pytest.mark.parametrize(
    ("column", "labels", "message"),
    [
        ("label/click", [0, 1, -1, -1], "'click': expected labels of 0 or 1 in column 'clicked', found -1"),
        ("label/click", [0, 1, 0.5, np.nan], "found 0.5 and such in 1 of 4 training examples"),
        ("label/minutes", [1, np.inf, 2, 3], "task 'minutes': expected finite labels in column 'minutes', found inf"),
    ],
)  # fmt: skip
def test_a_label_that_its_task_cannot_have(column: str, labels: list[float], message: str) -> None:
    with pytest.raises(InputError, match=message):
        label_statistics(SURFACE, GOOD | {column: np.array(labels)})
