"""What tests read of a section's tables."""

from __future__ import annotations

from components.evaluation_report import (
    page,
)
from components.evaluation_report.page import Cell, Section, Table


def table(section: Section, name: str) -> Table:
    found = [*section.tables, *(figure.table for figure in section.figures)]
    return next(each for each in found if each.name == name)


def texts(found: Table) -> list[list[str]]:
    return [[text(cell) for cell in row] for row in found.rows]


def text(cell: Cell) -> str:
    """As read, with the minus sign of keyboards; empty where there is nothing."""
    return "" if cell == page.NOTHING else cell.text.replace("\N{MINUS SIGN}", "-")
