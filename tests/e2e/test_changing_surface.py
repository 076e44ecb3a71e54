"""One root whose surface changes: it gains a task, drops features, and loses a task with the declared word.

The root's name has an umlaut, and the terminal knows ASCII alone.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.e2e import library
from tests.forked import crosskd

pytestmark = pytest.mark.slow

GATES = "{metric: %s, at_least: -5, vs_last_blessed: {at_least: -5}, vs_control: {at_least: -5}}"
SIZES = (500, 400)
FIRST = (
    library.SURFACE.replace(
        "{metric: auc, at_least: 0.6, vs_last_blessed: {at_least: -0.02}, vs_control: {at_least: -0.05}}",
        "{metric: auc, at_least: 0.1, vs_last_blessed: {at_least: -0.9}, vs_control: {at_least: -0.9}}",
    )
    .replace("      - {metric: auc, slice: crime, at_least: 0.55, min_examples: 50, min_positives: 10}\n", "")
    .replace(
        "{metric: auc, at_least: 0.4}",
        "{metric: auc, at_least: 0.1, vs_last_blessed: {at_least: -0.9}, min_positives: 5}",
    )
    .replace("epochs: 4", "epochs: 1")
    .replace("max_p99_ratio_vs_last_blessed: 1000", "max_p99_ratio_vs_last_blessed: 1000SERVING")
)
PAGES = "  pages: {kind: numeric, side: item, default: 200}\n"
LENGTH = f"""  length:
    kind: regression
    label: pages
    gates:
      - {GATES % "r2"}
"""
BOOK = "  book: {kind: categorical, side: item, embedding: 4, min_count: 2}\n"
LIKED = FIRST[FIRST.index("  liked:") : FIRST.index("teacher:")]
SECOND = FIRST.replace(PAGES, "").replace("teacher:\n", f"{LENGTH}teacher:\n", 1)
THIRD = SECOND.replace(BOOK, "").replace(LIKED, "")
SCHEMA = library.SCHEMA
SCHEMA_WITH_LENGTH = SCHEMA.replace(
    'name: "pages" type: INT value_count { min: 1 max: 1 }',
    'name: "pages" type: INT value_count { min: 1 max: 1 } not_in_environment: "SERVING"',
)
SCHEMA_WITHOUT_BOOK = "\n".join(line for line in SCHEMA_WITH_LENGTH.splitlines() if '"book"' not in line)


class Root:
    """A root, and runs in it."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.root = folder / "W\u00fcrzel"
        self.teacher = library.write_teacher(folder / "teacher")

    def run(
        self, name: str, surface: str, schema: str, without: str | None = None, word: str = ""
    ) -> tuple[int, Any, str]:
        """Exit code, summary, and what was said."""
        folder = self.folder / name
        if not folder.exists():
            library.write_examples(folder / "examples", sizes=SIZES, without=without, seed=len(name))
        written = library.write_surface(
            folder / f"surface{len(word)}", surface=surface.replace("SERVING}", f"{word}}}"), schema=schema
        )
        options = {"surface": written, "examples": folder / "examples", "teacher": self.teacher, "root": self.root}
        words = [word for key, path in options.items() for word in (f"--{key}", str(path))]
        done = crosskd("run", *words, "--json", env={"LC_ALL": "C", "PYTHONIOENCODING": "ascii"})
        assert "Traceback" not in done.stderr, done.stderr[-3000:]
        summary = json.loads(done.stdout) if done.stdout else None
        return done.returncode, summary, done.stderr

    def versions(self) -> list[int]:
        return sorted(int(path.name) for path in (self.root / "serving/library").iterdir() if path.name.isdigit())


def checks(summary: Any) -> dict[str, str]:
    return {check["name"]: check["sentence"] for check in summary["decision"]["checks"]}


def against_last_blessed(summary: Any) -> dict[str, tuple[str, str]]:
    gates = summary["decision"]["gates"]
    return {gate["task"]: (gate["verdict"], gate["reason"]) for gate in gates if gate["kind"] == "last_blessed"}


def test_a_surface_changes_and_the_run_goes_on(tmp_path: Path) -> None:
    root = Root(tmp_path)
    code, summary, said = root.run("first", FIRST, SCHEMA)
    assert code == 0, said
    assert "W\\xfcrzel" in said
    assert summary["decision"]["first_run"]

    # A task more, a feature less; the column of the feature is a label now, which what serves goes on reading.
    code, summary, said = root.run("second", SECOND, SCHEMA_WITH_LENGTH)
    assert code == 0, said
    first, second = root.versions()
    assert against_last_blessed(summary)["length"] == ("not_judged", "new task: no baseline")
    assert against_last_blessed(summary)["borrowed"][0] == "pass"
    assert (
        f"Compared with version {first}, the surface has changed: length: new task: no baseline."
        in (checks(summary)["comparison with what serves"])
    )
    assert "new task: no baseline" in Path(summary["report"]).read_text(encoding="utf-8")
    assert "new task: no baseline" in summary["decision"]["sentence"]

    # A task less, which clients read, and a column less, without which what serves cannot be asked.
    code, summary, said = root.run("third", THIRD, SCHEMA_WITHOUT_BOOK, without="book")
    assert (code, summary) == (2, None), said
    assert root.versions() == [first, second]
    word = f"breaking_change: {{version: {second}, outputs: [liked]}}"
    assert f"Clients of version {second}, which serves, would break: the output liked goes away." in said
    assert word in said
    assert "running" not in said  # refused before anything is labelled or trained

    code, summary, said = root.run("third", THIRD, SCHEMA_WITHOUT_BOOK, without="book", word=f", {word}")
    assert code == 0, said
    assert len(root.versions()) == 3
    assert against_last_blessed(summary)["borrowed"] == (
        "not_judged",
        "what serves asks for book, which the surface has no longer: no baseline",
    )
    assert "liked is a task no more" in checks(summary)["comparison with what serves"]
