from __future__ import annotations

import time
from collections import Counter

from benchmarks.evaluation_profile import LOADING, OTHER, kind_of, sampled, shares


def test_a_stack_is_of_the_first_work_that_a_call_belongs_to():
    model = ["tf/execute.py:quick_execute", "x/evaluation/scoring.py:_predict", "x/evaluation/scoring.py:process"]
    assert kind_of(model) == ["models' answers"]
    assert kind_of(model[2:]) == ["labels, and arrays divided by slice"]
    assert kind_of(["numpy/sum.py:sum", "other.py:work"]) == [OTHER]
    assert kind_of(["python3.11/threading.py:wait", *model]) == []


def test_shares_are_of_all_but_loading():
    found = shares(Counter({"reading records": 30, LOADING: 20, OTHER: 10}))
    assert found == {"reading records": 75.0, LOADING: 50.0, OTHER: 25.0}


def test_other_threads_are_looked_at_while_the_work_is_done():
    def work() -> None:
        until = time.monotonic() + 0.2
        while time.monotonic() < until:
            sum(range(1000))

    assert sampled(work)[OTHER] > 1
