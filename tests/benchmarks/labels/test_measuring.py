from __future__ import annotations

from benchmarks.labels.measuring import fastest, ratio


def test_the_fastest_way_is_found_round_by_round():
    rates = {
        "one": {"wall": [10.0, 30.0], "cpu": [4.0, 5.0]},
        "other": {"wall": [20.0, 20.0], "cpu": [6.0, 1.0]},
        "labeler": {"wall": [18.0, 15.0], "cpu": [3.0, 5.0]},
    }
    rates["limit"] = fastest(rates, ["one", "other"])
    assert rates["limit"] == {"wall": [20.0, 30.0], "cpu": [6.0, 5.0]}
    assert ratio(rates, "labeler", "limit", "wall") == {"median": 0.7, "least": 0.5, "greatest": 0.9}
