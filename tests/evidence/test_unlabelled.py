"""Pairs never shown and warm starts in an experiment: with the knowing teacher, and as placebos."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf
from sklearn.metrics import roc_auc_score

from evidence.arms import group, student
from evidence.data import RunData
from evidence.fitting import Fitter
from schema.candidates import Unlabelled, WarmStart
from schema.errors import InputError
from tests.evidence.conftest import ITEMS, SURFACE, USERS, draw

LABELLED = 300
PAIRS = SURFACE.model_copy(update={"unlabelled": Unlabelled(per_row=5)})


@pytest.fixture(scope="module")
def extended(tmp_path_factory: pytest.TempPathFactory) -> RunData:
    """Few labelled rows, many pairs, and a teacher that offers what it knows of items."""
    everything = draw(np.random.default_rng(0), rows=LABELLED + 1500)
    pairs = {name: column[LABELLED:].copy() for name, column in everything.training.items()}
    for label in ("label/click", "label/minutes"):
        pairs[label][:] = np.nan
    module = tf.Module()
    vectors = np.zeros((ITEMS, 3), np.float32)
    known = everything.training["teacher/click"]
    for item in range(ITEMS):
        vectors[item] = [known[everything.training["item"] == item].mean(), 0, 0]
    module.offer = tf.function(
        lambda: {"item_ids": tf.range(ITEMS, dtype=tf.int64), "item_vectors": tf.constant(vectors)}, input_signature=[]
    )
    folder = str(tmp_path_factory.mktemp("teacher"))
    tf.saved_model.save(module, folder, signatures={"embeddings": module.offer})
    rows = np.arange(LABELLED)
    return replace(
        everything,
        training={name: column[:LABELLED] for name, column in everything.training.items()},
        unlabelled=pairs,
        fitted=rows[rows % 5 != 0],
        held_out=rows[rows % 5 == 0],
        vocabularies={"user": [b"%d" % each for each in range(USERS)], "item": [b"%d" % each for each in range(ITEMS)]},
        teacher_model=folder,
    )


def auc(fitter: Fitter, data: RunData, arm, seed: int = 1) -> float:
    surface = arm.surface.model_copy(update={"training": arm.surface.training.model_copy(update={"seed": seed})})
    fitted = fitter.fit(
        surface,
        arm.columns(data.training, seed),
        distil=arm.distil,
        unlabelled=arm.unlabelled(data.unlabelled, seed),
        placebo=arm.of is not None,
    )
    found = fitter.predict(surface, fitted, data.evaluation, distil=arm.distil)
    return float(roc_auc_score(data.evaluation["label/click"], found["click"]))


def test_pairs_that_the_teacher_knows_help_and_shuffled_ones_do_not(extended):
    fitter, arms = Fitter(extended), group(student(PAIRS))

    def mean(arm) -> float:
        return np.mean([auc(fitter, extended, arm, seed) for seed in range(1, 5)])

    with_pairs = mean(arms.candidate)
    assert with_pairs > mean(student(SURFACE)) + 0.005
    assert with_pairs > mean(arms.placebos[0]) + 0.05


def test_a_warm_start_is_the_teacher_s_and_a_placebo_s_is_dealt_out_at_random(extended):
    warm = SURFACE.model_copy(update={"warm_start": {"item": WarmStart()}})
    unmoved = warm.model_copy(
        update={"training": warm.training.model_copy(update={"learning_rate": 1e-9, "epochs": 1})}
    )
    fitter = Fitter(extended)

    def first_item_vectors(placebo: bool) -> np.ndarray:
        fitted = fitter.fit(unmoved, extended.training, distil=True, placebo=placebo)
        return next(each for each in fitted.weights if each.shape == (ITEMS, 4))[:, 0]

    known = [extended.training["teacher/click"][extended.training["item"] == item] for item in range(ITEMS)]
    rows = [item for item, each in enumerate(known) if len(each) > 1]
    of_teacher = np.array([known[item].mean() for item in rows])
    assert abs(np.corrcoef(first_item_vectors(False)[rows], of_teacher)[0, 1]) > 0.5
    assert abs(np.corrcoef(first_item_vectors(True)[rows], of_teacher)[0, 1]) < 0.5


def test_placebos_shuffle_the_soft_labels_of_pairs_among_pairs(extended):
    shuffled = group(student(PAIRS)).placebos[0]
    found = shuffled.unlabelled(extended.unlabelled, 3)
    assert not np.array_equal(found["teacher/click"], extended.unlabelled["teacher/click"])
    np.testing.assert_array_equal(np.sort(found["teacher/click"]), np.sort(extended.unlabelled["teacher/click"]))
    np.testing.assert_array_equal(found["item"], extended.unlabelled["item"])


def test_a_control_has_none_and_an_arm_that_asks_for_what_the_run_lacks_is_an_error(extended):
    arms = group(student(PAIRS))
    assert arms.control.unlabelled(extended.unlabelled, 0) is None
    with pytest.raises(InputError, match="the run made none"):
        arms.candidate.unlabelled(None, 0)
    with pytest.raises(InputError, match="the run names none"):
        warm = SURFACE.model_copy(update={"warm_start": {"item": WarmStart()}})
        Fitter(replace(extended, teacher_model=None)).fit(warm, extended.training, distil=True)
