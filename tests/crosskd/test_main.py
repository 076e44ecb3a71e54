import json
import os
import re
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from crosskd.main import app
from tests import forked
from worlds import simulated

CROSSKD = Path(sys.executable).parent / "crosskd"


def crosskd(*arguments: object) -> subprocess.CompletedProcess:
    return subprocess.run([CROSSKD, *map(str, arguments)], capture_output=True, text=True, timeout=120)


@pytest.mark.parametrize(
    "command",
    [
        [],
        ["world"],
        ["world", "simulated"],
        ["train-teacher"],
        ["check"],
        ["run"],
        ["label"],
        ["summary"],
        ["gate"],
        ["rollback"],
        ["experiment"],
        ["tune"],
        ["demo"],
        ["doctor"],
        ["init"],
        ["join-teachers"],
        ["store-labels"],
        ["teachers"],
        ["prune"],
    ],
)
def test_every_command_has_help(command):
    done = CliRunner().invoke(app, [*command, "--help"], prog_name="crosskd")
    assert done.exit_code == 0
    assert f"Usage: {' '.join(['crosskd', *command])}" in done.stdout


@pytest.mark.parametrize("command", [[], ["world", "simulated"]])
def test_the_installed_program_has_help(command):
    done = crosskd(*command, "--help")
    assert done.returncode == 0
    assert "Usage: crosskd" in done.stdout


def test_help_does_not_import_tensorflow():
    code = "import sys, crosskd.main; sys.exit('tensorflow' in sys.modules or 'tfx' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0


def test_the_version_is_that_of_the_metadata_and_comes_at_once():
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    started = time.monotonic()
    done = crosskd("--version")
    assert (done.returncode, done.stdout) == (0, f"crosskd {project['version']}\n")
    assert time.monotonic() - started < 10


def test_the_version_does_not_import_tensorflow():
    code = (
        "import sys; sys.argv = ['crosskd', '--version']; from crosskd import start\n"
        "try:\n    start.main()\nfinally:\n    assert not {'tensorflow', 'tfx'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout.split()[0]) == (0, "crosskd"), done.stderr


@pytest.mark.parametrize(
    ("typed", "word", "completed"), [("crosskd wor", 1, "world"), ("crosskd run --su", 2, "--surface")]
)
def test_the_shell_completes_commands_and_options(typed, word, completed):
    typing = {**os.environ, "_CROSSKD_COMPLETE": "complete_bash", "COMP_WORDS": typed, "COMP_CWORD": str(word)}
    done = subprocess.run([CROSSKD], env=typing, capture_output=True, text=True, timeout=60)
    assert done.stdout.split() == [completed]


def leaves(command, name=""):
    children = getattr(command, "commands", {})
    return (
        {name.strip(): command}
        if not children
        else {path: leaf for child, each in children.items() for path, leaf in leaves(each, f"{name} {child}").items()}
    )


def test_every_command_speaks_json_but_the_one_whose_output_is_a_word():
    found = leaves(typer.main.get_command(app))
    silent = {name for name, command in found.items() if not any("--json" in each.opts for each in command.params)}
    assert silent == {"fingerprint"}


def test_an_unknown_option_is_bad_input():
    done = crosskd("summary", "--rot", ".")
    assert done.returncode == 2
    assert "No such option: --rot" in done.stderr


@pytest.mark.parametrize("folder", ["nowhere", "."])
def test_a_summary_of_no_run_says_what_to_do(folder, tmp_path):
    done = crosskd("summary", "--root", tmp_path / folder)
    assert done.returncode == 2
    assert "crosskd run" in done.stderr
    assert "Traceback" not in done.stderr


def test_bad_input_is_noticed_before_tensorflow_is_imported(tmp_path):
    started = time.monotonic()
    done = crosskd("run", "--surface", "homepage", "--examples", tmp_path, "--teacher", tmp_path, "--root", tmp_path)
    assert done.returncode == 2
    assert "expected the folder of a SavedModel" in done.stderr
    assert time.monotonic() - started < 60


def test_a_world_prints_where_it_is_as_json(tmp_path):
    rows = "".join(f"{user},{item},{1 + (user + item) % 5}\n" for user in range(30) for item in range(12))
    for name in ("chosen", "shown"):
        (tmp_path / name).write_text(rows)
    files = ("--chosen", tmp_path / "chosen", "--shown", tmp_path / "shown")
    done = crosskd("world", "yahoo-r3", *files, "--out", tmp_path / "r3", "--rows", 100, "--json")
    assert done.returncode == 0, done.stderr
    folders = json.loads(done.stdout)
    assert set(folders) == {"source", "target"}
    assert all((Path(folder) / "surface.yaml").is_file() for folder in folders.values())
    assert [line.split()[0] for line in done.stderr.splitlines()] == ["writing", "wrote", "wrote", "done"]  # no noise


def test_train_teacher_prints_json(tmp_path):
    world = tmp_path / "world"
    simulated.write(world, size=simulated.Sizes(400, 50, 50, 50, 100, 50, 40, 40), seed=0, progress=print)
    video = world / "video"
    given = ("--surface", video, "--examples", video, "--out", tmp_path / "teacher")
    done = forked.crosskd("train-teacher", *given, "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["rows"] == 400
    assert (Path(found["path"]) / "saved_model.pb").is_file()
    assert "epoch 1: loss" in done.stderr
    assert [(each["task"], each["metric"]) for each in found["eval"]] == [
        ("click", "auc"),
        ("trail_engagement", "r2"),
        ("continue_watching", "auc"),
    ]
    assert all(0 <= each["examples"] <= 50 for each in found["eval"])
    assert re.search(r"click: AUC 0\.\d{4} on 50 examples of the source", done.stderr)
