"""Commands in the documentation: all are parsed, the cheap ones executed, the dear ones name their test."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from crosskd.main import app
from tests.docs.pages import PAGES, ROOT, Block, blocks, crosskd_calls, quoted_errors

BLOCKS = [block for page in PAGES for block in blocks(page)]
SHELL = [block for block in BLOCKS if block.language == "bash"]
OF_RUNS = "## What a run, a root or the machine says"
OURS = ("tutorial.md", "own-data.md", "operations.md")


def name(block: Block) -> str:
    return f"{block.page}:{block.code.splitlines()[0][:40]}"


def parse(arguments: list[str]) -> None:
    """Parses a command's arguments as the command line does, without running it."""
    command = typer.main.get_command(app)
    while children := getattr(command, "commands", None):
        assert arguments, "the command is not complete"
        assert arguments[0] in children, f"no such command: {arguments[0]}"
        command, arguments = children[arguments[0]], arguments[1:]
    if "..." not in arguments:
        command.make_context("crosskd", arguments)


@pytest.mark.parametrize("block", SHELL, ids=name)
def test_every_crosskd_line_is_one_that_the_command_line_takes(block):
    for arguments in crosskd_calls(block):
        if arguments and arguments[0].startswith("--"):
            assert arguments[0] in ("--help", "--install-completion", "--version")
        else:
            parse(arguments)


def test_a_wrong_option_is_noticed():
    with pytest.raises(Exception, match="No such option: --rot"):
        parse(["summary", "--rot", "x"])


def test_python_blocks_are_python_and_say_who_executes_them():
    found = [each for each in BLOCKS if each.language == "python"]
    assert found
    for block in found:
        ast.parse(block.code)
        assert block.mark or block.page not in OURS


@pytest.mark.parametrize("block", SHELL, ids=name)
def test_make_targets_exist(block):
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for line in block.commands:
        for target in re.findall(r"^make ((?:[a-z]+ ?)+)", line):
            for word in target.split():
                assert re.search(rf"^{word}:", makefile, re.M), f"{block.page}: no such target: {word}"


@pytest.mark.parametrize("block", [each for each in BLOCKS if each.page in OURS and each.mark], ids=name)
def test_a_test_that_a_block_names_exists(block):
    for file, test in re.findall(r"(tests/\S+\.py)(?:::(\w+))?", block.mark):
        assert (ROOT / file).is_file(), file
        assert f"def {test}" in (ROOT / file).read_text(encoding="utf-8")


@pytest.mark.parametrize("block", [each for each in SHELL if each.page in OURS], ids=name)
def test_every_block_says_who_executes_it(block):
    assert block.mark


@pytest.fixture(scope="module")
def reader(tmp_path_factory) -> Path:
    """A folder in which a reader types the commands, page by page."""
    return tmp_path_factory.mktemp("reader")


def test_the_blocks_marked_as_executed_run_one_after_the_other(reader):
    binary = str(Path(sys.executable).parent)
    environment = {**os.environ, "PATH": f"{binary}:{os.environ['PATH']}"}
    done: dict[str, str] = {}
    executed = [each for each in SHELL if each.mark == "executed"]
    assert {each.page for each in executed} >= {"tutorial.md", "own-data.md"}
    for block in executed:
        for line in block.commands:
            if line in done:
                continue
            found = subprocess.run(["bash", "-c", line], cwd=reader, env=environment, capture_output=True, text=True)
            assert found.returncode == 0, f"{block.page}: {line}\n{found.stdout}{found.stderr}"
            done[line] = found.stdout
    assert (reader / "runs" / "mine" / "surface.yaml").is_file()
    assert "schema.pbtxt" in done["ls runs/tiny runs/tiny/homepage"]


def strings(*folders: str) -> str:
    """All texts in the code of these folders, a gap in place of each value."""
    found = []
    for folder in folders:
        for file in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if isinstance(node, ast.JoinedStr):
                    parts = (part.value if isinstance(part, ast.Constant) else "\0" for part in node.values)
                    found.append("".join(map(str, parts)))
                elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                    found.append(node.value.replace("\\", ""))  # what a test's pattern escapes
    return "\n".join(found)


def missing(messages: list[str], text: str) -> list[str]:
    return [each for each in messages if any(part.strip() not in text for part in each.split("..."))]


def test_every_error_of_a_run_that_is_explained_is_one_that_the_code_raises():
    """Those of the other table were seen: `tests/crosskd/test_wrong_inputs.py` compares."""
    rooms = ("schema", "records", "models", "evaluation", "components", "pipeline", "crosskd")
    assert missing(quoted_errors(OF_RUNS), strings(*rooms)) == []


def test_every_error_of_a_run_that_is_explained_was_seen_by_a_test():
    folders = [str(path.relative_to(ROOT)) for path in (ROOT / "tests").iterdir() if path.is_dir()]
    explained = quoted_errors(OF_RUNS)
    assert len(explained) > 15
    assert missing(explained, strings(*(each for each in folders if each != "tests/docs"))) == []
