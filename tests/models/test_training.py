import math

import numpy as np
import pytest
import tensorflow as tf

from models.scales import LabelStatistics, label_statistics
from models.terms import HeadLoss, head_losses
from schema.errors import InputError
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
