"""What a report's page is made of, and its HTML."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import jinja2

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
    """

    name: str
    title: str
    lead: str
    models: tuple[str, ...] = ()
    figures: tuple[Figure, ...] = ()
    tables: tuple[Table, ...] = ()
    notes: tuple[str, ...] = ()


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
      facts: For a glance.
      sections: In order.
    """

    surface: str
    blessed: bool
    sentence: str
    push: str
    when: str
    facts: tuple[Fact, ...] = ()
    sections: tuple[Section, ...] = field(default=())


def render(page: ReportPage) -> str:
    """The page as one HTML document that needs no other file."""
    template = _environment().get_template("report.html.j2")
    style, script = ((_TEMPLATES / name).read_text() for name in ("report.css", "report.js"))
    return template.render(page=page, style=style, script=script)


@cache
def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
