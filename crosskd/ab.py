"""`crosskd ab`: what a live experiment's log says, or how long an experiment must run."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer
from pydantic import BaseModel
from rich.box import SIMPLE_HEAD
from rich.table import Table

from contracts.outcome import Exit
from crosskd.terminal import TERMINAL
from schema.errors import InputError

if TYPE_CHECKING:
    from evidence.ab.plan import LogPlan
    from evidence.ab.readout import LogLift, Readout
    from evidence.ab.spec import LogSpec

Told = TypeVar("Told", bound=BaseModel)
_MARKS = {"better": "[green]better[/]", "worse": "[red]WORSE[/]", "undecided": "undecided", "undefined": "undefined"}


def command(
    log: Annotated[
        list[Path], typer.Option(help="Parquet, CSV or TFRecords: a file, a folder, or a bucket; again for more.")
    ],
    more: Annotated[list[Path] | None, typer.Argument(help="More of --log.", metavar="[FILES]...")] = None,
    metric: Annotated[
        list[str] | None,
        typer.Option(help="A column (clicks), a ratio (clicks/impressions), or either as NAME=...; again for more."),
    ] = None,
    unit: Annotated[str, typer.Option(help="Column: who was assigned to an arm.")] = "unit",
    arm: Annotated[str, typer.Option(help="Column: which arm.")] = "arm",
    control: Annotated[str, typer.Option(help="The arm that the others are compared with.")] = "control",
    date: Annotated[str | None, typer.Option(help="Column: the day.")] = None,
    start: Annotated[
        datetime.datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="First day; metrics are adjusted by earlier rows (CUPED)."),
    ] = None,
    before: Annotated[
        list[str] | None, typer.Option(help="METRIC=COLUMN with a unit's value from before (CUPED); again for more.")
    ] = None,
    exposure: Annotated[
        str | None, typer.Option(help="Column: above 0 where the unit met the difference; others do not count.")
    ] = None,
    by: Annotated[list[str] | None, typer.Option("--slice", help="Column to slice by; again for more.")] = None,
    lower_is_better: Annotated[
        list[str] | None, typer.Option(help="A metric that should fall; again for more.")
    ] = None,
    share: Annotated[
        list[str] | None, typer.Option(help="ARM=NUMBER, the share of units it should have; equal by default.")
    ] = None,
    confidence: Annotated[
        float, typer.Option(min=0.5, max=0.9999, help="Of intervals, and of verdicts jointly.")
    ] = 0.95,
    plan: Annotated[bool, typer.Option("--plan", help="Say how long an experiment on these people must run.")] = False,
    lift: Annotated[
        float, typer.Option(min=1e-6, help="With --plan: the smallest lift that matters; .01 is 1%.")
    ] = 0.01,
    power: Annotated[
        float, typer.Option(min=0.5, max=0.9999, help="With --plan: how probable it should be to find it.")
    ] = 0.8,
    page: Annotated[Path | None, typer.Option(help="Also write a page, .html.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> None:
    """Read a live experiment out of its log: lifts with intervals, CUPED, sample ratio; or plan one.

    Exit codes: 0 read out; 6 a metric is worse; 7 the sample ratio is off, so that no lift is to be believed.
    """
    if page is not None and page.suffix != ".html":
        raise InputError(f"--page {page}: expected a name ending in .html")
    places = [*log, *(more or [])]
    with TERMINAL.quiet():
        from evidence.ab.spec import LogSpec, Wanted, read_metrics, read_shares

        spec = LogSpec(
            unit=unit,
            metrics=read_metrics(Wanted(metric or _none_named(places), lower_is_better or [], before or [])),
            arm=None if plan else arm,
            day=date,
            exposure=exposure,
            slices=tuple(by or ()),
            start=_start(start, date),
        )
        shares = read_shares(share or [])
        planned = _plan(places, spec, shares, (lift, power, confidence)) if plan else None
        found = None if plan else _read_out(places, spec, shares, (control, confidence), page)
    if planned is not None:
        _tell(planned, print_plan, as_json)
    if found is not None:
        _tell(found, print_readout, as_json)
        raise typer.Exit(exit_code(found))


def _tell(found: Told, printed: Callable[[Told], None], as_json: bool) -> None:
    if as_json:
        TERMINAL.json(found.model_dump(mode="json"))
    else:
        printed(found)


def _none_named(places: list[Path]) -> list[str]:
    from records.logs import numbers_in

    raise InputError(
        f"--metric: expected a metric, found none. {places[0]} has these columns of numbers: "
        f"{', '.join(numbers_in(places)) or 'none'}. Give a column, or a ratio of two as UPPER/LOWER."
    )


def _start(start: datetime.datetime | None, date: str | None) -> datetime.date | None:
    if start is not None and date is None:
        raise InputError("--start: expected --date as well, the column that says on which day a row was written")
    return start.date() if start else None


def _read_out(
    places: list[Path], spec: LogSpec, shares: dict[str, float], asked: tuple[str, float], page: Path | None
) -> Readout:
    from evidence.ab.readout import ReadoutTerms, read_out
    from records.logs import read_log

    control, confidence = asked
    found = read_out(read_log(places, spec.columns), spec, ReadoutTerms(control, shares, confidence))
    if page is not None:
        from crosskd.ab_page import write

        write(found, page)
    return found


def exit_code(found: Readout) -> Exit:
    """Whether the split is sound, and something got worse."""
    if not found.sample_ratio.sound:
        return Exit.UNSOUND
    return Exit.ALERT if any(each.verdict.value == "worse" for each in found.lifts) else Exit.OK


def print_readout(found: Readout) -> None:
    """Prints the arms, the lifts, and what a reader should know."""
    days = f", {found.first_day} to {found.last_day}" if found.first_day else ""
    counted = ", ".join(f"{each.arm} {each.units:,}" for each in found.arms)
    TERMINAL.out.print(f"{found.rows:,} rows{days}; units: {counted}", markup=False, highlight=False)
    TERMINAL.out.print(_sound(found), highlight=False, soft_wrap=True)
    TERMINAL.out.print(_table(f"lifts over {found.control}", found.lifts, found.confidence))
    if found.slices:
        TERMINAL.out.print(_table("by slice, corrected for all of them", found.slices, found.confidence))
    for line in remarks(found):
        TERMINAL.out.print(line, markup=False, highlight=False, soft_wrap=True)


def remarks(found: Readout) -> list[str]:
    """What a reader should know beside the numbers, one sentence each."""
    left_out = [f"Left out: {count:,} {reason.replace('_', ' ')}." for reason, count in found.left_out.items()]
    small = (
        [f"{found.small_slices} slices with fewer than 50 units in an arm are left out."] if found.small_slices else []
    )
    return [
        f"Verdicts and joint intervals hold together with {found.confidence:.0%} over metrics and arms (Bonferroni).",
        *found.notes,
        *left_out,
        *small,
    ]


def _sound(found: Readout) -> str:
    p_value = f"p = {found.sample_ratio.p_value:.2g}"
    if found.sample_ratio.sound:
        return f"[green]sample ratio as expected[/] ({p_value})"
    shares = ", ".join(f"{each.arm} {each.expected:.1%}" for each in found.arms)
    return (
        f"[red]SAMPLE RATIO OFF[/] ({p_value}; expected {shares}): units got lost, or came twice, in one arm more than "
        "in the other. Believe no lift below before it is known why."
    )


def _table(title: str, lifts: list[LogLift], confidence: float) -> Table:
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD)
    for heading in ("metric", "arm", *(("slice",) if lifts[0].slice else ())):
        table.add_column(heading, no_wrap=True)
    for heading in ("control", "arm's", "lift", f"{confidence:.0%} interval", "joint", "p", "CUPED"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("verdict")
    for each in lifts:
        names = (each.metric, each.arm, *((each.slice,) if each.slice else ()))
        table.add_row(*(name.replace("[", r"\[") for name in names), *cells(each, r"\["), _MARKS[each.verdict.value])
    return table


def cells(each: LogLift, bracket: str = "[") -> tuple[str, ...]:
    """The numbers of a lift as text: control, arm, lift, interval, joint interval, p, variance that CUPED took."""
    if each.lift is None:
        return ("-",) * 7
    return (
        f"{each.control:.4g}",
        f"{each.treatment:.4g}",
        f"{each.lift:+.2%}",
        f"{bracket}{each.low:+.2%}, {each.high:+.2%}]",
        f"{bracket}{each.joint_low:+.2%}, {each.joint_high:+.2%}]",
        f"{each.p_value:.2g}",
        "-" if each.reduction is None else f"{-each.reduction:+.0%}",
    )


def _plan(places: list[Path], spec: LogSpec, shares: dict[str, float], wish: tuple[float, float, float]) -> LogPlan:
    from evidence.ab.plan import Wish, plan
    from records.logs import read_log

    lift, power, confidence = wish
    if shares and len(shares) != 2:
        raise InputError(f"--share: with --plan, expected two arms, found {len(shares)}: {', '.join(shares)}")
    ours, theirs = shares.values() if shares else (0.5, 0.5)
    if ours + theirs > 1:
        ours, theirs = ours / (ours + theirs), theirs / (ours + theirs)
    return plan(read_log(places, spec.columns), spec, Wish(lift, power, (ours, theirs), confidence))


def print_plan(found: LogPlan) -> None:
    """Prints how long each metric takes."""
    table = Table(title=f"to find a lift of {found.lift:.2%} with a power of {found.power:.0%}", box=SIMPLE_HEAD)
    table.add_column("metric", no_wrap=True)
    for heading in ("value", "CUPED", "units", "days", "the log's days would find"):
        table.add_column(heading, justify="right", no_wrap=True)
    for each in found.metrics:
        last = each.course[-1]
        table.add_row(
            each.metric.replace("[", r"\["),
            f"{each.value:.4g}",
            "-" if each.reduction is None else f"{-each.reduction:+.0%}",
            f"{each.units:,}",
            "over a year" if each.days is None else f"{each.days}{' (extrapolated)' if each.extrapolated else ''}",
            "nothing" if last.lift is None else f"{last.lift:.2%} in {last.days}",
        )
    TERMINAL.out.print(table)
    days = "More than a year" if found.days is None else f"{found.days} days"
    TERMINAL.out.print(
        f"{days}, with {found.units_per_day:,.0f} new units a day; all metrics together hold with "
        f"{found.confidence:.0%} (Bonferroni).",
        highlight=False,
    )
