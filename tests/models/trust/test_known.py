"""Which ids a teacher knows, by the indices that the student has for them."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from models.trust import known_rows
from schema.errors import InputError
from tests.models.trust.conftest import surface


class _Offering(tf.Module):
    @tf.function(input_signature=[])
    def embeddings(self):
        return {"person_ids": tf.constant([7, 3], tf.int64), "person_vectors": tf.zeros([2, 1])}


@pytest.fixture(scope="module")
def teacher(tmp_path_factory) -> str:
    folder, module = str(tmp_path_factory.mktemp("teacher")), _Offering()
    tf.saved_model.save(module, folder, signatures={"embeddings": module.embeddings})
    return folder


def test_ids_are_matched_by_value_and_others_are_unknown(teacher):
    found = known_rows(surface(), teacher, {"person": [b"3", b"4", b"7"]}, {"person": 5})
    np.testing.assert_array_equal(found["person"], [True, False, True, False, False])


def test_a_teacher_without_these_ids_is_an_error(teacher):
    asked = surface()
    asked = asked.model_copy(update={"trust": asked.trust.model_copy(update={"known": ("item",)})})
    with pytest.raises(InputError, match=r"trust.known: expected 'item_ids' .* found person_ids, person_vectors"):
        known_rows(asked, teacher, {"item": [b"1"]}, {"item": 2})
