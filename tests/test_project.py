"""What stands around the code says one thing in every place."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml

PROJECT = Path(__file__).parent.parent
METADATA = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
CONTRIBUTING = (PROJECT / "CONTRIBUTING.md").read_text(encoding="utf-8")
RECIPES = dict(re.findall(r"^### (.*?)\n(.*?)(?=^#|\Z)", CONTRIBUTING, re.M | re.S))


def read_yaml(name: str) -> dict:
    return yaml.safe_load((PROJECT / name).read_text(encoding="utf-8"))


def recipe_of(target: str) -> list[str]:
    """The commands of a target of the Makefile, as make would run them after `make setup`."""
    arguments = ("--dry-run", "--old-file=setup", target)
    done = subprocess.run(["make", *arguments], cwd=PROJECT, capture_output=True, text=True, check=True)
    return [line for line in done.stdout.splitlines() if not line.startswith("make")]


def test_the_hooks_are_the_commands_of_make_lint():
    (local,) = read_yaml(".pre-commit-config.yaml")["repos"]
    assert [hook["entry"] for hook in local["hooks"]] == recipe_of("lint")
    assert all(hook["always_run"] and not hook["pass_filenames"] for hook in local["hooks"])


def test_the_hosted_workflow_calls_the_script_with_the_python_of_the_metadata():
    (job,) = read_yaml(".github/workflows/ci.yml")["jobs"].values()
    versions = [step["with"]["python-version"] for step in job["steps"] if "python-version" in step.get("with", {})]
    assert METADATA["requires-python"].startswith(f">={versions[0]},")
    assert [step["run"].split()[-1] for step in job["steps"] if "run" in step] == [".ci/run"]


def test_the_version_is_the_same_everywhere():
    citation = read_yaml("CITATION.cff")
    assert (citation["version"], citation["license"]) == (METADATA["version"], METADATA["license"])
    sections = re.findall(r"^## \[(.*?)\]", (PROJECT / "CHANGELOG.md").read_text(encoding="utf-8"), re.M)
    assert sections[:2] == ["Unreleased", METADATA["version"]]


def test_the_license_is_what_the_metadata_say():
    (name,) = METADATA["license-files"]
    text = (PROJECT / name).read_text(encoding="utf-8")
    assert METADATA["license"] == "Apache-2.0"
    assert text.split()[:4] == ["Apache", "License", "Version", "2.0,"]
    assert "END OF TERMS AND CONDITIONS" in text


def test_there_are_recipes_for_all_that_people_add():
    assert [title.split()[1:3] for title in RECIPES] == [
        *(["a", "loss"], ["a", "kind"], ["a", "metric"], ["a", "component"], ["a", "data"], ["a", "section"]),
    ]


@pytest.mark.parametrize("title", RECIPES)
def test_every_file_that_a_recipe_names_is_there(title):
    named = [each for each in re.findall(r"`([a-z_/]+(?:/|\.\w+))`", RECIPES[title]) if "/" in each]
    assert len(named) >= 3
    assert [each for each in named if not (PROJECT / each).exists()] == []
    assert "tests/" in RECIPES[title]
