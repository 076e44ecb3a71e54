"""`crosskd check` as somebody meets it: tables and sentences, JSON, exit codes; and that a run does the same first."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from crosskd import run
from schema.errors import InputError
from tests.e2e import library
from tests.forked import crosskd


class Product:
    def __init__(self, folder: Path):
        self.surface = library.write_surface(folder / "surface")
        self.examples = library.write_examples(folder / "examples", sizes=(600, 300))
        self.teacher = library.write_teacher(folder / "teacher")
        self.root = folder / "root"

    def check(self, *options: str) -> subprocess.CompletedProcess[str]:
        folders = ("--surface", self.surface, "--examples", self.examples, "--teacher", self.teacher)
        return crosskd("check", *folders, *options)

    def slip(self) -> None:
        """Two things are wrong, of which the one is found long after the other."""
        file = self.surface / "surface.yaml"
        file.write_text(
            file.read_text().replace("genre: crime", "genre: western").replace("{dtype: float}", "{dtype: int}")
        )


@pytest.fixture
def product(tmp_path: Path) -> Product:
    return Product(tmp_path)


def test_what_is_right_is_shown_with_its_rates(product: Product) -> None:
    done = product.check()
    assert (done.returncode, done.stderr) == (0, "")
    said = done.stdout
    assert "train: all 600 records of 2 files" in said
    assert [line.split() for line in said.splitlines() if line.strip().startswith("train   hour")] == [
        ["train", "hour", "100.0%", "-", "-"]
    ]
    assert said.rstrip().endswith("0 problems and 1 warning.")


def test_all_that_is_wrong_is_said_at_once_and_a_program_is_told_the_same(product: Product) -> None:
    product.slip()
    done = product.check("--json", "--", "--direct_num_worker=2")
    found = json.loads(done.stdout)
    assert (done.returncode, done.stderr, found["ok"]) == (2, "", False)
    problems = [each["sentence"] for each in found["findings"] if each["severity"] == "problem"]
    assert len(problems) == 3
    assert any("--direct_num_worker; did you mean 'direct_num_workers'" in each for each in problems)
    assert any("slice 'crime' has 0 labelled examples" in each for each in problems)
    assert any("teacher.features.match.dtype: declared int, the signature takes float32" in each for each in problems)


def test_a_run_says_the_same_before_its_first_node(product: Product) -> None:
    product.slip()
    with pytest.raises(InputError) as error:
        run.run(str(product.surface), product.examples, product.teacher, product.root)
    assert len(error.value.problems) == 2
    assert not product.root.exists()
