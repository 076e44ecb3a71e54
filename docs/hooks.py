"""Hooks of MkDocs: pages made from the code, diagrams, and the order of all pages.

A page that nobody put in order stands under "More": a new page needs no line here.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import typer
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page
from pydantic import BaseModel

sys.path.insert(0, str(Path(__file__).parent))
import diagrams

from crosskd.main import app
from schema import reference
from schema.base import TaskKind
from schema.metrics import METRICS, Direction, Metric, main_metric

HERE = Path(__file__).parent
# Four doors; the first page of each says what is behind it.
ORDER: dict[str, tuple[str, ...]] = {
    "Home": ("index.md",),
    "Try it": (
        "try/index.md",
        "tutorial.md",
        "report.md",
        "notebooks/slicing.md",
        "notebooks/labels.md",
        "notebooks/experiment.md",
    ),
    "Your data": (
        "your-data/index.md",
        "own-data.md",
        "walkthrough.md",
        "features.md",
        "switches.md",
        "techniques.md",
        "unlabelled.md",
        "errors.md",
        "reference/surface.md",
        "reference/metrics.md",
    ),
    "Run it every day": (
        "every-day/index.md",
        "operations.md",
        "daily.md",
        "kubeflow.md",
        "engines.md",
        "reference/commands.md",
    ),
    "How it works and what was found": (
        "how/index.md",
        "findings.md",
        "results.md",
        "evidence.md",
        "concepts.md",
        "labelling.md",
        "decisions.md",
        "house.md",
        "python.md",
    ),
}
# The theme names a section by a label without a word where the section has a first page.
_SECTION = re.compile(
    r'aria-labelledby="__nav_\d+_label"(?P<rest>[^>]*>\s*<label[^>]*>\s*<span[^>]*></span>(?P<title>[^<]+))'
)
_CONTENTS = re.compile(r'<nav class="md-nav" aria-label="[^"]*">')
_SEARCH = 'data-md-component="search" role="dialog"'
_OUTSIDE = re.compile(r"\[([^\]]*)\]\((?:\.\./)+([^)#]+)(?:#[^)]*)?\)")


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Puts the pages that exist in order."""
    pages = {file.relative_to(HERE).as_posix() for file in HERE.rglob("*.md")} | set(_generated())
    nav: list[dict[str, Any]] = []
    for section, listed in ORDER.items():
        found = [page for page in listed if page in pages]
        if found:
            nav.append({section: found})
        pages -= set(found)
    config.nav = [*nav, {"More": sorted(pages)}] if pages else nav
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds what is made at build time."""
    for path, content in {**_generated(), **diagrams.all_as_svg()}.items():
        files.append(File.generated(config, path, content=content))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """A link to a file outside the documentation names the file: the site has no copy of it."""
    return _OUTSIDE.sub(r"\1 (`\2`)", markdown)


def on_page_content(html: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """A corner of a table that heads nothing is no header."""
    return html.replace("<th></th>", "<td></td>")


def on_post_page(output: str, page: Page, config: MkDocsConfig) -> str:
    """Gives the search, and each section of the navigation, the name that the theme leaves out.

    Headings may be alike, so the parts of the table of contents are no landmarks of their own.
    """
    output = output.replace(_SEARCH, f'{_SEARCH} aria-label="Search"')
    output = _CONTENTS.sub('<nav class="md-nav" role="presentation">', output)
    return _SECTION.sub(lambda found: f'aria-label="{" ".join(found["title"].split())}"{found["rest"]}', output)


def _generated() -> dict[str, str]:
    return {
        "reference/surface.md": surface_page(),
        "reference/metrics.md": metrics_page(),
        "reference/commands.md": commands_page(),
    }


def surface_page() -> str:
    """Every key of surface.yaml, from the pydantic models and their docstrings."""
    head = (
        "# surface.yaml\n\nMade from the models that read the file (`schema/surface.py` and what it imports) when this "
        "page was built. `crosskd init` writes the same as a JSON schema for editors.\n"
    )
    return head + "".join(_model(name, model) for name, model in reference.models().items())


def _model(name: str, model: type[BaseModel]) -> str:
    said = reference.descriptions(model)
    rows = "".join(
        f"| `{field.alias or key}` | {_type(field.annotation)} | {_default(field)} | {said[key]} |\n"
        for key, field in model.model_fields.items()
    )
    table = f"| key | type | default | meaning |\n| --- | --- | --- | --- |\n{rows}"
    return f"\n## {name}\n\n{reference.summary(model)}\n\n{table}"


def _type(annotation: Any) -> str:
    """A type in words; a model links to its table."""
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _type(parts[0])
    if origin is Literal:
        return " or ".join(f"`{part}`" for part in parts)
    if origin in (Union, UnionType):
        return " or ".join(_type(part) for part in parts if part is not NoneType)
    if origin is dict:
        return f"by name: {_type(parts[1])}"
    if origin is tuple:
        return f"list of {_type(parts[0])}"
    if issubclass(annotation, Enum):
        return " or ".join(f"`{each.value}`" for each in annotation)
    name = annotation.__name__
    return f"[{name}](#{name.lower()})" if issubclass(annotation, BaseModel) else name


def _default(field: Any) -> str:
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    return "its own" if isinstance(value, BaseModel) else f"`{getattr(value, 'value', value)}`"


def metrics_page() -> str:
    """Every metric with what is known of it, from the registry's facts."""
    rows = "".join(
        f"| `{each.name}` | {each.title} | {', '.join(sorted(each.kinds))}{', with a `group`' * each.by_group} | "
        f"`{each.formula}` | {each.source} | {_better(each)} | {each.unit or 'none'} | "
        f"{each.least:g} to {each.most:g} | {_gate_on(each)} |\n"
        for each in METRICS.values()
    )
    return (
        "# Metrics\n\nMade from `schema/metrics.py` when this page was built. Every evaluation computes all of them, "
        "for each task, slice and model, with 95% intervals; `crosskd summary` and the report show the main one of "
        f"each kind of task ({', '.join(main_metric(kind).title for kind in TaskKind)}), and what is gated.\n\n"
        "In the formulas y is the label, p the prediction and w the weight of an example: 1, unless "
        "`weighted_evaluation: true` has metrics read the `weight_column`. Metrics of groups rank the rows of a group "
        "by p; rows with equal p count as an order by chance would on average; a group counts for the mean weight of "
        "its rows, in the grouped AUC for the sum. `vs_control` and `vs_last_blessed` are judged in a metric's own "
        "direction: of one that is better when lower, `at_least: -0.01` lets it rise by 0.01; of one that is best near "
        "a number, it lets it be farther from it by 0.01.\n\n"
        "| name | metric | of tasks | formula | source | better | unit | range | a gate |\n"
        f"| --- | --- | --- | --- | --- | --- | --- | --- | --- |\n{rows}"
    )


def _better(metric: Metric) -> str:
    if metric.direction is Direction.TARGET:
        return f"near {metric.target:g}"
    return "tells of the data" if metric.direction is Direction.NEITHER else metric.direction.value


def _gate_on(metric: Metric) -> str:
    """A gate on the metric as one writes it in surface.yaml."""
    if not metric.gateable:
        return "none"
    asked = {
        Direction.HIGHER: "vs_control: {at_least: -0.002}",
        Direction.LOWER: "vs_last_blessed: {at_least: -0.005}",
        Direction.TARGET: f"between: [{(metric.target or 0) - 0.1:g}, {(metric.target or 0) + 0.1:g}]",
    }
    return f"`{{metric: {metric.name}, {asked[metric.direction]}}}`"


def commands_page() -> str:
    """Every command with its options, from the command line itself."""
    return "# Commands\n\nWhat `crosskd COMMAND --help` says.\n" + "".join(
        _commands(typer.main.get_command(app), "crosskd")
    )


def _commands(command: Any, name: str) -> Iterator[str]:
    children = getattr(command, "commands", {})
    if not children:
        context = command.make_context(name, [], resilient_parsing=True, terminal_width=100)
        yield f"\n## {name}\n\n```text\n{command.get_help(context)}\n```\n"
    for child, each in children.items():
        yield from _commands(each, f"{name} {child}")
