"""What a report's page is made of: cells, tables, figures and sections, and their HTML."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import jinja2

from contracts.decision import Measurement, Verdict

_TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True)
class Cell:
    """One cell of a table.

    Attributes:
      text: What is read.
      value: The number behind it, in full: what the column is sorted by.
      kind: How it looks: `pass`, `fail`, `not_judged`, `code`, or nothing special.
    """

    text: str
    value: float | None = None
    kind: str = ""


# A normal variable stays below it with a probability of 97.5%: half of a 95% interval, in standard errors.
NORMAL_975 = 1.959964
NOTHING = Cell("\N{EN DASH}")
_VERDICTS = {Verdict.PASS: "pass", Verdict.FAIL: "fail", Verdict.NOT_JUDGED: "not judged"}


def number(value: float | None, digits: int = 4, *, signed: bool = False) -> Cell:
    """A number, with its full value to sort by."""
    if value is None:
        return Cell("undefined")
    return Cell(_formatted(value, digits, signed), value)


def count(value: int | None) -> Cell:
    """A whole number with its thousands set apart; None where there can be none."""
    return NOTHING if value is None else Cell(f"{value:,}", float(value))


def share(part: float | None) -> Cell:
    """A part of one as a percentage."""
    return NOTHING if part is None else Cell(f"{part:.1%}", part)


def measured(found: Measurement | None, *, signed: bool = False) -> Cell:
    """A measurement without its interval."""
    return NOTHING if found is None else number(found.value, signed=signed)


def interval(found: Measurement | None, *, signed: bool = False) -> Cell:
    """The 95% interval of a measurement; sorted by its lower end."""
    if found is None or found.lower is None or found.upper is None:
        return NOTHING
    return Cell(f"[{_formatted(found.lower, 4, signed)}, {_formatted(found.upper, 4, signed)}]", found.lower)


def verdict(found: Verdict) -> Cell:
    """A verdict, told by its word and its sign as well as by its color."""
    return Cell(_VERDICTS[found], kind=found.value)


def in_words(found: Measurement | None, *, signed: bool = False) -> str:
    """A measurement with its interval, within a sentence."""
    if found is None or found.value is None:
        return "undefined"
    ends = interval(found, signed=signed)
    return _formatted(found.value, 4, signed) + ("" if ends is NOTHING else f" {ends.text}")


def _formatted(value: float, digits: int, signed: bool) -> str:
    # The minus sign that is as wide as the plus sign.
    return f"{value:{'+' if signed else ''}.{digits}f}".replace("-", "\N{MINUS SIGN}")


@dataclass(frozen=True)
class Heading:
    """A table's column; `numeric` ones are set to the right and sorted by number."""

    name: str
    numeric: bool = False


@dataclass(frozen=True)
class Table:
    """A table.

    Attributes:
      caption: What it holds; read out by screen readers.
      columns: Its columns; the first one names each row.
      rows: Cells by row, as many as there are columns.
      sortable: Whether a click on a column's name sorts by it.
      folded: Whether it is shown on demand only; it must then repeat what a figure shows.
      name: Identifies it on the page.
    """

    caption: str
    columns: tuple[Heading, ...]
    rows: tuple[tuple[Cell, ...], ...]
    sortable: bool = False
    folded: bool = False
    name: str = ""


@dataclass(frozen=True)
class Figure:
    """A plot.

    Attributes:
      title: What it is about, in a word or two.
      note: One or two sentences: what is to be seen.
      svg: The drawing.
      table: The numbers that are drawn, for those who cannot see it.
    """

    title: str
    note: str
    svg: str
    table: Table


@dataclass(frozen=True)
class Section:
    """A part of the page with a heading of its own.

    Attributes:
      name: Its anchor.
      title: Its heading.
      lead: What it says, in one or two sentences.
      models: Models whose signs the figures use, for the legend.
      figures: Plots, side by side where there is room.
      tables: Tables below them.
      notes: Whatever cannot be shown, and why.
      slicer: The data of the slicing tool, as JSON; empty where there is none.
    """

    name: str
    title: str
    lead: str
    models: tuple[str, ...] = ()
    figures: tuple[Figure, ...] = ()
    tables: tuple[Table, ...] = ()
    notes: tuple[str, ...] = ()
    slicer: str = ""


@dataclass(frozen=True)
class Fact:
    """A figure worth a glance, at the top of the page."""

    name: str
    value: str
    detail: str


@dataclass(frozen=True)
class ReportPage:
    """The whole report.

    Attributes:
      surface: Name of the surface.
      blessed: The decision.
      sentence: The same in one sentence.
      push: What became of the student.
      when: When it was decided, for people; empty where that is not known.
      caution: What may not be concluded from it.
      version: The version of crosskd that made the page.
      facts: For a glance.
      sections: In order.
    """

    surface: str
    blessed: bool
    sentence: str
    push: str
    when: str
    caution: str = ""
    version: str = ""
    facts: tuple[Fact, ...] = ()
    sections: tuple[Section, ...] = field(default=())


@dataclass(frozen=True)
class ComparisonPage:
    """Two runs, one beside the other.

    Attributes:
      title: The surface's name, or both.
      first: The earlier run, for people.
      second: The later one.
      lead: What the comparison is, and what it is not.
      sections: In order.
    """

    title: str
    first: str
    second: str
    lead: str
    sections: tuple[Section, ...]


@dataclass(frozen=True)
class FindingsPage:
    """What a command found, beside runs and their comparison.

    Attributes:
      title: What it is about.
      command: What wrote it.
      good: Whether nobody needs to do anything.
      sentence: What was found, in one sentence.
      facts: For a glance.
      sections: In order.
    """

    title: str
    command: str
    good: bool
    sentence: str
    facts: tuple[Fact, ...]
    sections: tuple[Section, ...]


def render(page: ReportPage) -> str:
    """The page as one HTML document that needs no other file."""
    return _rendered("report.html.j2", page)


def render_comparison(page: ComparisonPage) -> str:
    """The comparison as one HTML document that needs no other file."""
    return _rendered("comparison.html.j2", page)


def render_findings(page: FindingsPage) -> str:
    """What was found as one HTML document that needs no other file."""
    return _rendered("findings.html.j2", page)


def _rendered(template: str, page: ReportPage | ComparisonPage | FindingsPage) -> str:
    style, script = (
        "".join((_TEMPLATES / f"{name}.{kind}").read_text() for name in ("report", "slicer")) for kind in ("css", "js")
    )
    return _environment().get_template(template).render(page=page, style=style, script=script)


@cache
def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
