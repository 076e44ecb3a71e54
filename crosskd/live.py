"""`crosskd live`: what the people of the simulated world do with a student's slates and a control's."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from contracts.held_out import cautions
from crosskd.terminal import TERMINAL, seconds
from schema.errors import InputError

if TYPE_CHECKING:
    from evidence.frontier import FrontierResult
    from evidence.live import Lift, LiveResult, Pair
    from evidence.pairs import TrainedPairs
    from evidence.sessions_result import Choice, SessionsResult
    from schema.surface import Surface
    from worlds.simulated import World

    Result = LiveResult | FrontierResult | SessionsResult

RESULT_FILE = "live.json"
PLOT_FILE = "live.svg"
FRONTIER_FILE = "frontier.json"
FRONTIER_PLOT_FILE = "frontier.svg"
SESSIONS_FILE = "sessions.json"
SESSIONS_PLOT_FILE = "sessions.svg"


@dataclass(frozen=True)
class Asked:
    """What is to be found out, as the command line has it.

    Attributes:
      slates: That each arm ranks.
      aa: A/A runs.
      seed: Of who comes, the candidates, and chance.
      over: A range for the frontier, or None.
      sessions: Whether people browse page by page.
      people: Who are followed in sessions.
      days: For how long.
      choose: A range to choose from, or None.
      visitors: Import path of who makes the people, or None.
    """

    slates: int
    aa: int
    seed: int
    over: str | None
    sessions: bool
    people: int
    days: int
    choose: str | None
    visitors: str | None

    def expect_one_question(self) -> None:
        """Checks that the options go together.

        Raises:
          InputError: They do not.
        """
        if self.sessions and self.over is not None:
            raise InputError("expected --sessions or --over, found both; --choose NAME=LOW:HIGH varies sessions' score")
        for option, given in (("--choose", self.choose), ("--visitors", self.visitors)):
            if given is not None and not self.sessions:
                raise InputError(f"{option} is for people who browse: give --sessions, too")


def command(
    world: Annotated[Path, typer.Option(help="What `crosskd world simulated` wrote.")],
    surface: Annotated[str, typer.Option(help="homepage or radio.")],
    out: Annotated[
        Path, typer.Option(help=f"Folder for {RESULT_FILE}, {PLOT_FILE}, or what else was asked, and trained pairs.")
    ],
    student: Annotated[
        list[Path] | None, typer.Option(help="SavedModel of a student; again for each further pair.")
    ] = None,
    control: Annotated[list[Path] | None, typer.Option(help="SavedModel of its control, in the same order.")] = None,
    root: Annotated[
        Path | None, typer.Option(help="The --root of a finished `crosskd run`: train --seeds pairs on its data.")
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, help="Pairs to train, with --root.")] = 5,
    tuning: Annotated[int, typer.Option(min=1, help="Settings that each arm may choose from, on held-out rows.")] = 3,
    slates: Annotated[int, typer.Option(min=100, help="Slates that each arm ranks.")] = 10_000,
    aa: Annotated[int, typer.Option(min=1, help="A/A runs: a control against itself.")] = 20,
    seed: Annotated[int, typer.Option(help="Of who comes, the candidates, and chance.")] = 0,
    over: Annotated[
        str | None,
        typer.Option(
            help="NAME=LOW:HIGH: compare engagement at equal discovery, while a task of the score counts so "
            "many times, or a constant of it has these values."
        ),
    ] = None,
    sessions: Annotated[
        bool, typer.Option("--sessions", help="Let people browse page by page for days, and leave and return.")
    ] = False,
    people: Annotated[int, typer.Option(min=1, help="People who are followed, with --sessions.")] = 1_000,
    days: Annotated[int, typer.Option(min=1, help="For so many days, with --sessions.")] = 14,
    choose: Annotated[
        str | None,
        typer.Option(
            help="NAME=LOW:HIGH: with --sessions, each model takes the value of this range with which a session has "
            "most minutes, on one half of the people; the other half judges."
        ),
    ] = None,
    visitors: Annotated[
        str | None,
        typer.Option(help="package.module:function that makes other people than the world's, with --sessions."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Let student and control rank slates for the same simulated people, and measure the lifts."""
    started = time.monotonic()
    _expect_pairs_or_root(student or [], control or [], root)
    asked = Asked(slates, aa, seed, over, sessions, people, days, choose, visitors)
    asked.expect_one_question()
    with TERMINAL.noise_to(out / "logs" / "live.log"):
        from evidence import live
        from schema.loader import load_surface
        from worlds.simulated import read_world

        live.page_of(surface)
        folder = world / surface
        drawn, ranked = read_world(folder), load_surface(folder).surface
        measure = _measure(asked, ranked, drawn)
        given = zip(student or [], control or [], strict=True)
        pairs = [live.Pair(str(ours), str(theirs)) for ours, theirs in given]
        if pairs:
            result = measure(pairs)
        else:
            trained = _trained(ranked, root, seeds, tuning, out)
            result = measure(trained.pairs).model_copy(update={"held_out_rows": trained.held_out_rows})
        files = _write(out, result)
        TERMINAL.say(f"done in {seconds(started)}; wrote {' and '.join(map(str, files))}")
    if as_json:
        TERMINAL.json(result.model_dump(mode="json"))
    else:
        _print(result)


def _measure(asked: Asked, surface: Surface, world: World) -> Callable[[list[Pair]], Result]:
    """What finds it out of pairs; all that was asked is looked at before any pair is trained."""
    from evidence import frontier, live

    if asked.sessions:
        return _sessions(asked, surface, world)
    traffic = live.Traffic(asked.slates, asked.aa, asked.seed)
    if asked.over is None:
        return lambda pairs: live.run(surface.name, world, pairs, traffic, TERMINAL.say)
    varied = frontier.read_over(asked.over, surface)
    return lambda pairs: frontier.compare(surface, world, pairs, traffic, varied, TERMINAL.say)


def _sessions(asked: Asked, surface: Surface, world: World) -> Callable[[list[Pair]], Result]:
    from evidence import frontier, own_visitors
    from evidence import sessions as browsing

    period = browsing.Period(asked.people, asked.days, asked.aa, asked.seed)
    experiment = browsing.Experiment(world, surface, own_visitors.visitors_of(asked.visitors), period)
    experiment.expect_whole()
    over = None if asked.choose is None else frontier.read_over(asked.choose, surface, "--choose")
    called = asked.visitors or "embedded"
    return lambda pairs: browsing.run(experiment, pairs, over, TERMINAL.say, called)


def _write(out: Path, result: Result) -> tuple[Path, Path]:
    from evidence import plot
    from evidence.frontier import FrontierResult
    from evidence.live import LiveResult

    if isinstance(result, LiveResult):
        files, picture = (out / RESULT_FILE, out / PLOT_FILE), plot.lifts(result)
    elif isinstance(result, FrontierResult):
        files, picture = (out / FRONTIER_FILE, out / FRONTIER_PLOT_FILE), plot.frontier(result)
    else:
        files, picture = (out / SESSIONS_FILE, out / SESSIONS_PLOT_FILE), plot.sessions(result)
    for file, text in zip(files, (result.model_dump_json(indent=1), picture), strict=True):
        file.write_text(text, encoding="utf-8")
    return files


def _print(result: Result) -> None:
    from evidence.frontier import FrontierResult
    from evidence.live import LiveResult

    if isinstance(result, LiveResult):
        print_result(result)
    elif isinstance(result, FrontierResult):
        print_frontier(result)
    else:
        print_sessions(result)
    for line in cautions(result.held_out_rows):
        TERMINAL.out.print(line, markup=False, highlight=False)


def print_result(result: LiveResult) -> None:
    """Prints the lifts, and the A/A runs beside them."""
    table = Table(title=f"{result.surface}: student against control", title_justify="left")
    table.add_column("metric")
    for heading in ("control, a slate", "lift", "p", "a control against itself", "A/A runs that hold zero"):
        table.add_column(heading, justify="right")
    for each in result.lifts:
        table.add_row(each.metric, f"{each.control:.4f}", *_estimated(each, result.draws))
    TERMINAL.out.print(table)
    TERMINAL.out.print(
        f"{len(result.pairs)} pairs, {result.slates:,} slates of {result.people:,} people in each arm; the three "
        f"intervals hold jointly with {result.confidence:.0%} (Bonferroni), over people"
        + (" and pairs." if len(result.pairs) > 1 else "; of one pair they say nothing about other trainings."),
        highlight=False,
    )


def print_frontier(result: FrontierResult) -> None:
    """Prints what both arms' pages hold by each value, and the lift of engagement at equal discovery."""
    table = Table(title=f"{result.surface}: {result.over}", title_justify="left")
    headings = ("value", "control: discovery, engagement", "student: discovery, engagement")
    for heading in (*headings, "student's value at equal discovery", "lift of engagement there", "A/A runs"):
        table.add_column(heading, justify="right")
    for each in result.points:
        lift = each.lift
        table.add_row(
            f"{each.value:g}",
            f"{each.discovery:.4f}, {each.engagement:.4f}",
            f"{each.student_discovery:.4f}, {each.student_engagement:.4f}",
            "-" if lift is None else f"{lift.value:.2f}",
            "not in its range" if lift is None else _percent(lift.mean, lift.low, lift.high),
            f"{each.same_model_held} of {each.same_model}",
        )
    TERMINAL.out.print(table)
    TERMINAL.out.print(
        f"{len(result.pairs)} pairs, {result.slates:,} slates of {result.people:,} people in each arm, discovery and "
        f"engagement a slate. The intervals of all rows hold jointly with {result.confidence:.0%} (Bonferroni). The "
        f"last column: how often a control's interval against itself, under chance of its own, held zero.",
        highlight=False,
    )


def print_sessions(result: SessionsResult) -> None:
    """Prints the lifts of sessions with the A/A runs beside them, and what was chosen."""
    table = Table(title=f"{result.surface}: sessions, student against control", title_justify="left")
    table.add_column("metric", no_wrap=True)
    for heading in ("control", "student", "lift", "p", "a control against itself", "A/A runs"):
        table.add_column(heading, justify="right")
    for each in result.lifts:
        table.add_row(
            each.metric,
            f"{each.control:.4f}",
            f"{each.student:.4f}",
            *_estimated(each, result.draws),
        )
    TERMINAL.out.print(table)
    if result.choice is not None:
        _print_choice(result.choice)
    TERMINAL.out.print(
        f"{len(result.pairs)} pairs, {result.people:,} people ({result.visitors}), {result.days} days, "
        f"{result.sessions:,.0f} sessions of a control. The {len(result.lifts)} intervals hold jointly with "
        f"{result.confidence:.0%} (Bonferroni), over people"
        + (" and pairs." if len(result.pairs) > 1 else "; of one pair they say nothing about other trainings.")
        + " The last column: how often a control's interval against itself, under chance of its own, held zero.",
        highlight=False,
    )


def _print_choice(choice: Choice) -> None:
    """Prints the values that were chosen, and how many stand at an edge of the range, beyond which may be better."""
    edges = {choice.values[0], choice.values[-1]}
    for arm, chosen in (("students", choice.students), ("controls", choice.controls)):
        at_edge = sum(each in edges for each in chosen)
        TERMINAL.out.print(
            f"{choice.over}: by the minutes of a session of {choice.people:,} other people, the {arm} took "
            f"{', '.join(f'{each:g}' for each in chosen)}"
            + (f" ({at_edge} at an edge of the range: give a wider one)." if at_edge else "."),
            highlight=False,
        )


def _estimated(lift: Lift, draws: int) -> tuple[str, ...]:
    """The cells of a lift and of its A/A runs."""
    return (
        _percent(lift.mean, lift.low, lift.high),
        f"{lift.p_value:.2g}",
        _percent(*lift.same_model),
        f"{lift.same_model_held} of {draws}",
    )


def _percent(mean: float, low: float, high: float) -> str:
    # A backslash: rich would read the bracket as markup.
    return f"{mean:+.2%}\n\\[{low:+.2%}, {high:+.2%}]"


def _expect_pairs_or_root(students: list[Path], controls: list[Path], root: Path | None) -> None:
    """Raises InputError unless the command line has either pairs, or a root to train them on."""
    if len(students) != len(controls):
        raise InputError(
            f"expected a --control for each --student, found {len(students)} students and {len(controls)} controls"
        )
    if bool(students) == (root is not None):
        raise InputError("expected either --student and --control, or --root to train pairs on a run's data")


def _trained(surface: Surface, root: Path | None, seeds: int, tuning: int, out: Path) -> TrainedPairs:
    from crosskd.evidence_paths import run_paths
    from evidence.pairs import train_pairs

    if root is None:
        raise InputError("expected --root to train pairs on a run's data")
    return train_pairs(surface, run_paths(root), seeds, tuning, out / "models", TERMINAL.say)
