"""Writes what `python -m benchmarks.labelling` measured into a page, between two marks.

python -m benchmarks.labels.page --json benchmarks/results/labelling.json --page docs/labelling.md
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from schema.errors import InputError

_WAYS = {
    "limit": "read, parse and infer with tf.data, write nothing (the limit)",
    "labeler": "TeacherLabeler, a teacher that takes named tensors",
    "labeler_takes_examples": "TeacherLabeler, a teacher that takes serialized examples",
    "usual_graph": "the usual Beam graph",
    "bulk_inferrer": "TFX's BulkInferrer",
}
_RATIOS = {
    "limit": ("TeacherLabeler to the limit", "at least 0.8"),
    "bulk_inferrer": ("TeacherLabeler to BulkInferrer", "at least 10"),
    "usual_graph": ("TeacherLabeler to the usual Beam graph", ""),
    "limit_takes_examples": ("TeacherLabeler on serialized examples to the limit", ""),
}


def main(
    measured: Annotated[Path, typer.Option("--json", help="What the benchmark wrote.")],
    page: Annotated[Path, typer.Option(help="A page with the marks.")],
) -> None:
    """Bring the tables of a page up to date."""
    figures = json.loads(measured.read_text())
    text = page.read_text()
    if "ratio_to_limit" in figures:
        text = replace(text, "ratios", ratios(figures))
    if "by_teacher" in figures:
        text = replace(text, "teachers", teachers(figures["by_teacher"]))
    page.write_text(text)


def replace(text: str, name: str, content: str) -> str:
    """`text` with `content` between the marks called `name`.

    Raises:
      InputError: The marks are not there.
    """
    begin, end = f"<!-- measured: {name} -->", f"<!-- end of {name} -->"
    before, found, rest = text.partition(begin)
    _, ended, after = rest.partition(end)
    if not found or not ended:
        raise InputError(f"expected the marks {begin} and {end}, found no such pair")
    return f"{before}{begin}\n{content}\n{end}{after}"


def ratios(figures: dict[str, Any]) -> str:
    """The speeds, their ratios, and what else was measured with them, as Markdown."""
    speeds = _table(
        ["way", "examples a second", "and a second of CPU"],
        [[words, f"{rate['wall']:,}", f"{rate['cpu']:,}"] for words, rate in _rates(figures)],
    )
    rows = [
        [
            words,
            f"**{figures[f'ratio_to_{name}']:.2f}**",
            "{least:.2f} to {greatest:.2f}".format(**figures[f"ratio_to_{name}_spread"]),
            f"{figures[f'ratio_to_{name}_cpu']:.2f}",
            asked,
        ]
        for name, (words, asked) in _RATIOS.items()
    ]
    compared = _table(["ratio", "on the clock", "over rounds", "in CPU time", "asked"], rows + _more(figures))
    what = (
        f"{figures['examples']:,} examples, {figures['rounds']} rounds, {figures['cores']} cores; a teacher of "
        f"{figures['teacher_parameters']:,} parameters and {figures['teacher_inputs']} inputs, "
        f"{figures['teacher_inputs_absent']} of them absent."
    )
    return f"{what}\n\n{speeds}\n\n{compared}"


def _rates(figures: dict[str, Any]) -> Iterable[tuple[str, dict[str, int]]]:
    return ((words, figures["examples_per_second"][name]) for name, words in _WAYS.items())


def _more(figures: dict[str, Any]) -> list[list[str]]:
    rows = []
    if "workers" in figures:
        size = f"{figures['workers']['teacher_parameters'] / 1e6:.0f}M parameters"
        words = f"two worker processes (a teacher of {size}), each held to one thread, to one of them"
        rows.append([words, f"**{figures['ratio_of_two_workers']:.2f}**", "", "", "at least 1.7"])
        words = "the same two to one process with all its threads"
        rows.append([words, f"**{figures['ratio_of_two_workers_to_one_with_threads']:.2f}**", "", "", ""])
    if "peak_mib" in figures:
        small, large = (f"{int(count):,}" for count in figures["peak_mib"])
        words = f"peak memory at {large} examples to that at {small}"
        rows.append([words, f"**{figures['ratio_of_peak_memory']:.2f}**", "", "", "at most 1.1"])
    return rows


def teachers(measured: dict[str, Any]) -> str:
    """What teachers of different sizes cost, as Markdown."""
    return _table(
        [
            "parameters",
            "examples a second and core",
            "of the limit, in CPU time",
            "core hours for 10^9 examples",
            "cores for 10^9 examples a day",
        ],
        [
            [
                f"{each['parameters'] / 1e6:.1f}M",
                f"{each['examples_per_second_per_core']:,}",
                f"{each['ratio_to_limit_cpu']:.2f}",
                f"{each['core_hours_for_1e9_examples']:,.1f}",
                f"{each['cores_for_1e9_examples_a_day']:.2f}",
            ]
            for each in measured.values()
        ],
    )


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


if __name__ == "__main__":
    typer.run(main)
