"""Where a run comes from."""

from __future__ import annotations

import platform
from importlib.metadata import version

from components.evaluation_report.page import Cell, Heading, Section, Table
from components.evaluation_report.sources import Sources

_PACKAGES = ("tfx", "tensorflow", "keras", "tensorflow-model-analysis", "tensorflow-transform")


def versions() -> dict[str, str]:
    """Versions of what made the report."""
    return {
        "crosskd": version("crosskd"),
        "python": platform.python_version(),
        **{name: version(name) for name in _PACKAGES},
    }


def section(sources: Sources) -> Section:
    """The section on provenance."""
    return Section(
        name="provenance",
        title="Provenance",
        lead="What this run was made of.",
        tables=(
            Table(
                caption="Origin of the run",
                columns=(Heading("what"), Heading("value")),
                rows=tuple((Cell(name), Cell(value, kind="code")) for name, value in sources.facts.items() if value),
                name="provenance",
            ),
        ),
    )
