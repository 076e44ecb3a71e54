"""Labels that follow from a column, and counts that are learned by their logarithm."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from models.preprocessing import preprocessing_fn
from models.ranker import build
from models.scales import LabelStatistics, label_statistics
from models.terms import HeadLoss, head_losses
from schema.errors import InputError
from schema.surface import Surface
from tests.models.conftest import SURFACE


def counted(**more: Any) -> Surface:
    """The tiny surface with `minutes` learned by their logarithm."""
    content = SURFACE.model_dump(mode="json", by_alias=True)
    content["tasks"]["minutes"] |= {"transform": "log1p", **more}
    return Surface.model_validate(content)


def hard_loss(surface: Surface, statistics: LabelStatistics) -> HeadLoss:
    found = head_losses(surface, {"click": LabelStatistics(0.5, 0.5), "minutes": statistics}, distil=False)
    return next(each for each in found if each.column == "label/minutes")


def test_two_tasks_share_a_column() -> None:
    content = SURFACE.undistilled().model_dump(mode="json", by_alias=True)
    long = {"kind": "binary", "label": "minutes", "positive": {"at_least": 3}, "ungated": "test"}
    content |= {"features": {"age": {"kind": "numeric"}}, "tasks": {**content["tasks"], "long": long}, "group": None}
    content["tasks"]["minutes"]["clip"] = {"max": 4}
    surface = Surface.model_validate(content | {"teacher": None})
    minutes = tf.sparse.from_dense([[2.5], [0.0], [6.0]])  # the second example has none
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        raw = {"age": tf.zeros([3, 1]), "clicked": tf.constant([0.0, 1.0, 1.0])}
        raw["minutes"] = tf.SparseTensor(minutes.indices.numpy(), minutes.values.numpy(), [3, 1])
        outputs = preprocessing_fn(raw, {"surface": surface.model_dump_json(by_alias=True)})
        labels = session.run({name: outputs[name] for name in outputs if name.startswith("label/")})
    np.testing.assert_array_equal(labels["label/long"], [0, np.nan, 1])
    np.testing.assert_array_equal(labels["label/minutes"], [2.5, np.nan, 4])
    np.testing.assert_array_equal(labels["label/click"], [0, 1, 1])


def test_statistics_are_those_of_what_is_learned() -> None:
    minutes = np.array([0.0, 1.0, 8.0, np.nan], np.float32)
    found = label_statistics(counted(), {"label/click": np.array([0.0, 1.0]), "label/minutes": minutes})["minutes"]
    assert found.mean == pytest.approx(np.log1p([0, 1, 8]).mean())
    assert found.std == pytest.approx(np.log1p([0, 1, 8]).std())


def test_a_count_is_not_negative() -> None:
    columns = {"label/click": np.array([0.0, 1.0]), "label/minutes": np.array([1.0, -0.5])}
    with pytest.raises(InputError, match=r"expected finite labels of 0 or more in column 'minutes', found -0\.5"):
        label_statistics(counted(), columns)


def test_a_task_without_a_single_label_is_named() -> None:
    columns = {"label/click": np.array([np.nan, np.nan]), "label/minutes": np.array([1.0, 2.0])}
    with pytest.raises(InputError, match="task 'click': the training split holds no label 'clicked'; a task needs"):
        label_statistics(counted(), columns)


def test_the_loss_compares_logarithms_and_the_served_value_has_the_labels_unit() -> None:
    statistics = LabelStatistics(mean=1.5, std=0.5)
    ranker = build(
        counted(), {"user": 8, "genre": 3}, {"click": LabelStatistics(0.5, 0.5), "minutes": statistics}, distil=False
    )
    features = {
        "user": tf.constant([1, 2, 3]),
        "genre": tf.constant([0, 1, 2]),
        "match": tf.constant([[0.5], [-1.0], [3.0]]),
        "content": tf.zeros([3, 2]),
        "age": tf.ones([3, 1]),
    }
    loss = hard_loss(counted(), statistics)
    outputs = ranker.training(features)
    score = outputs[loss.head].numpy().ravel()
    served = ranker.serving(features)["minutes"].numpy()
    np.testing.assert_allclose(served, np.expm1(1.5 + 0.5 * score), rtol=1e-5)
    # Whoever serves a label as it is has no loss.
    labels = tf.constant(served)
    np.testing.assert_allclose(loss.per_example(labels, outputs, {}), np.zeros(3), atol=1e-9)
    doubled = loss.per_example(2 * labels + 1, outputs, {}).numpy()  # log(1 + 2 y + 1) = log(1 + y) + log(2)
    np.testing.assert_allclose(doubled, np.full(3, (np.log(2) / 0.5) ** 2), rtol=1e-4)


def test_what_is_served_is_corrected_for_the_negatives_that_were_left_out() -> None:
    content = SURFACE.undistilled().model_dump(mode="json", by_alias=True)
    content["tasks"]["click"]["sampled"] = {"negatives": 0.1}
    statistics = {"click": LabelStatistics(0.5, 0.5), "minutes": LabelStatistics(0.0, 1.0)}
    ranker = build(Surface.model_validate(content), {"user": 8, "genre": 3}, statistics, distil=False)
    features = {
        "user": tf.constant([1, 2]),
        "genre": tf.constant([0, 1]),
        "match": tf.constant([[0.5], [-1.0]]),
        "content": tf.zeros([2, 2]),
        "age": tf.ones([2, 1]),
    }
    logit = ranker.training(features)["serving_click"].numpy().ravel()
    # The odds among all examples are a tenth of those among the sampled ones.
    odds = np.exp(logit) / 10
    np.testing.assert_allclose(ranker.serving(features)["click"], odds / (1 + odds), rtol=1e-5)
