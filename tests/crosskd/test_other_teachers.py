"""What `crosskd experiment --teacher` asks a teacher, on the tests' library."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from crosskd.experiment import _teachers
from crosskd.other_teachers import answers_of
from records.examples import files_of
from records.shards import read_batches
from schema.errors import InputError
from schema.loader import load_surface
from tests.crosskd.test_teachers import Case


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Case:
    return Case(tmp_path_factory.mktemp("other-teachers"))


def _records(case: Case) -> tuple[str, list[bytes]]:
    train = case.logs / "span-1" / "train"
    return str(train), next(iter(read_batches(files_of(train)[0], 200)))


def test_it_says_what_it_says_and_nothing_where_it_says_nothing(case: Case):
    folder, records = _records(case)
    surface = load_surface(case.surface).surface
    given = {"old": case.teacher, "louder": case.louder, "guessing": case.guessing}
    found = {name: answer(records) for name, answer in answers_of(surface, given, folder).items()}
    assert set(found["old"]) == set(surface.teacher_tasks)
    np.testing.assert_allclose(found["louder"]["loan"], 1.5 * found["old"]["loan"], rtol=1e-5)
    nameless = np.isnan(found["guessing"]["loan"])
    np.testing.assert_array_equal(nameless, [_reader(record) == b"reader-3" for record in records])
    assert nameless.any()


def _reader(record: bytes) -> bytes:
    return tf.train.Example.FromString(record).features.feature["reader"].bytes_list.value[0]


def test_one_of_other_inputs_is_refused(case: Case, tmp_path):
    with pytest.raises(InputError, match="saved_model"):
        answers_of(load_surface(case.surface).surface, {"none": tmp_path}, _records(case)[0])


def test_a_name_or_that_of_the_folder(tmp_path):
    for name in ("old", "new"):
        (tmp_path / name).mkdir()
    assert _teachers([f"{tmp_path / 'old'}", f"fresh={tmp_path / 'new'}"]) == {
        "old": tmp_path / "old",
        "fresh": tmp_path / "new",
    }


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["a/b={}"], "the name in letters, digits and underscores"),
        (["same={}", "same={}"], "two teachers are called same"),
        (["gone={}/gone"], "expected the folder of a SavedModel"),
    ],
)
def test_what_names_no_teacher_is_refused(tmp_path, given: list[str], message: str):
    with pytest.raises(InputError, match=message):
        _teachers([each.format(tmp_path) for each in given])
