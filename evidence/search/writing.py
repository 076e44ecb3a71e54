"""Writes the surface that a search ended with: the user's own file, the change, a comment on what was tried."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any

from evidence.arms import STUDENT
from evidence.result import Difference, ExperimentResult
from evidence.search.result import Outcome, TuneResult
from evidence.search.tune import CHOSEN
from schema.loader import SCHEMA_FILE, SURFACE_FILE, load_surface
from schema.metrics import title_of
from schema.yaml_edit import edited
from schema.yaml_text import read

_MARK = "# tune: "
_WIDTH = 110
_REMOTE = "://"
_NAMES = {STUDENT: "the surface as it was", CHOSEN: "what was chosen"}
_SAID = {
    Outcome.BETTER: "what was chosen is better than the surface as it was, and this file has it.",
    Outcome.AS_IT_IS: "on held-out rows nothing beat the surface as it was; this file is that.",
    Outcome.NOT_SHOWN: "what was chosen is not shown to beat the surface as it was; this file is that.",
    Outcome.WORSE: "what was chosen is worse on some task than the surface as it was; this file is that.",
}


def write_surface(folder: Path, out: Path, result: TuneResult, today: date) -> None:
    """Writes a surface folder that runs as it is.

    Comments, order and layout of ``surface.yaml`` stay; what an earlier search wrote on top goes.

    Args:
      folder: The surface as it is.
      out: The folder to write.
      result: What was found.
      today: The day, for the comment.

    Raises:
      InputError: What was written does not load.
    """
    out.mkdir(parents=True, exist_ok=True)
    text = (folder / SURFACE_FILE).read_text(encoding="utf-8")
    own = "".join(line for line in text.splitlines(keepends=True) if not line.startswith(_MARK))
    outside = _copy_files(folder, out, read(own, SURFACE_FILE)[0])
    new, kept = edited(own, [*result.written, *outside], str(folder / SURFACE_FILE))
    lost = [] if kept else ["The comments of the file could not be kept."]
    said = [f"{_MARK}{line}\n" for each in (*sentences(result, today), *lost) for line in _wrapped(each)]
    (out / SURFACE_FILE).write_text("".join(said) + new, encoding="utf-8")
    shutil.copyfile(folder / SCHEMA_FILE, out / SCHEMA_FILE)
    load_surface(out)


def sentences(result: TuneResult, today: date) -> list[str]:
    """What was tried, what was chosen and what came of it."""
    search = result.search
    tried = {each.name for part in search.rounds if part.name != "control" for each in part.falls}
    chosen = f"{search.student.name} ({', '.join(search.student.sets)})" if search.student.sets else search.student.name
    return [
        f"`crosskd tune`, {today.isoformat()}. On held-out rows of the training split alone, {search.trainings} "
        f"trainings tried {len(tried)} ways: {', '.join(sorted(tried))}.",
        f"Chosen there: {chosen}. For the control: {_named(search.control.name, search.control.sets)}.",
        f"On the evaluation split, {result.comparison.seeds} seeds, joint {result.comparison.confidence:.0%} "
        "intervals:",
        *_findings(result.comparison),
        f"Result: {_SAID[result.outcome]} {against_control(result)}",
    ]


def against_control(result: TuneResult) -> str:
    """What the written surface is against the control, in a sentence."""
    if not result.against_control:
        return "It is not shown to beat the control on any task."
    return f"It beats the control on {', '.join(result.against_control)}."


def _named(name: str, sets: list[str]) -> str:
    return f"{name} ({', '.join(sets)})" if sets else name


def _findings(compared: ExperimentResult) -> Iterator[str]:
    between = {each.task: each.difference for each in compared.comparisons if each.candidate == CHOSEN}
    for each in compared.findings:
        if each.slice is not None or each.control is None:
            continue
        name = f"{each.task} {title_of(each.metric)}, {_NAMES[each.candidate]}"
        more = f", to the surface as it was {_interval(between[each.task])}" if each.candidate == CHOSEN else ""
        verdict = each.verdict.value if each.verdict else each.note
        yield f"- {name}: to the control {_interval(each.control)}{more}: {verdict}"


def _interval(of: Difference) -> str:
    return f"{of.mean:+.4f} [{of.low:+.4f}, {of.high:+.4f}]"


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, _WIDTH, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)


def _copy_files(folder: Path, out: Path, content: Mapping[str, Any]) -> list[str]:
    """Copies the files that a surface names; of those outside its folder, the changes that name them from anywhere."""
    named = [
        (f"features.{name}.{key}", each.get(key))
        for name, each in content["features"].items()
        for key in ("vocabulary", "pretrained")
    ]
    of_teacher = ((content.get("teacher") or {}).get("features") or {}).items()
    named += [(f"teacher.features.{name}.vocabulary", (each or {}).get("vocabulary")) for name, each in of_teacher]
    outside = []
    for key, given in named:
        if given is None or _REMOTE in given:
            continue
        file = (folder / given).resolve()
        if not file.is_relative_to(folder.resolve()):
            outside.append(f"{key}={file}")
            continue
        (out / given).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, out / given)
    return outside
