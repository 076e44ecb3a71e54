"""A picture of an experiment: every candidate's differences with their intervals, as SVG."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt
import vl_convert

from evidence.arms import CONTROL
from evidence.curve import CurveResult
from evidence.days.result import CellReport, DaysResult
from evidence.frontier import FrontierPoint, FrontierResult
from evidence.levels import Over
from evidence.live import Lift, LiveResult
from evidence.result import Difference, ExperimentResult, Finding
from evidence.search.result import Round, TuneResult
from evidence.sessions_result import Choice, SessionLift, SessionsResult
from evidence.verdicts import Effect
from schema.metrics import title_of

_WIDTH = 560
_PANEL = 260
_AXES = {
    Over.NOISE: "noise on the teacher's logits, in their standard deviations",
    Over.SIZE: "width of student and control, as a factor",
    Over.DATA: "part of the target's training rows",
}
# Okabe and Ito's colors, which color-blind readers tell apart.
_COLORS = ("#0072B2", "#E69F00", "#CC79A7")


def forest(result: ExperimentResult) -> str:
    """A forest plot of all overall findings: candidate minus each other arm.

    Returns:
      One self-contained SVG, without scripts.
    """
    return vl_convert.vegalite_to_svg(_chart(result).to_json())


def lifts(result: LiveResult) -> str:
    """The lifts of a live experiment beside an A/A run, in percent, as one self-contained SVG."""
    rows = _beside_same_model(result.lifts)
    title = f"{result.surface}: lift in percent, {result.confidence:.0%} joint intervals, {len(result.pairs)} pairs"
    return vl_convert.vegalite_to_svg(_intervals(rows, "lift, percent", title).to_json())


def curve(result: CurveResult) -> str:
    """Student minus control, and minus the placebo, over the levels of a curve, as one self-contained SVG."""
    rows = [
        {"task": f"{each.task} {title_of(each.metric)}", "arm": arm, "level": f"{each.level:g}", **_span(difference)}
        for each in result.points
        for arm, difference in (("minus control", each.difference), ("minus shuffled", each.placebo))
        if difference is not None
    ]
    base = alt.Chart(alt.Data(values=rows)).encode(
        x=alt.X("level:O", title=_AXES[result.over], sort=None),
        xOffset=alt.XOffset("arm:N", sort=None),
        color=alt.Color("arm:N", scale=alt.Scale(range=list(_COLORS)), sort=None, title=None),
    )
    zero = alt.Chart(alt.Data(values=[{}])).mark_rule(color="#333333").encode(y=alt.datum(0))
    interval = base.mark_rule(strokeWidth=3).encode(y=alt.Y("low:Q", title="student minus another arm"), y2="high:Q")
    mean = base.mark_point(filled=True, size=70, opacity=1).encode(y="mean:Q")
    panels = [
        alt.layer(zero, interval, mean, data=alt.Data(values=[row for row in rows if row["task"] == task])).properties(
            width=_PANEL, title=task
        )
        for task in dict.fromkeys(row["task"] for row in rows)
    ]
    title = f"{result.surface}: {result.confidence:.0%} joint intervals, {result.seeds} seeds"
    return vl_convert.vegalite_to_svg(alt.hconcat(*panels, title=title).to_json())


def halving(result: TuneResult) -> str:
    """The gain of every way in every rung that it came to, and who stayed, as one self-contained SVG."""
    panels = [_rungs(each) for each in result.search.rounds if each.falls]
    title = f"{result.surface}: gain on held-out training rows; {result.search.trainings} trainings"
    return vl_convert.vegalite_to_svg(alt.hconcat(*panels, title=title).to_json())


def _rungs(found: Round) -> alt.LayerChart | alt.FacetChart:
    last = {each.name: each.rung for each in found.falls}
    rows = [
        {"way": each.name, "rung": each.rung, "gain": each.gain, "fate": "goes on" if each.stays else "falls"}
        for each in found.falls
        if each.gain is not None
    ]
    # The names of all would hide each other: those that came to the last rung are written out.
    named = [row for row in rows if row["rung"] == max(last.values())]
    base = alt.Chart(alt.Data(values=rows)).encode(
        x=alt.X("rung:O", title="rung"), y=alt.Y("gain:Q", title="gain over the surface as it is"), detail="way:N"
    )
    zero = alt.Chart(alt.Data(values=[{}])).mark_rule(color="#333333").encode(y=alt.datum(0))
    lines = base.mark_line(color="#999999", strokeWidth=1)
    fate = alt.Color("fate:N", scale=alt.Scale(domain=["goes on", "falls"], range=list(_COLORS[:2])), title=None)
    points = base.mark_point(filled=True, size=60, opacity=1).encode(color=fate)
    names = base.mark_text(align="left", dx=8).encode(text="way:N").properties(data=alt.Data(values=named))
    return alt.layer(zero, lines, points, names).properties(width=_PANEL, title=found.name)


def frontier(result: FrontierResult) -> str:
    """Both arms' engagement over discovery, and the lift at equal discovery, as one self-contained SVG."""
    rows = [row for each in result.points for row in _pages(each)]
    discovery = alt.X("discovery:Q", title="discoveries a slate", scale=alt.Scale(zero=False))
    pages = (
        alt.Chart(alt.Data(values=rows))
        .mark_line(point=True)
        .encode(
            x=discovery,
            y=alt.Y("engagement:Q", title="engagement a slate", scale=alt.Scale(zero=False)),
            color=alt.Color("arm:N", scale=alt.Scale(range=list(_COLORS)), sort=None, title=None),
            order="value:Q",
        )
        .properties(width=_PANEL, title="pages by every value")
    )
    lifted = [
        {"discovery": each.discovery, **_ends("lift", "student", each.lift.mean, each.lift.low, each.lift.high)}
        for each in result.points
        if each.lift is not None
    ]
    base = alt.Chart(alt.Data(values=lifted)).encode(x=discovery)
    zero = alt.Chart(alt.Data(values=[{}])).mark_rule(color="#333333").encode(y=alt.datum(0))
    interval = base.mark_rule(strokeWidth=3).encode(y=alt.Y("low:Q", title="lift, percent"), y2="high:Q")
    mean = base.mark_point(filled=True, size=70, opacity=1).encode(y="mean:Q")
    lifts_there = alt.layer(zero, interval, mean).properties(width=_PANEL, title="engagement at equal discovery")
    title = f"{result.surface}: {result.over}, {result.confidence:.0%} joint intervals, {len(result.pairs)} pairs"
    return vl_convert.vegalite_to_svg(
        alt.hconcat(pages, lifts_there, title=title).resolve_scale(color="independent").to_json()
    )


def sessions(result: SessionsResult) -> str:
    """The lifts of sessions beside an A/A run, and what a constant was chosen by, as one self-contained SVG."""
    pairs = f"{len(result.pairs)} pairs, {result.days} days"
    title = f"{result.surface}: sessions, lift in percent, {result.confidence:.0%} joint intervals, {pairs}"
    chart = _intervals(_beside_same_model(result.lifts), "lift, percent", title)
    if result.choice is None:
        return vl_convert.vegalite_to_svg(chart.to_json())
    both = alt.vconcat(chart, _chosen_by(result.choice)).resolve_scale(color="independent")
    return vl_convert.vegalite_to_svg(both.to_json())


def days(result: DaysResult) -> str:
    """The metric of each arm over the judged spans, a panel for each way and task, as one self-contained SVG."""
    starts = dict.fromkeys((each.way, each.window) for each in result.cells)
    panels = []
    for task in dict.fromkeys(each.task for each in result.cells[0].values):
        rows = [row for cell in result.cells for row in _over_spans(cell, task, result.judged)]
        scale = alt.Scale(domain=[*dict.fromkeys(row["labels"] for row in rows)])
        span = [
            alt.Chart(alt.Data(values=[row for row in rows if row["start"] == _start(*start)]))
            .mark_line(point=True)
            .encode(
                x=alt.X("span:O", title="span"),
                y=alt.Y("value:Q", title=rows[0]["metric"], scale=alt.Scale(zero=False)),
                color=alt.Color("labels:N", scale=scale, sort=None, title="soft labels"),
                strokeDash=alt.condition(alt.datum.labels == CONTROL, alt.value([4, 3]), alt.value([1, 0])),
            )
            .properties(width=_PANEL, title=f"{task}: {_start(*start)}")
            for start in starts
        ]
        panels.append(alt.hconcat(*span).resolve_scale(y="shared"))
    title = f"{result.surface}: judged on the span after the newest one trained on, means over {result.seeds} seeds"
    return vl_convert.vegalite_to_svg(alt.vconcat(*panels, title=title).to_json())


def _start(way: str, window: int) -> str:
    return f"{way}, {window} spans" if window > 1 else f"{way}, 1 span"


def _over_spans(cell: CellReport, task: str, judged: Sequence[int]) -> list[dict[str, Any]]:
    of = next(each for each in cell.values if each.task == task and each.slice is None)
    same = {"start": _start(cell.way, cell.window), "labels": cell.labels, "metric": title_of(of.metric)}
    return [{**same, "span": span, "value": value} for span, value in zip(judged, of.by_span, strict=True)]


def _chosen_by(choice: Choice) -> alt.Chart:
    """Minutes of a session over the values that could be chosen, among the people who chose."""
    arms = (("student", choice.student_minutes), ("control", choice.control_minutes))
    rows = [
        {"arm": arm, "value": value, "minutes": minutes}
        for arm, found in arms
        for value, minutes in zip(choice.values, found, strict=True)
    ]
    return (
        alt.Chart(alt.Data(values=rows))
        .mark_line(point=True)
        .encode(
            x=alt.X("value:Q", title=choice.over),
            y=alt.Y("minutes:Q", title="minutes a session", scale=alt.Scale(zero=False)),
            color=alt.Color("arm:N", scale=alt.Scale(range=list(_COLORS)), sort=None, title=None),
        )
        .properties(width=_WIDTH, title="chosen among these, by people who do not judge")
    )


def _beside_same_model(found: Sequence[Lift] | Sequence[SessionLift]) -> list[dict[str, Any]]:
    return [
        row
        for each in found
        for row in (
            _ends(each.metric, "student against control", each.mean, each.low, each.high),
            _ends(each.metric, "control against itself (A/A)", *each.same_model),
        )
    ]


def _pages(point: FrontierPoint) -> list[dict[str, Any]]:
    student = {"arm": "student", "discovery": point.student_discovery, "engagement": point.student_engagement}
    control = {"arm": "control", "discovery": point.discovery, "engagement": point.engagement}
    return [{**each, "value": point.value} for each in (student, control)]


def _span(difference: Difference) -> dict[str, float]:
    return {"mean": difference.mean, "low": difference.low, "high": difference.high}


def _ends(metric: str, arm: str, *ends: float) -> dict[str, Any]:
    mean, low, high = (100 * each for each in ends)
    return {"finding": metric, "arm": arm, "mean": mean, "low": low, "high": high}


def _chart(result: ExperimentResult) -> alt.FacetChart:
    rows = [row for finding in result.findings for row in _rows(finding)]
    title = (
        f"{result.surface}: candidate minus another arm, {result.confidence:.0%} joint intervals, {result.seeds} seeds"
    )
    return _intervals(rows, "difference, with its joint interval; positive is better", title)


def _intervals(rows: list[dict[str, Any]], change: str, title: str) -> alt.FacetChart:
    """One panel a finding, one interval an arm, and a line at zero."""
    base = alt.Chart(alt.Data(values=rows))
    arm = alt.Y("arm:N", title=None, sort=None)
    color = alt.Color("arm:N", scale=alt.Scale(range=list(_COLORS)), sort=None, legend=None)
    zero = base.mark_rule(color="#333333").encode(x=alt.datum(0))
    interval = base.mark_rule(strokeWidth=3).encode(x=alt.X("low:Q", title=change), x2="high:Q", y=arm, color=color)
    mean = base.mark_point(filled=True, size=90, opacity=1).encode(x="mean:Q", y=arm, color=color)
    header = alt.Header(labelOrient="top", labelAnchor="start", labelFontWeight="bold")
    row = alt.Row("finding:N", title=None, sort=None, header=header)
    return alt.layer(zero, interval, mean).properties(width=_WIDTH).facet(row=row, title=title)


def _rows(finding: Finding) -> list[dict[str, Any]]:
    """What is drawn of a finding; nothing for a slice, or where the metric is not defined."""
    if finding.slice is not None or finding.control is None:
        return []
    verdict = finding.verdict or Effect.NONE
    name = f"{finding.candidate}: {finding.task} {title_of(finding.metric)}: {verdict.value}"
    return [_row(name, each) for each in (finding.control, *finding.placebos)]


def _row(name: str, difference: Difference) -> dict[str, Any]:
    return {"finding": name, "arm": f"minus {difference.arm}", **_span(difference)}
