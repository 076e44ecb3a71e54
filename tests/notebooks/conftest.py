"""One root with two real runs of a drafted surface, and an experiment on them, for all tests here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
from typer.testing import CliRunner

from contracts.outcome import Exit
from crosskd import run as run_command
from crosskd.init import Answers, DraftSources, draft_folder
from crosskd.main import app
from tests.e2e import library

# How fast it serves is measured elsewhere.
_SERVING = "serving: {requests: 32, batch_sizes: [1], rounds: 3, calls: 20}"


@dataclass(frozen=True)
class Case:
    """Where things lie, and how each run ended."""

    surface: Path
    root: Path
    experiment: Path
    ended: list[Exit]


@pytest.fixture(scope="session")
def case(tmp_path_factory) -> Case:
    folder = tmp_path_factory.mktemp("notebooks")
    examples = library.write_examples(folder / "examples")
    teacher = library.write_teacher(folder / "teacher")
    surface, root, experiment = folder / "books", folder / "root", folder / "experiment"
    draft_folder(DraftSources(examples, 10_000, teacher), surface, Answers())
    _change(surface, "    # distil: {from: fun}", "    distil: {from: loan_logit}")
    _change(surface, "slices: {}", f"slices: {{genre: {{features: {{genre: null}}}}}}\n{_SERVING}")
    _change(surface, "epochs: 10", "epochs: 4")
    ended = [run_command.run(str(surface), examples, teacher, root)]
    _change(surface, "epochs: 4", "epochs: 3")
    ended.append(run_command.run(str(surface), examples, teacher, root))
    options = {"surface": surface, "root": root, "out": experiment, "seeds": 2, "tuning": 1, "widen": 0}
    words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
    done = CliRunner().invoke(app, ["experiment", *words, "--no-references", "--few", "--explain"])
    assert done.exit_code == 0, done.exception
    return Case(surface, root, experiment, ended)


def _change(surface: Path, before: str, after: str) -> None:
    file = surface / "surface.yaml"
    text = file.read_text()
    assert before in text
    file.write_text(text.replace(before, after, 1))
