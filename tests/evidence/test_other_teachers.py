from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from numpy.typing import NDArray

from evidence import other_teachers
from evidence.choosing import Budget
from evidence.data import RunData, load
from evidence.experiment import Plan, run
from evidence.paths import RunPaths
from schema.errors import InputError
from tests.evidence.test_data import paths as paths  # fixtures: a run of the tiny surface
from tests.evidence.test_data import serialized
from tests.models.conftest import ROWS, SURFACE, Transformed
from tests.models.conftest import transformed as transformed

ALONE = SURFACE.model_copy(update={"group": None})


def _values(records: Sequence[bytes], name: str) -> NDArray[np.float32]:
    found = tf.io.parse_example(list(records), {name: tf.io.FixedLenFeature([], tf.float32, np.nan)})
    return found[name].numpy()


def louder(records: Sequence[bytes]) -> Mapping[str, NDArray[np.float32]]:
    """What the run's teacher said, three times as loud and off by five."""
    return {task: 3 * _values(records, f"teacher/{task}") + 5 for task in ("click", "stay")}


def opposite(records: Sequence[bytes]) -> Mapping[str, NDArray[np.float32]]:
    """The opposite of what predicts a click."""
    return dict.fromkeys(("click", "stay"), -_values(records, "match"))


@pytest.fixture(scope="module")
def kept(paths: RunPaths, transformed: Transformed, tmp_path_factory: pytest.TempPathFactory) -> RunPaths:
    """The run with its training examples as they were before Transform, of which some are pairs as well."""
    folder = tmp_path_factory.mktemp("labelled")
    for name, rows in (("train", transformed.raw), ("pairs", transformed.raw[:30])):
        (folder / name).mkdir()
        with tf.io.TFRecordWriter(str(folder / name / "part.gz"), "GZIP") as writer:
            for row in rows:
                writer.write(serialized(row))
    return replace(paths, labelled_train=(str(folder / "train"),), labelled_unlabelled=(str(folder / "pairs"),))


@pytest.fixture(scope="module")
def loaded(kept: RunPaths) -> RunData:
    return load(ALONE, kept)


@pytest.fixture(scope="module")
def answered(loaded: RunData, kept: RunPaths) -> RunData:
    pairs = {name: column[:30] for name, column in loaded.training.items()}
    return other_teachers.answered(
        replace(loaded, unlabelled=pairs), ALONE, kept, {"louder": louder, "opposite": opposite}
    )


def test_each_row_has_what_the_teacher_says_of_it_z_scored(answered: RunData, loaded: RunData):
    for task in ("click", "stay"):
        ours, theirs = (answered.training[f"teacher/{name}{task}"] for name in ("", "louder__"))
        np.testing.assert_allclose(theirs, ours, atol=1e-4)
    said = np.isfinite(answered.training["teacher/louder__click"])
    assert said.sum() == ROWS * 0.9  # where the teacher says nothing there is no soft label
    match = answered.training["match"][:, 0]
    np.testing.assert_allclose(answered.training["teacher/opposite__click"], -match, atol=1e-3)
    for name in ("teacher/click", "label/click", "match", "user"):
        np.testing.assert_allclose(np.sort(answered.training[name], axis=0), np.sort(loaded.training[name], axis=0))


def test_its_own_scale_leads_back_to_its_logits(answered: RunData):
    scale, own = answered.statistics["teacher/louder__click"], answered.statistics["teacher/click"]
    assert scale.std == pytest.approx(3 * own.std, rel=1e-4)
    assert scale.mean == pytest.approx(3 * own.mean + 5, rel=1e-4)


def test_evaluation_rows_and_pairs_are_answered_in_their_order(answered: RunData, loaded: RunData):
    said = answered.evaluation["teacher/louder__click"]
    np.testing.assert_allclose(said, loaded.evaluation["teacher/click"], atol=1e-4)
    np.testing.assert_allclose(answered.other_teachers["louder"]["click"], 3 * loaded.teacher["click"] + 5, rtol=1e-5)
    assert answered.unlabelled is not None
    np.testing.assert_array_equal(
        answered.unlabelled["teacher/opposite__stay"], answered.training["teacher/opposite__stay"][:30]
    )


def test_one_that_says_always_the_same_teaches_nothing_and_divides_by_nothing(loaded: RunData, kept: RunPaths):
    def same(records: Sequence[bytes]) -> Mapping[str, NDArray[np.float32]]:
        return dict.fromkeys(("click", "stay"), np.full(len(records), 2.0, np.float32))

    found = other_teachers.answered(loaded, ALONE, kept, {"same": same})
    assert (found.training["teacher/same__click"] == 0).all()


def test_one_that_says_nothing_is_an_error(loaded: RunData, kept: RunPaths):
    def silent(records: Sequence[bytes]) -> Mapping[str, NDArray[np.float32]]:
        return {"click": np.full(len(records), np.nan, np.float32), "stay": _values(records, "match")}

    with pytest.raises(InputError, match="teacher/silent__click: expected the teacher's answers"):
        other_teachers.answered(loaded, ALONE, kept, {"silent": silent})


def test_each_teacher_has_candidate_placebos_ceiling_and_its_own_quality(kept: RunPaths):
    plan = Plan(ALONE, seeds=2, tuning=Budget(settings=1, widen=0), few=True, teachers={"opposite": opposite})
    result = run(plan, [kept], lambda _: None)
    means = {(each.arm, each.task): each.mean for each in result.means if each.slice is None}
    theirs = {f"opposite/{name}" for name in ("shuffled", "gaussian", "logits_as_inputs", "teacher")}
    ours = {"control", "student", "shuffled", "gaussian", "logits_as_inputs", "teacher"}
    assert {arm for arm, _ in means} == ours | theirs | {"opposite"}  # without distillation all controls are the same
    assert means["teacher", "click"] > 0.7
    assert means["opposite/teacher", "click"] == pytest.approx(1 - means["teacher", "click"], abs=0.05)
    assert {(each.candidate, each.difference.arm) for each in result.comparisons} == {("opposite", "student")}
    of_click = {each.candidate for each in result.findings if each.task == "click" and each.transfer is not None}
    assert of_click == {"student", "opposite"}


def test_a_name_that_an_arm_has_is_refused(kept: RunPaths):
    plan = Plan(ALONE, seeds=4, teachers={"control": louder})
    with pytest.raises(InputError, match="two arms are called control"):
        run(plan, [kept], lambda _: None)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("warm_start", {"user": {}}),
        ("representations", {"trunk": {"from": "layer"}}),
        ("histories", {"user": {"of": "layer"}}),
    ],
)
def test_what_reads_more_of_the_runs_teacher_is_refused(kept: RunPaths, key: str, value: dict[str, object]):
    surface = ALONE.model_copy(update={key: value})
    with pytest.raises(InputError, match=f"{key} reads the run's own teacher"):
        run(Plan(surface, seeds=4, teachers={"louder": louder}), [kept], lambda _: None)


def test_a_run_that_kept_no_examples_cannot_be_answered(loaded: RunData, paths: RunPaths):
    with pytest.raises(InputError, match="labelled training examples; it names none"):
        other_teachers.answered(loaded, ALONE, paths, {"louder": louder})


def test_the_folder_of_the_examples_must_be_there(loaded: RunData, kept: RunPaths, tmp_path: Path):
    gone = replace(kept, labelled_train=(str(tmp_path / "gone"),))
    with pytest.raises(InputError, match="gone"):
        other_teachers.answered(loaded, ALONE, gone, {"louder": louder})
