from __future__ import annotations

import keras
import numpy as np

from benchmarks.steps import vocabularies
from models.tables import Table
from tests.models.conftest import SURFACE


def test_ratios_are_taken_within_rounds():
    small = np.array([0.001, 0.002, 0.004])
    found = vocabularies.figures(
        {
            "ours": {10: small, 1000: 1.25 * small},
            "keras": {10: small, 1000: 10 * small},
            "settle": {10: small, 1000: 5 * small},
        }
    )
    assert found["ms_per_step"] == {"ours": {"10": 2.0, "1000": 2.5}, "keras": {"10": 2.0, "1000": 20.0}}
    assert found["ms_at_the_end_of_an_epoch"] == {"10": 2.0, "1000": 10.0}
    assert found["step_to_smallest"]["1000"] == (1.25, 1.25, 1.25)
    assert found["step_to_keras"]["1000"] == (0.125, 0.125, 0.125)


def test_keras_s_way_is_the_same_model_with_keras_s_layers():
    ours = vocabularies._ranker(SURFACE, 50).training
    theirs = keras.models.clone_model(ours, clone_function=vocabularies._plain(0.01))
    assert theirs.count_params() == ours.count_params()
    assert not [each for each in theirs._flatten_layers() if isinstance(each, Table)]
    assert {each.name for each in theirs.layers if each.losses} == {"embedding_user", "embedding_genre"}


def test_both_ways_take_their_steps():
    vocabularies._ours(SURFACE, 50)["ours"]()
    vocabularies._keras_s(SURFACE, 50)()
