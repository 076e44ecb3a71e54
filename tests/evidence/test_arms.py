from __future__ import annotations

import numpy as np
import pytest

from evidence.arms import CONTROL, Arm, Role, gaussian, group, logits_as_inputs, shuffled, student, technique
from evidence.tuning import SETTINGS, Setting, settings
from schema.errors import InputError
from tests.evidence.conftest import SURFACE

COLUMNS = {
    "user": np.arange(5),
    "label/click": np.array([0, 1, 0, 1, 1], np.float32),
    "teacher/click": np.array([1, 2, np.nan, 4, 5], np.float32),
    "teacher/minutes": np.array([10, 20, np.nan, 40, 50], np.float32),
}


def test_shuffled_moves_soft_labels_together_and_nothing_else():
    found = shuffled(COLUMNS, np.random.default_rng(0))
    assert found["user"] is COLUMNS["user"]
    assert found["label/click"] is COLUMNS["label/click"]
    np.testing.assert_array_equal(found["teacher/minutes"], 10 * found["teacher/click"])
    np.testing.assert_array_equal(np.sort(found["teacher/click"]), [1, 2, 4, 5, np.nan])
    assert not np.array_equal(found["teacher/click"], COLUMNS["teacher/click"], equal_nan=True)


def test_gaussian_keeps_absent_labels_absent():
    found = gaussian(COLUMNS, np.random.default_rng(0))
    np.testing.assert_array_equal(np.isnan(found["teacher/click"]), [False, False, True, False, False])
    assert found["teacher/click"].dtype == np.float32
    assert found["user"] is COLUMNS["user"]


OF_CLASSES = {
    "user": np.arange(400),
    "teacher/place": np.random.default_rng(1).normal([-3.0, 0.0, 5.0], [0.1, 1.0, 2.0], (400, 3)).astype(np.float32),
}
OF_CLASSES["teacher/place"][7] = np.nan


def test_shuffled_keeps_the_classes_of_a_row_together():
    found = shuffled(OF_CLASSES, np.random.default_rng(0))["teacher/place"]
    assert not np.array_equal(found, OF_CLASSES["teacher/place"], equal_nan=True)
    rows = {row.tobytes() for row in OF_CLASSES["teacher/place"]}
    assert {row.tobytes() for row in found} == rows


def test_gaussian_noise_has_the_mean_and_deviation_of_each_class():
    found = gaussian(OF_CLASSES, np.random.default_rng(0))["teacher/place"]
    assert np.isnan(found[7]).all()
    np.testing.assert_allclose(np.nanmean(found, axis=0), [-3, 0, 5], atol=0.4)
    np.testing.assert_allclose(np.nanstd(found, axis=0), [0.1, 1, 2], rtol=0.15)
    told = np.corrcoef(found[:, 2][np.arange(400) != 7], OF_CLASSES["teacher/place"][:, 2][np.arange(400) != 7])
    assert abs(told[0, 1]) < 0.15


def test_logits_of_classes_as_inputs_are_probabilities_about_even_ones():
    content = SURFACE.model_dump(mode="json", by_alias=True)
    content["teacher"]["tasks"]["place"] = {"kind": "multiclass", "classes": ["a", "b", "c"]}
    content["non_serving_heads"] = {"where": {"from": "place", "loss": "kl"}}
    arm = logits_as_inputs(type(SURFACE).model_validate(content))
    assert arm.surface.features["teacher_logit_place"].size == 3
    rows = {"teacher/place": np.array([[0, 0, 0], np.log([0.7, 0.2, 0.1]), [np.nan] * 3], np.float32)}
    soft = {name: np.zeros(3, np.float32) for name in ("teacher/click", "teacher/minutes", "teacher/stay")}
    found = arm.columns(soft | rows, 0)["teacher_logit_place"]
    np.testing.assert_allclose(found, [[0, 0, 0], [1.1, -0.4, -0.7], [0, 0, 0]], atol=1e-5)


def test_placebos_of_two_candidates_are_different_draws():
    first = group(student(SURFACE)).placebos[0]
    second = group(technique("other", SURFACE)).placebos[0]
    assert (first.name, second.name) == ("shuffled", "other/shuffled")
    drawn = [arm.columns({"teacher/click": np.arange(50.0)}, 0)["teacher/click"] for arm in (first, first, second)]
    np.testing.assert_array_equal(drawn[0], drawn[1])
    assert not np.array_equal(drawn[0], drawn[2])


def test_a_technique_shares_the_control_only_if_it_is_the_same_model():
    control = group(student(SURFACE)).control
    tasks = {"click": SURFACE.tasks["click"].model_copy(update={"distil": None}), "minutes": SURFACE.tasks["minutes"]}
    fewer = SURFACE.model_copy(update={"tasks": tasks})
    assert group(technique("fewer", fewer), shared=control).control is control
    wider = SURFACE.model_copy(update={"model": SURFACE.model.model_copy(update={"trunk": (32,)})})
    own = group(technique("wider", wider), shared=control).control
    assert (own.name, own.of, own.role) == (f"wider/{CONTROL}", "wider", Role.CONTROL)


def test_logits_as_inputs_reads_the_mean_where_the_teacher_is_silent():
    arm = logits_as_inputs(SURFACE)
    assert isinstance(arm, Arm)
    assert not arm.distil
    found = arm.columns(COLUMNS, 0)
    np.testing.assert_array_equal(found["teacher_logit_click"], [[1], [2], [0], [4], [5]])
    assert set(arm.surface.features) - set(SURFACE.features) == {"teacher_logit_click", "teacher_logit_minutes"}


def test_settings_change_what_they_say():
    found = Setting("x", rate=0.5, l2=10.0, dropout=0.2).apply(SURFACE)
    assert found.training.learning_rate == pytest.approx(0.005)
    assert found.model.l2 == pytest.approx(0.001)
    assert found.model.dropout == pytest.approx(0.2)
    without = SURFACE.model_copy(update={"model": SURFACE.model.model_copy(update={"l2": 0.0})})
    assert Setting("x", l2=10.0).apply(without).model.l2 == pytest.approx(1e-4)
    assert Setting("as configured").apply(SURFACE) == SURFACE


def test_a_budget_is_the_first_settings():
    assert settings(2) == SETTINGS[:2]
    with pytest.raises(InputError, match="expected 1 to 8"):
        settings(0)
