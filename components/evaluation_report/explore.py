"""The slicing tool of the report: pick task, metric and slices, sort and filter."""

from __future__ import annotations

from components.evaluation_report import slicer
from components.evaluation_report.page import Section
from components.evaluation_report.sources import Sources


def section(sources: Sources) -> Section:
    """The section with the tool."""
    found = [None if isinstance(each, str) else each for each in (sources.against_control, sources.against_last)]
    content = slicer.data(sources.surface, [slicer.SlicedRun("this run", *found)])
    return explorer(content)


def explorer(content: dict[str, object]) -> Section:
    """The section for any data of the tool."""
    return Section(
        name="explore",
        title="Explore slices",
        lead="Pick a task, a metric and what is compared; leave out slice features or small slices; sort by a column.",
        slicer=slicer.as_json(content) if content["rows"] else "",
        notes=() if content["rows"] else ("There is no evaluation that could be read.",),
    )
