from __future__ import annotations

from contracts.decision import Decision, Measurement, MetricRow
from crosskd.suggestions import PastRun, suggest


def row(metric: str, student: float, control: float, margin: float = 0.01) -> MetricRow:
    def measured(value: float) -> Measurement:
        return Measurement(value=value, lower=value - margin, upper=value + margin)

    return MetricRow(
        task="click",
        metric=metric,
        slice="",
        examples=1000,
        positives=100,
        student=measured(student),
        control=measured(control),
        last_blessed=None,
    )


def run(run_id: str, *rows: MetricRow, blessed: bool = True) -> PastRun:
    decision = Decision(
        surface="s", blessed=blessed, first_run=False, sentence="", gates=(), checks=(), metrics=tuple(rows)
    )
    return PastRun(run_id, decision)


def told(*runs: PastRun) -> list[tuple[str, int, tuple[str, ...]]]:
    return [(each.as_yaml(), each.passed, each.failed) for each in suggest(runs)]


def test_bounds_are_the_worst_ends_among_blessed_runs() -> None:
    runs = [
        run("c", row("auc", 0.7234, 0.72), row("calibration", 1.02, 1.1)),
        run("b", row("auc", 0.7, 0.71), row("calibration", 0.95, 1.0)),
        run("a", row("auc", 0.65, 0.7), row("calibration", 1.3, 1.0), blessed=False),
    ]
    assert told(*runs) == [
        ("- {metric: auc, at_least: 0.69}", 2, ("a",)),
        ("- {metric: auc, vs_control: {at_least: -0.0101}}", 2, ("a",)),
        ("- {metric: calibration, between: [0.94, 1.03]}", 2, ("a",)),
        ("- {metric: calibration, vs_control: {at_least: -0.0501}}", 2, ("a",)),
    ]


def test_without_a_blessed_run_all_count_and_a_gain_asks_for_no_more_than_none() -> None:
    assert told(run("a", row("auc", 0.99, 0.7, margin=0.02), blessed=False)) == [
        ("- {metric: auc, at_least: 0.97}", 1, ()),
        ("- {metric: auc, vs_control: {at_least: 0}}", 1, ()),
    ]


def test_what_is_neither_main_nor_gated_is_not_suggested() -> None:
    assert told(run("a", row("brier", 0.2, 0.2))) == []
