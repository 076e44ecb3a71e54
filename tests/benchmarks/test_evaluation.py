from __future__ import annotations

import numpy as np

from benchmarks.evaluation import _figures

SECONDS = {
    "loading": np.full(5, 1.0),
    "plain_pass": np.full(5, 2.0),
    "evaluator": np.full(5, 12.0),
    "evaluator_with_baseline": np.full(5, 15.0),
    "evaluator_with_both": np.full(5, 24.0),
    "two_passes": np.full(5, 30.0),
    "first_metrics": np.full(5, 10.0),
    "first_metrics_with_baseline": np.full(5, 12.0),
}


def test_ratios_are_to_the_same_number_of_models():
    found = _figures(SECONDS)
    assert found["seconds"]["evaluator"] == 12.0
    assert found["ratio_to_plain_pass"] == (6.0, 6.0, 6.0)
    assert found["ratio_to_first_metrics"] == (1.2, 1.2, 1.2)
    assert found["ratio_to_first_metrics_with_baseline"] == (1.25, 1.25, 1.25)
    assert not any("usual" in name for name in found)


def test_loading_is_taken_away_once_for_each_model():
    found = _figures(SECONDS)
    assert found["ratio_net_of_loading"] == (11.0, 11.0, 11.0)
    assert found["ratio_net_of_loading_with_baseline"] == (13.0, 13.0, 13.0)


def test_one_pass_stands_beside_two():
    found = _figures(SECONDS)
    assert found["ratio_to_two_passes_with_both"] == (0.8, 0.8, 0.8)
    assert found["ratio_net_of_loading_with_both"] == (21.0, 21.0, 21.0)


def test_the_usual_way_is_there_where_it_was_measured():
    usual = {"usual_evaluator": np.full(5, 60.0), "usual_evaluator_with_baseline": np.full(5, 150.0)}
    found = _figures(SECONDS | usual)
    assert found["ratio_to_usual"] == (0.2, 0.2, 0.2)
    assert found["ratio_to_usual_with_baseline"] == (0.1, 0.1, 0.1)


def test_the_first_metrics_may_be_left_out():
    found = _figures({name: each for name, each in SECONDS.items() if not name.startswith("first")})
    assert found["ratio_to_plain_pass_with_baseline"] == (7.5, 7.5, 7.5)
    assert not any("first" in name for name in found)
