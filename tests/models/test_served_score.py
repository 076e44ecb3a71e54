from __future__ import annotations

import numpy as np
import tensorflow as tf

from models.export import _FUNCTIONS, with_score
from schema.score import FUNCTIONS, parse
from schema.surface import Surface
from tests.models.conftest import SURFACE


def test_the_score_is_served_beside_the_tasks() -> None:
    content = SURFACE.model_dump(mode="json", by_alias=True)
    score = {"formula": "click * exp(minutes / unit) + 1", "constants": {"unit": 2}}
    surface = Surface.model_validate({**content, "score": score})
    served = {"click": tf.constant([0.5, 0.25]), "minutes": tf.constant([2.0, 0.0])}
    found = with_score(surface, served)
    assert list(found) == ["click", "minutes", "score"]
    np.testing.assert_allclose(found["score"], [0.5 * np.e + 1, 1.25], rtol=1e-6)
    assert found["score"].dtype == tf.float32
    assert with_score(SURFACE, served) is served


def test_every_function_is_there_in_graphs_and_in_arrays() -> None:
    from evaluation.gains import FUNCTIONS as OF_ARRAYS

    assert set(_FUNCTIONS) == set(OF_ARRAYS) == set(FUNCTIONS)
    values = np.array([0.5, 2.0])
    for name, count in FUNCTIONS.items():
        expression = parse(f"{name}({', '.join(['x', '1.5'][:count])})")
        in_graph = expression.value({"x": tf.constant(values)}, _FUNCTIONS)
        np.testing.assert_allclose(in_graph, expression.value({"x": values}, OF_ARRAYS))
