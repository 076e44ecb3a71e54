import numpy as np
import pytest
import tensorflow as tf

from models import warm_start
from models.warm_start import Embeddings
from schema.errors import InputError
from schema.surface import Surface
from tests.models.conftest import SURFACE

TABLE = np.array([[0.3, -0.3], [0.1, 0.1], [-0.2, 0.0], [0.2, -0.2]], np.float32)


def warm(**declared: str) -> Surface:
    return Surface.model_validate({**SURFACE.model_dump(by_alias=True), "warm_start": {"user": declared}})


def line() -> Embeddings:
    """Ids a, b and c on the line (2, 1, -2), at 3 times 1, 0 and -1; and one that the target has not."""
    return Embeddings([b"c", b"b", b"a", b"nobody"], np.float32([[-2, -1, 2], [0, 0, 0], [2, 1, -2], [9, -9, 9]]))


def test_ids_known_to_both_get_projections_and_all_others_keep_their_own():
    made = warm_start.initial(TABLE[:, :1], [b"a", b"new", b"c"], line())
    factor = TABLE[:, 0].std() / 3  # the projections are 3 and -3, their deviation is 3
    np.testing.assert_allclose(np.abs(made[[0, 2], 0]), 3 * factor, rtol=1e-5)
    assert made[0, 0] == -made[2, 0]
    np.testing.assert_array_equal(made[[1, 3]], TABLE[[1, 3], :1])  # unknown to the teacher; out of vocabulary


def test_columns_beyond_the_teacher_s_width_stay_as_they_were():
    narrow = Embeddings([b"a", b"b"], np.float32([[1], [-1]]))
    made = warm_start.initial(TABLE, [b"a", b"b"], narrow)
    np.testing.assert_allclose(np.abs(made[:2, 0]), TABLE.std(), rtol=1e-5)
    np.testing.assert_array_equal(made[:, 1], TABLE[:, 1])


def test_two_dimensions_keep_the_distances_between_ids():
    vectors = np.float32([[1, 0, 5], [0, 2, 5], [-1, -1, 5]])
    made = warm_start.initial(TABLE, [b"a", b"b", b"c"], Embeddings([b"a", b"b", b"c"], vectors))
    factor = TABLE.std() / (vectors - vectors.mean(axis=0))[:, :2].std()
    for one, other in ((0, 1), (0, 2), (1, 2)):
        expected = factor * np.linalg.norm(vectors[one] - vectors[other])
        assert np.linalg.norm(made[one] - made[other]) == pytest.approx(expected, rel=1e-4)


def test_a_placebo_deals_the_same_vectors_out_to_other_ids():
    dealt = line().shuffled(np.random.default_rng(0))
    assert dealt.ids == line().ids
    assert sorted(map(tuple, dealt.vectors)) == sorted(map(tuple, line().vectors))
    assert not np.array_equal(dealt.vectors, line().vectors)


def test_no_id_in_common_is_an_error():
    with pytest.raises(InputError, match=r"found 1 of 2 in the target's vocabulary among the teacher's 4"):
        warm_start.initial(TABLE, [b"a", b"someone"], line())


class Teacher(tf.Module):
    @tf.function(input_signature=[])
    def embeddings(self):
        return {"user_ids": tf.constant([3, 5], tf.int64), "user_vectors": tf.constant([[1.0, 2.0], [3.0, 4.0]])}


@pytest.fixture(scope="module")
def teacher(tmp_path_factory) -> str:
    folder = str(tmp_path_factory.mktemp("teacher"))
    module = Teacher()
    tf.saved_model.save(module, folder, signatures={"embeddings": module.embeddings})
    return folder


@pytest.mark.parametrize("below", ["", "/Format-Serving"])
def test_what_the_teacher_offers_is_read_under_the_declared_names(teacher, below):
    found = warm_start.read(warm(), teacher + below)["user"]
    assert found.ids == [b"3", b"5"]
    np.testing.assert_array_equal(found.vectors, [[1, 2], [3, 4]])


@pytest.mark.parametrize(
    ("declared", "message"),
    [
        ({"signature": "vectors"}, r"expected a signature 'vectors' with the teacher's embeddings, found embeddings"),
        ({"from": "person"}, r"expected person_ids and person_vectors in signature 'embeddings', found user_ids"),
        ({"ids": "user_vectors"}, r"expected ids \[count\] and vectors \[count, width\], found shapes \(2, 2\)"),
    ],
)
def test_what_it_does_not_offer_is_an_error(teacher, declared, message):
    with pytest.raises(InputError, match=message):
        warm_start.read(warm(**declared), teacher)


def test_a_folder_without_a_model_is_an_error(tmp_path):
    with pytest.raises(InputError, match=r"expected the teacher's SavedModel"):
        warm_start.read(warm(), str(tmp_path))


def test_the_ids_that_a_teacher_offers_have_both_outputs(teacher, tmp_path):
    assert warm_start.offered_ids(teacher) == {"user"}
    other = tf.Module()
    other.ids = tf.function(lambda: {"user_ids": tf.constant([1])}, input_signature=[])
    for name, offers in (("embeddings", set()), ("other", set())):
        tf.saved_model.save(other, str(tmp_path / name), signatures={name: other.ids})
        assert warm_start.offered_ids(str(tmp_path / name)) == offers
