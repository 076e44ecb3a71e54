"""Requests as tensors: what they become, and that their answers must be those of serialized ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tensorflow as tf

from components.serving_validator.tensors import _tensors, answered_as_tensors
from records.sessions import SessionModel
from tests.components.serving_validator.handmade import REQUIREMENTS, ROWS, example, write_model

SPECS = {
    "id": tf.TensorSpec([None], tf.int64),
    "word": tf.TensorSpec([None], tf.string),
    "vector": tf.TensorSpec([None, 2], tf.float32),
}


def request(**values: list) -> bytes:
    example = tf.train.Example()
    for name, each in values.items():
        kept = example.features.feature[name]
        of = {int: kept.int64_list, float: kept.float_list, bytes: kept.bytes_list}
        of[type(each[0])].value.extend(each)
    return example.SerializeToString()


def test_absent_values_are_the_default_and_what_has_no_room_is_not_expressed():
    requests = [
        request(id=[7], word=[b"a"], vector=[1.0, 2.0]),
        request(vector=[3.0]),
        request(id=[8, 9], word=[b"b"], vector=[4.0, 5.0]),
        request(id=[5], word=[b"c"], vector=[6.0, 7.0, 8.0]),
    ]
    tensors, fit = _tensors(requests, SPECS, {"id": -1, "word": "none", "vector": 0.5})
    assert fit.tolist() == [True, True, False, False]
    assert tensors["id"].tolist()[:2] == [7, -1]
    assert tensors["word"].tolist()[:2] == [b"a", b"none"]
    assert tensors["vector"].tolist()[:2] == [[1.0, 2.0], [3.0, 0.5]]


def test_answers_are_those_of_the_same_requests(tmp_path: Path):
    path = write_model(tmp_path / "model")
    requests = [example(row).SerializeToString() for row in range(ROWS)]
    expected = SessionModel(path).predict(requests)
    found = answered_as_tensors(SessionModel(path, "tensors"), requests, REQUIREMENTS.defaults, expected)
    for task, values in expected.items():
        np.testing.assert_allclose(found[task], values, rtol=1e-6)


def test_requests_that_no_tensor_expresses_are_left_out(tmp_path: Path):
    several = example(3)
    several.features.feature["match"].float_list.value.append(1.0)
    requests = [example(2).SerializeToString(), several.SerializeToString()]
    model = SessionModel(write_model(tmp_path / "model"), "tensors")
    found = answered_as_tensors(
        model, requests, REQUIREMENTS.defaults, {"click": np.array([0.25, 0.75]), "minutes": np.array([1.0, 2.0])}
    )
    assert found["click"][1] == 0.75
    assert found["minutes"].tolist() == [3.5, 2.0]  # the default age of 1.5, and user 2
