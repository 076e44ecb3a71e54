import ast
import os
import platform
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.specifiers import SpecifierSet

from crosskd import stacks
from crosskd.stacks import System

PROJECT = Path(__file__).parent.parent.parent
SCRIPT = PROJECT / "crosskd" / "stacks.py"
LINUX = ("Linux", "x86_64")
MINORS = [each.minor for each in stacks.STACKS]


def system(minor: int, glibc: str, kind: tuple[str, str] = LINUX) -> System:
    return System((3, minor), ("glibc", glibc) if glibc else ("", ""), kind)


def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-I", SCRIPT, *arguments]
    return subprocess.run(command, capture_output=True, text=True, env={**os.environ, **variables}, timeout=60)


@pytest.mark.parametrize(
    ("minor", "glibc", "file"),
    [
        (11, "2.28", "requirements/base.txt"),
        (11, "2.36", "requirements/base.txt"),
        (11, "2.39", "requirements/base.txt"),
        (11, "2.41", "requirements/base.txt"),
        (12, "2.39", "requirements/base-py312.txt"),
        (12, "2.41", "requirements/base-py312.txt"),
        (13, "2.39", "requirements/base-py313.txt"),
        (13, "2.41.9000", "requirements/base-py313.txt"),
        (13, "3.0", "requirements/base-py313.txt"),
    ],
)
def test_what_fits_interpreter_and_c_library(minor, glibc, file):
    assert stacks.choose(system(minor, glibc)).file("base") == file


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (system(10, "2.41"), "for Python 3.10 on glibc 2.41; Python 3.11 or 3.12 or 3.13 would do here"),
        (system(14, "2.39"), "for Python 3.14 on glibc 2.39; Python 3.11 or 3.12 or 3.13 would do here"),
        (system(10, "2.36"), "for Python 3.10 on glibc 2.36; Python 3.11 would do here"),
        (system(12, "2.36"), "`make setup PYTHON=/path/to/python3.11`"),
        (system(13, "2.38"), "Python 3.13 with glibc 2.39 or newer (Debian 13, Ubuntu 24.04)"),
        (system(11, "2.27"), "no interpreter would do here: take a newer system"),
        (system(13, "2.17"), "Python 3.11 with glibc 2.28 or newer"),
        (System((2, 11), ("glibc", "2.41"), LINUX), "for Python 2.11 on glibc 2.41"),
        (system(11, ""), "this is Linux x86_64 without glibc: take a container"),
        (system(11, "2.41", ("Linux", "aarch64")), "this is Linux aarch64 glibc"),
        (system(13, "", ("Darwin", "arm64")), "this is Darwin arm64 without glibc"),
    ],
)
def test_where_nothing_fits_it_says_what_would(found, said):
    with pytest.raises(stacks.UnfitError, match=re.escape(said)):
        stacks.choose(found)


def test_this_interpreter_has_its_file():
    for kind in ("base", "dev"):
        done = run(kind)
        assert (done.returncode, done.stderr) == (0, "")
        assert (PROJECT / done.stdout.strip()).is_file()


def test_this_system_is_the_one_that_the_platform_module_finds():
    assert stacks.here() == System(sys.version_info[:2], platform.libc_ver(), (platform.system(), platform.machine()))


@pytest.mark.parametrize("answer", [None, ValueError("unrecognized configuration name"), "musl"])
def test_a_c_library_without_a_name_is_not_glibc(monkeypatch, answer):
    def confstr(name):
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(os, "confstr", confstr)
    assert stacks.here().libc == ("", "")


def test_what_does_not_fit_ends_in_a_message_and_no_file(monkeypatch, capsys):
    monkeypatch.setattr(stacks, "here", lambda: system(9, "2.36"))
    assert stacks.main(["dev"]).startswith("crosskd: nothing is pinned for Python 3.9 on glibc 2.36; ")
    assert capsys.readouterr().out == ""


def test_another_argument_is_answered_with_the_usage():
    done = run("prod")
    assert (done.returncode, done.stdout) == (1, "")
    assert "base|dev|compiler" in done.stderr


def test_a_missing_compiler_is_named():
    here = run("compiler")
    assert (here.returncode, here.stderr) == (0, "")
    missing = run("compiler", CXX="no-such-compiler -pthread")
    assert missing.returncode == 1
    assert "pyfarmhash" in missing.stderr
    assert "the compiler no-such-compiler (Debian: g++)" in missing.stderr


def test_missing_headers_are_named(monkeypatch, tmp_path):
    monkeypatch.setattr("sysconfig.get_paths", lambda: {"include": str(tmp_path)})
    (found,) = stacks.missing_for_compiling()
    assert found == f"{tmp_path}/Python.h (Debian: python3.{sys.version_info[1]}-dev)"


def test_interpreters_that_are_too_old_can_read_it():
    ast.parse(SCRIPT.read_text(encoding="utf-8"), feature_version=(3, 6))
    names = {
        (node.module if isinstance(node, ast.ImportFrom) else node.names[0].name)
        for node in ast.walk(ast.parse(SCRIPT.read_text(encoding="utf-8")))
        if isinstance(node, ast.Import | ast.ImportFrom)
    }
    assert "__future__" not in names
    assert names <= sys.stdlib_module_names


def test_the_package_admits_the_interpreters_that_have_a_file_and_no_others():
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    admitted = SpecifierSet(project["requires-python"])
    assert [minor for minor in range(30) if f"3.{minor}.1" in admitted] == MINORS
    named = {each.rpartition(" ")[2] for each in project["classifiers"] if each.startswith("Programming Language ::")}
    assert {f"3.{minor}" for minor in MINORS} == named - {"Only"}


def pinned(stack: stacks.Stack, kind: str) -> dict[str, str]:
    text = (PROJECT / stack.file(kind)).read_text(encoding="utf-8")
    return dict(re.findall(r"^([a-z0-9-]+)==([^ ]+) \\\n    --hash=sha256:[0-9a-f]{64}", text, re.M))


@pytest.mark.parametrize("stack", stacks.STACKS, ids=lambda each: f"python3.{each.minor}")
def test_a_file_says_for_every_package_which_version_and_nothing_about_other_systems(stack):
    for kind in ("base", "dev"):
        lines = (PROJECT / stack.file(kind)).read_text(encoding="utf-8").splitlines()
        assert len([line for line in lines if not line.startswith(" ")]) == len(pinned(stack, kind)) > 200
    assert pinned(stack, "base").items() <= pinned(stack, "dev").items()
    release = "1.17.1" if stack.minor == 11 else "1.21.0"
    assert pinned(stack, "base")["ml-metadata"] == release


@pytest.mark.parametrize("other", stacks.STACKS[1:], ids=lambda each: f"python3.{each.minor}")
def test_files_differ_only_where_they_must(other):
    first, second = pinned(stacks.STACKS[0], "base"), pinned(other, "base")
    differing = {name for name in first.keys() & second.keys() if first[name] != second[name]}
    # Beam itself asks for another google-apitools on Python 3.13.
    assert differing - {"google-apitools"} == {"ml-metadata", "tensorflow-data-validation"}
    assert second.keys() <= first.keys()


@pytest.fixture
def clone(tmp_path):
    """What `make setup` needs until the environment is there."""
    (tmp_path / "crosskd").mkdir()
    shutil.copy(PROJECT / "Makefile", tmp_path)
    shutil.copy(SCRIPT, tmp_path / "crosskd")
    (tmp_path / "setup.py").touch()
    shutil.copytree(PROJECT / "requirements", tmp_path / "requirements")
    return tmp_path


def make(clone: Path, *arguments: str, path: str = os.environ["PATH"]) -> subprocess.CompletedProcess:
    command = [shutil.which("make"), "--no-print-directory", *arguments]
    return subprocess.run(
        command, cwd=clone, capture_output=True, text=True, env={"PATH": path, "HOME": str(clone)}, timeout=60
    )


def test_setup_without_a_fitting_interpreter_says_so_and_makes_nothing(clone):
    script = clone / "crosskd" / "stacks.py"
    script.write_text(re.sub(r"Stack\(\d+,", "Stack(5,", script.read_text(encoding="utf-8")))
    done = make(clone, "setup", f"PYTHON={sys.executable}")
    assert done.returncode == 2
    assert "nothing is pinned for Python 3." in done.stderr
    assert "Python 3.5" in done.stderr
    assert not (clone / ".venv").exists()


def test_setup_with_an_interpreter_that_is_not_there_says_so(clone):
    done = make(clone, "setup", "PYTHON=/no/such/python")
    assert done.returncode == 2
    assert "'/no/such/python' was not found" in done.stderr
    assert not (clone / ".venv").exists()


def test_a_half_made_environment_is_removed(clone):
    python = clone / "python"
    python.write_text('#!/bin/sh\n[ "$1" = -I ] && exit 0\nmkdir -p .venv/bin && touch .venv/bin/python\nexit 1\n')
    python.chmod(0o755)
    assert make(clone, "setup", f"PYTHON={python}").returncode == 2
    assert not (clone / ".venv").exists()


@pytest.mark.parametrize(
    ("fitting", "taken"),
    [
        ({"python3.11", "python3.12", "python3.13", "python3"}, "python3.11"),
        ({"python3.12", "python3.13"}, "python3.13"),
        ({"python3.12", "python3"}, "python3.12"),
        (set(), "python3"),
    ],
)
def test_the_interpreter_that_make_takes_is_the_first_that_fits(clone, tmp_path, fitting, taken):
    for minor in ("", *(f".{each}" for each in MINORS)):
        python = tmp_path / f"python3{minor}"
        python.write_text(f"#!/bin/sh\nexit {int(python.name not in fitting)}\n")
        python.chmod(0o755)
    shown = make(clone, "--eval", "taken: ; @: && echo $(PYTHON)", "taken", path=str(tmp_path))
    assert shown.stdout.strip() == taken, shown.stderr
