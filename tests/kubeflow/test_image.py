import re
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from crosskd import stacks
from tests.kubeflow.scripts import script

rehearse = script("rehearse")
FIRST, LAST = rehearse.read_stages(rehearse.DOCKERFILE.read_text())


def test_the_linter_finds_nothing():
    hadolint = Path(sys.executable).parent / "hadolint"
    linted = subprocess.run([hadolint, rehearse.DOCKERFILE], capture_output=True, text=True)
    assert (linted.returncode, linted.stdout) == (0, "")


def test_the_linter_can_find_something(tmp_path):
    bad = tmp_path / "Dockerfile"
    bad.write_text("FROM python\nRUN cd /tmp\n")
    linted = subprocess.run([Path(sys.executable).parent / "hadolint", bad], capture_output=True, text=True)
    assert linted.returncode == 1
    assert "DL3006" in linted.stdout


def test_the_image_runs_as_a_user_that_owns_nothing():
    assert rehearse.one(LAST, "USER") == "10001:10001"
    assert rehearse.environment_of(LAST)["HOME"] == rehearse.one(LAST, "WORKDIR") == "/tmp"
    assert [each.rest for each in LAST if each.word == "COPY"] == ["--from=build /opt/crosskd /opt/crosskd"]


def test_what_runs_has_no_compiler_and_the_python_and_debian_that_it_was_built_with():
    tags = [rehearse.one(stage, "FROM").partition(":")[2] for stage in (FIRST, LAST)]
    assert tags == ["${PYTHON}-${DEBIAN} AS build", "${PYTHON}-slim-${DEBIAN}"]


def test_the_build_has_the_requirements_of_every_python():
    copied = {name for each in FIRST if each.word == "COPY" for name in each.rest.split()[:-1]}
    assert {each.file("base") for each in stacks.STACKS} | {"crosskd/stacks.py", "requirements/cuda.txt"} <= copied


def test_cuda_is_what_tensorflow_asks_for_and_beside_the_rest():
    """For each Python the same: its wheels are of none, and hold libraries alone."""
    text = (rehearse.PROJECT / "requirements" / "cuda.txt").read_text()
    pinned = dict(re.findall(r"^([a-z0-9-]+)==([^ ]+) \\\n    --hash=sha256:[0-9a-f]{64}", text, re.M))
    asked = [Requirement(each) for each in metadata.requires("tensorflow") or []]
    of_cuda = {each.name: each.specifier for each in asked if each.marker and "and-cuda" in str(each.marker)}
    assert len(of_cuda) > 10
    assert pinned.keys() == of_cuda.keys()
    assert all(pinned[name] in specifier for name, specifier in of_cuda.items())
    lines = [line for line in text.splitlines() if not line.startswith(" ")]
    assert len(lines) == len(pinned)
    for stack in stacks.STACKS:
        assert "nvidia" not in (rehearse.PROJECT / stack.file("base")).read_text()


@pytest.mark.parametrize(("accelerator", "files"), [("", 0), ("cuda", 1)])
def test_cuda_is_installed_where_it_is_asked_for(tmp_path, accelerator, files):
    (line,) = [each.rest for each in FIRST if each.word == "RUN" and "ACCELERATOR" in each.rest]
    (condition,) = [each for each in line.split(" && ") if "ACCELERATOR" in each]
    installer = tmp_path / "uv"
    installer.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/given\n')
    installer.chmod(0o755)
    command = condition.replace("/build/tools/bin/uv", str(installer))
    subprocess.run(["/bin/sh", "-ec", command], check=True, env={"ACCELERATOR": accelerator})
    given = (tmp_path / "given").read_text().splitlines() if files else []
    assert [each.endswith("--require-hashes -r requirements/cuda.txt") for each in given] == [True] * files


def test_everything_is_pinned_and_compiled():
    lines = [line for each in FIRST if each.word == "RUN" for line in each.rest.split(" && ")]
    installs = [line for line in lines if " install " in line]
    assert len(installs) == 4
    assert all("--require-hashes" in each for each in installs[:3])
    assert installs[3].endswith("--no-deps --no-build-isolation .")
    assert all("--compile-bytecode" in each for each in installs[1:])


def test_the_build_holds_every_package_and_nothing_else():
    kept = {str(each) for each in rehearse.kept_files()}
    packages = {name.partition("/")[0] for name in kept if "/" in name} - {"requirements"}
    assert packages == {file.parent.name for file in rehearse.PROJECT.glob("*/__init__.py")} - {"tests"}
    assert {f"{each.rest.split()[0]}" for each in FIRST if each.word == "COPY"} >= packages
    assert "schema/homepage/surface.yaml" in kept
    assert {
        name for name in kept if name.startswith(("tests", "docs", "kubeflow", ".git", "requirements/dev"))
    } == set()


@pytest.mark.parametrize(
    ("name", "ignored"),
    [
        ("CHANGELOG.md", True),
        ("README.md", False),
        ("requirements/base.txt", False),
        ("requirements/base-py313.txt", False),
        ("requirements/cuda.txt", False),
        ("requirements/base.in", True),
        ("requirements/dev.txt", True),
        ("requirements/dev-py313.txt", True),
        ("schema/radio/surface.yaml", False),
        ("schema/__pycache__/surface.cpython-311.pyc", True),
        ("runs/demo/teacher/saved_model.pb", True),
    ],
)
def test_what_the_ignore_file_lets_through(name, ignored):
    assert rehearse.is_ignored(name) is ignored


def test_paths_of_the_image_lie_in_the_rehearsal_and_its_python_is_the_given_one(tmp_path):
    line = rehearse.inside(
        "python -m venv /build/tools && /build/tools/bin/pip install x", tmp_path, "/usr/bin/python3.11"
    )
    assert line == f"/usr/bin/python3.11 -m venv {tmp_path}/build/tools && {tmp_path}/build/tools/bin/pip install x"


def test_a_build_stage_copies_and_runs(tmp_path, monkeypatch):
    stage = rehearse.read_stages(
        "FROM a\nWORKDIR /build\nCOPY setup.py pyproject.toml ./\nCOPY pipeline pipeline/\n"
        "RUN cp setup.py /build/copied && ls > listed\n"
    )[0]
    rehearse.build(stage, tmp_path, sys.executable)
    assert (tmp_path / "build/copied").read_text() == (rehearse.PROJECT / "setup.py").read_text()
    assert (tmp_path / "build/pipeline/kfp/entrypoint.py").is_file()
    assert set((tmp_path / "build/listed").read_text().split()) == {
        "copied",
        "listed",
        "pipeline",
        "pyproject.toml",
        "setup.py",
    }
    shutil.rmtree(tmp_path / "build")
