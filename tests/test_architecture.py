"""Imports run one way, as pyproject.toml says; and what it says catches each wrong direction."""

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from schema.metrics import METRICS

PROJECT = Path(__file__).parent.parent / "pyproject.toml"
RULES = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["tool"]["importlinter"]


def lint(folder: Path) -> subprocess.CompletedProcess:
    command = [Path(sys.executable).parent / "lint-imports", "--no-cache", "--no-logo"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60)


def house(folder: Path, importer: str, imported: str) -> Path:
    """A house of empty packages under the project's rules, with one import in it."""
    shutil.copy(PROJECT, folder)
    for package in RULES["root_packages"]:
        (folder / package).mkdir()
        (folder / package / "__init__.py").touch()
        (folder / package / "part.py").touch()
    (folder / importer / "part.py").write_text(f"def late():\n    import {imported}.part\n")
    return folder


def test_imports_run_one_way():
    done = lint(PROJECT.parent)
    assert done.returncode == 0, done.stdout


def test_every_package_stands_under_the_rules():
    packages = {file.parent.name for file in PROJECT.parent.glob("*/__init__.py")} - {"tests"}
    assert set(RULES["root_packages"]) == packages


@pytest.mark.parametrize(
    ("importer", "imported"),
    [
        ("schema", "contracts"),
        ("schema", "records"),
        ("contracts", "records"),
        ("records", "contracts"),
        ("records", "models"),
        ("models", "evaluation"),
        ("models", "components"),
        ("evaluation", "models"),
        ("evaluation", "components"),
        ("worlds", "models"),
        ("worlds", "evaluation"),
        ("components", "models"),
        ("components", "worlds"),
        ("components", "evidence"),
        ("components", "pipeline"),
        ("evidence", "components"),
        ("evidence", "pipeline"),
        ("evidence", "crosskd"),
        ("pipeline", "evidence"),
        ("pipeline", "worlds"),
        ("pipeline", "crosskd"),
        ("crosskd", "benchmarks"),
    ],
)
def test_the_wrong_direction_is_caught(tmp_path, importer, imported):
    done = lint(house(tmp_path, importer, imported))
    assert done.returncode == 1
    assert f"{importer}.part -> {imported}.part" in done.stdout


def test_a_component_that_knows_another_is_caught(tmp_path):
    folder = house(tmp_path, "components", "contracts")
    for name, content in (("one", "import components.two.executor"), ("two", "")):
        (folder / "components" / name).mkdir()
        (folder / "components" / name / "__init__.py").touch()
        (folder / "components" / name / "executor.py").write_text(content)
    done = lint(folder)
    assert done.returncode == 1
    assert "components.one.executor -> components.two.executor" in done.stdout


@pytest.mark.parametrize(
    ("importer", "imported"),
    [("evidence", "worlds"), ("evaluation", "contracts"), ("components", "records"), ("benchmarks", "crosskd")],
)
def test_the_right_direction_is_allowed(tmp_path, importer, imported):
    assert lint(house(tmp_path, importer, imported)).returncode == 0


def test_no_code_but_the_registry_names_a_metric():
    """A name in a string is a decision made twice; these three are words of other things, too."""
    names = set(METRICS) - {"labelled_examples", "positives", "calibration"}
    literal = re.compile(rf"""["']({"|".join(map(re.escape, names))})["']""")
    found = {
        path.relative_to(PROJECT.parent).as_posix()
        for package in RULES["root_packages"]
        for path in (PROJECT.parent / package).rglob("*.py")
        if literal.search(path.read_text(encoding="utf-8"))
    }
    assert found == {"schema/metrics.py"}
