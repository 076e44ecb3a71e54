"""`crosskd teachers` on the tests' library: a teacher beside itself, a louder one, and one that guesses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import tensorflow as tf
from typer.testing import CliRunner, Result

from contracts.outcome import Exit
from crosskd.main import app
from tests.e2e import library

ROWS = library.TRAIN_ROWS + library.EVAL_ROWS


class Guessing(tf.Module):
    """A teacher that reads the reader's name alone, and leaves those out who have none in it."""

    @tf.function(input_signature=library.TEACHER_INPUTS)
    def rank(self, name: tf.Tensor, match: tf.Tensor, hour: tf.Tensor) -> dict[str, tf.Tensor]:
        logit = tf.cast(tf.strings.to_hash_bucket_fast(name, 101), tf.float32) / 50 + 0 * (match + hour)
        nameless = tf.equal(name, "reader-3")
        return {"loan_logit": tf.where(nameless, float("nan"), logit)[:, tf.newaxis], "fun": logit}


class Case:
    """Spans, and teachers."""

    def __init__(self, folder: Path):
        self.surface = library.write_surface(folder / "surface")
        self.logs = folder / "logs"
        for span in (1, 2):
            library.write_examples(self.logs / f"span-{span}", seed=span)
        self.teacher = library.write_teacher(folder / "teacher")
        self.louder = library.write_teacher(folder / "louder", scale=1.5)
        self.guessing = folder / "guessing"
        module = Guessing()
        tf.saved_model.save(module, str(self.guessing), signatures={"rank": module.rank})

    def teachers(self, *teachers: Path, more: tuple[str, ...] = ()) -> Result:
        given = [part for each in teachers for part in ("--teacher", str(each))]
        where = ["--surface", str(self.surface), "--examples", str(self.logs)]
        return CliRunner().invoke(app, ["teachers", *where, *given, *more])


@pytest.fixture(scope="module")
def case(tmp_path_factory) -> Case:
    return Case(tmp_path_factory.mktemp("two-teachers"))


def test_a_teacher_beside_itself_says_the_same(case):
    done = case.teachers(case.teacher, case.teacher)
    assert done.exit_code == Exit.OK, done.output
    assert f"{ROWS:,} examples of span 2, 0 left out" in done.output
    assert "Both are the same teacher" in done.output
    assert "1.0000 [1.0000, 1.0000]" in done.output


def test_a_louder_teacher_ranks_alike_and_is_less_calibrated(case):
    done = case.teachers(case.teacher, case.louder, more=("--span", "1", "--json"))
    assert done.exit_code == Exit.OK, done.output
    told = json.loads(done.stdout)
    found = told["compared"]["side_by_side"]
    assert (told["span"], told["compared"]["examples"]) == ("1", ROWS)
    overall = next(each for each in found["agreement"] if (each["task"], each["slice"]) == ("loan", ""))
    assert overall["correlation"]["value"] == pytest.approx(1.0, abs=1e-6)
    assert overall["spread"] == pytest.approx(1.5, abs=1e-4)
    quality = {(each["metric"], each["slice"]): each for each in found["quality"]}
    assert {("auc", ""), ("auc", "genre=crime"), ("calibration", "")} <= set(quality)
    assert quality["auc", ""]["difference"]["value"] == pytest.approx(0, abs=1e-9)
    assert abs(quality["calibration", ""]["difference"]["value"]) > 0.01
    assert quality["auc", ""]["old"]["value"] > 0.75
    assert found["worse"] == found["better"] == []
    assert told["old"][1] != told["new"][1]


def test_one_that_guesses_is_worse_and_what_it_cannot_answer_is_left_out(case, tmp_path):
    done = case.teachers(case.teacher, case.guessing, more=("--page", str(tmp_path / "page.html")))
    assert "The new one is worse on borrowed." in (tmp_path / "page.html").read_text(encoding="utf-8")
    assert done.exit_code == Exit.ALERT, done.output
    assert "WORSE on borrowed: a student would learn it from a teacher that knows less than today's." in done.output
    left = int(done.output.split(" left out")[0].rsplit(" ", 1)[-1])
    assert 0.03 * ROWS < left < 0.07 * ROWS  # one reader of twenty
    other_way = case.teachers(case.guessing, case.teacher)
    assert other_way.exit_code == Exit.OK
    assert "Better on borrowed." in other_way.output


@pytest.mark.parametrize("count", [1, 3])
def test_it_takes_two(case, count):
    done = case.teachers(*[case.teacher] * count)
    assert done.exit_code == Exit.BAD_INPUT
    assert f"expected it twice, the old teacher's SavedModel and the new one's; found {count}" in done.stderr


def test_a_page_has_a_name_for_one(case):
    done = case.teachers(case.teacher, case.louder, more=("--page", "page.txt"))
    assert done.exit_code == Exit.BAD_INPUT
    assert "--page page.txt: expected a name ending in .html" in done.stderr


def test_a_teacher_that_does_not_fit_is_named(case, tmp_path):
    unfit = library.write_teacher(tmp_path / "unfit", signature="other")
    done = case.teachers(case.teacher, unfit)
    assert done.exit_code == Exit.BAD_INPUT
    assert str(unfit) in done.stderr
