"""What is kept: whole documents, in order, and nothing twice."""

from __future__ import annotations

from pathlib import Path

from evidence.watch.drift import Statistics
from evidence.watch.state import WatchState, order
from tests.evidence.watch.handmade import promise, span


def test_spans_are_kept_in_the_order_of_their_numbers(tmp_path: Path):
    state = WatchState(tmp_path, "home")
    for name in ("day-10", "day-9", "a/b-1"):
        state.keep_span(span(name, {}))
    state.keep_span(span("day-9", {}, examples=7))
    assert [(each.span, each.rows) for each in state.spans()] == [("a/b-1", 5000), ("day-9", 7), ("day-10", 5000)]
    assert state.span("day-11") is None
    assert sorted(["2026-02-01", "2026-01-31", "2025-12-31"], key=order)[-1] == "2026-02-01"


def test_a_document_that_was_cut_off_is_made_again(tmp_path: Path):
    state = WatchState(tmp_path, "home")
    state.keep_span(span("day-1", {}))
    file = next(tmp_path.rglob("span.json"))
    file.write_text(file.read_text()[:40])
    assert state.span("day-1") is None and state.spans() == []


def test_a_promise_is_kept_with_its_statistics(tmp_path: Path):
    state = WatchState(tmp_path, "home")
    statistics = Statistics()
    statistics.datasets.add(name="x", num_examples=3)
    state.keep_promise(promise({}, version=7), statistics)
    assert state.promise(7) == (promise({}, version=7), statistics)
    next(tmp_path.rglob("*.pb")).unlink()
    assert state.promise(7) is None
