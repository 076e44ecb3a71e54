from __future__ import annotations

import pytest

from benchmarks.turns import CLOCKS, in_turn


def test_every_way_has_every_place_of_the_turn():
    said: list[str] = []
    found = in_turn({name: lambda name=name: said.append(name) for name in "abc"}, rounds=3)
    assert "".join(said) == "abcbcacab"
    assert found.keys() == CLOCKS.keys()
    assert {name: each.shape for name, each in found["wall"].items()} == dict.fromkeys("abc", (3,))


def test_seconds_are_those_of_the_way(monkeypatch: pytest.MonkeyPatch):
    now = [0.0]
    monkeypatch.setattr("benchmarks.turns.CLOCKS", {"wall": lambda: now[0]})

    def pass_by(seconds: float) -> None:
        now[0] += seconds

    found = in_turn({"short": lambda: pass_by(1.0), "long": lambda: pass_by(5.0)}, rounds=4)
    assert {name: list(each) for name, each in found["wall"].items()} == {"short": [1.0] * 4, "long": [5.0] * 4}
