"""People and items without a training row: slices of their own, and pairs that are told apart."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from evidence.arms import group, student, technique
from evidence.data import RunData, load
from evidence.paths import RunPaths
from models.without_row import with_row
from records.record_files import write_records
from schema.candidates import Unlabelled
from schema.errors import InputError
from tests.evidence.conftest import SURFACE
from tests.evidence.test_data import SLICED, serialized
from tests.evidence.test_data import paths as paths  # a fixture: a run
from tests.models.conftest import Transformed
from tests.models.conftest import transformed as transformed  # a fixture: what Transform left

PAIRED = SURFACE.model_copy(update={"unlabelled": Unlabelled(per_row=5)})
OF_ROWS = SURFACE.model_copy(update={"unlabelled": Unlabelled(per_row=5, catalogue=False)})


@pytest.fixture
def paired(knowing: RunData) -> RunData:
    """Training rows of the first users and items, and pairs of all of them."""
    trained = (knowing.training["user"] < 40) & (knowing.training["item"] < 30)
    return replace(
        knowing,
        training={name: column[trained] for name, column in knowing.training.items()},
        unlabelled=dict(knowing.training),
    )


def test_evaluation_rows_of_strangers_are_a_slice(paths: RunPaths, transformed: Transformed, tmp_path):
    known = [row for row in transformed.raw if row["user"] < 3]
    (tmp_path / "train").mkdir()
    write_records(str(tmp_path / "train" / "part.gz"), [serialized(row) for row in known], level=1)
    found = load(SLICED, replace(paths, labelled_train=(str(tmp_path / "train"),))).slices
    strangers = [row["user"] >= 3 for row in transformed.raw[::-1]]
    np.testing.assert_array_equal(found["user without a training row"], strangers)
    assert "user without a training row" not in load(SLICED, paths).slices


def test_pairs_of_rows_alone_are_those_whose_user_and_item_have_a_row_each(paired: RunData):
    users, items = (np.unique(paired.training[name]) for name in ("user", "item"))
    found = paired.pairs(OF_ROWS)
    assert 0 < len(found["user"]) < len(paired.unlabelled["user"])
    assert set(found["user"]) <= set(users)
    assert set(found["item"]) <= set(items)
    kept = np.isin(paired.unlabelled["user"], users) & np.isin(paired.unlabelled["item"], items)
    np.testing.assert_array_equal(with_row(OF_ROWS, paired.training, paired.unlabelled), kept)
    np.testing.assert_array_equal(found["teacher/click"], paired.unlabelled["teacher/click"][kept])
    assert paired.pairs(PAIRED) is paired.unlabelled
    assert replace(paired, unlabelled=None).pairs(OF_ROWS) is None


def test_an_arm_s_placebos_have_the_same_pairs_and_the_control_is_shared(paired: RunData):
    own = group(student(PAIRED))
    of_rows = group(technique("of_rows", OF_ROWS), shared=own.control)
    assert of_rows.control is own.control
    for each in (own, of_rows):
        pairs = paired.pairs(each.candidate.surface)
        for arm in (each.candidate, *each.placebos):
            np.testing.assert_array_equal(arm.unlabelled(paired.pairs(arm.surface), 1)["user"], pairs["user"])


def test_pairs_that_cannot_be_told_apart_or_are_not_there_are_an_error(paired: RunData):
    strange = {**paired.unlabelled, "user": paired.unlabelled["user"] + 1000}
    with pytest.raises(InputError, match="drawn: expected pairs of users and items with a training row, found none"):
        replace(paired, unlabelled=strange).pairs(OF_ROWS)
    named = OF_ROWS.model_copy(update={"unlabelled": Unlabelled(catalogue=False, user=("account",))})
    with pytest.raises(InputError, match=r"features that identify a user, .*'account' is none"):
        paired.pairs(named)
