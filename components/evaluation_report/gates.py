"""What was asked of the student, and what was found."""

from __future__ import annotations

from components.evaluation_report import charts, page
from components.evaluation_report.page import Cell, Heading, Section, Table
from components.evaluation_report.sources import Sources
from contracts.decision import BoundKind, GateResult, Verdict

_AGAINST = {
    BoundKind.ABSOLUTE: "\N{EN DASH}",
    BoundKind.LAST_BLESSED: charts.LAST_BLESSED,
    BoundKind.CONTROL: charts.CONTROL,
}
_OF_ENDS = {
    "lower_limit": " (of the interval's lower end)",
    "upper_limit": " (of the interval's upper end)",
    "both_limits": " (of both ends of the interval)",
}
# What failed comes first: it is what one looks for.
MOST_LISTED = 500
_ORDER = (Verdict.FAIL, Verdict.NOT_JUDGED, Verdict.PASS)


def section(sources: Sources) -> Section:
    """The section on gates and checks."""
    gates = sorted(sources.decision.gates, key=lambda gate: _ORDER.index(gate.verdict))
    checks = sorted(sources.decision.checks, key=lambda check: _ORDER.index(check.verdict))
    notes = [] if gates else ["No task of this surface has a gate."]
    if len(gates) > MOST_LISTED:
        notes.append(f"These are {MOST_LISTED:,} of {len(gates):,} gates, what failed first.")
    tables = [_gates_table(gates[:MOST_LISTED])] if gates else []
    if checks:
        tables.append(
            Table(
                caption="Checks on the run as a whole",
                columns=(Heading("check"), Heading("verdict"), Heading("found")),
                rows=tuple((Cell(each.name), page.verdict(each.verdict), Cell(each.sentence)) for each in checks),
                name="checks",
            )
        )
    return Section(
        name="gates",
        title="Gates",
        lead="Every bound that surface.yaml sets, what was found, and why the verdict is what it is.",
        tables=tuple(tables),
        notes=tuple(notes),
    )


def _gates_table(gates: list[GateResult]) -> Table:
    numbers = ("asked", "found", "95% interval", "examples")
    words = ("gate", "verdict", "against")
    return Table(
        caption="Gates: what is asked of the metric itself, or of its change against another model",
        columns=(*map(Heading, words), *(Heading(name, numeric=True) for name in numbers), Heading("why")),
        rows=tuple(_row(gate) for gate in gates),
        sortable=True,
        name="gates",
    )


def _row(gate: GateResult) -> tuple[Cell, ...]:
    changes = gate.kind is not BoundKind.ABSOLUTE
    judged = gate.difference if changes else gate.student
    where = gate.slice_key or gate.slice
    return (
        Cell(f"{gate.task} {gate.metric}" + (f", {where}" if where else "")),
        page.verdict(gate.verdict),
        Cell(_AGAINST[gate.kind]),
        _asked(gate),
        page.measured(judged, signed=changes),
        page.interval(judged, signed=changes),
        page.count(gate.examples),
        Cell(gate.reason + _OF_ENDS.get(gate.judged_on, "")),
    )


def _asked(gate: GateResult) -> Cell:
    """The bounds; sorted by the first of them."""
    changes = gate.kind is not BoundKind.ABSOLUTE
    ends = {"\N{GREATER-THAN OR EQUAL TO}": gate.bound, "\N{LESS-THAN OR EQUAL TO}": gate.at_most}
    known = {sign: bound for sign, bound in ends.items() if bound is not None}
    texts = [f"{sign} {page.number(bound, signed=changes).text}" for sign, bound in known.items()]
    return Cell(" and ".join(texts), next(iter(known.values()), None))
