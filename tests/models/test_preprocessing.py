import numpy as np
import pytest
import tensorflow as tf
import tensorflow_transform as tft

from models import inputs
from models.dense import fill_absent
from models.preprocessing import preprocessing_fn
from models.scales import soft_statistics
from schema.errors import InputError
from schema.surface import Feature, Surface
from tests.models.conftest import ROWS


@pytest.fixture(scope="module")
def columns(transformed):
    spec = tft.TFTransformOutput(transformed.graph).transformed_feature_spec()
    found = inputs.transformed_columns(transformed.train_files, spec, list(spec))
    # Beam does not keep the order of rows; `match` is unique, and z-scoring keeps its order.
    return {name: column[np.argsort(found["match"].ravel())] for name, column in found.items()}


@pytest.fixture(scope="module")
def raw(transformed):
    return sorted(transformed.raw, key=lambda row: row["match"])


def test_every_row_arrives(columns):
    assert {len(column) for column in columns.values()} == {ROWS}


def test_numeric_features_are_z_scored(columns, raw):
    values = np.array([row["match"] for row in raw])
    assert columns["match"].ravel() == pytest.approx((values - values.mean()) / values.std(), abs=1e-4)
    assert columns["content"].shape == (ROWS, 2)
    assert columns["content"][:, 1] == pytest.approx(np.zeros(ROWS))  # constant: no division by zero


def test_absent_numeric_values_are_filled_with_the_default(columns, raw):
    values = np.array([row["age"][0] if row["age"] else 1.5 for row in raw])
    assert columns["age"].ravel() == pytest.approx((values - values.mean()) / values.std(), abs=1e-4)


def test_absent_strings_become_the_default_token(columns, raw):
    absent = np.array([not row["genre"] for row in raw])
    assert len(set(columns["genre"][absent])) == 1
    assert len(set(columns["genre"][~absent])) == 1
    assert columns["genre"].max() == 1


def test_hard_labels_keep_their_unit_and_absent_ones_are_nan(columns, raw):
    expected = [row["minutes"][0] if row["minutes"] else np.nan for row in raw]
    np.testing.assert_allclose(columns["label/minutes"], expected, rtol=1e-6)
    assert columns["label/click"] == pytest.approx([row["clicked"] for row in raw])


def test_soft_labels_are_z_scored_over_the_present_ones(columns, raw):
    present = np.array([bool(row["teacher/click"]) for row in raw])
    values = np.array([row["teacher/click"][0] for row in raw if row["teacher/click"]])
    assert columns["teacher/click"][present] == pytest.approx((values - values.mean()) / values.std(), abs=1e-4)
    assert np.isnan(columns["teacher/click"][~present]).all()


def test_representations_are_z_scored_a_dimension(columns, raw):
    present = np.array([bool(row["teacher/layer"]) for row in raw])
    values = np.array([row["teacher/layer"] for row in raw if row["teacher/layer"]])
    expected = (values - values.mean(axis=0)) / np.where(values.std(axis=0) > 0, values.std(axis=0), 1)
    np.testing.assert_allclose(columns["teacher/layer"][present], expected, atol=1e-4)
    assert np.isnan(columns["teacher/layer"][~present]).all()


def test_rows_of_one_group_have_one_number_of_their_own(columns, raw):
    users = np.array([row["user"] for row in raw])
    numbers = [set(columns["group/id"][users == user]) for user in range(7)]
    assert [len(each) for each in numbers] == [1] * 7
    assert len(set.union(*numbers)) == 7


def test_an_absent_weight_is_one(columns, raw):
    assert columns["weight/example"].tolist() == [row["importance"][0] if row["importance"] else 1.0 for row in raw]


def test_soft_statistics_are_those_that_transform_scaled_with(transformed, raw):
    found = soft_statistics(["teacher/click", "teacher/stay"], tft.TFTransformOutput(transformed.graph))
    for column, statistics in found.items():
        values = np.array([row[column][0] for row in raw if row[column]])
        assert (statistics.mean, statistics.std) == pytest.approx((values.mean(), values.std()), abs=1e-3)


@pytest.mark.parametrize("dtypes", [(tf.int64, tf.string), (tf.string, tf.int64)])
def test_surfaces_with_ids_of_other_types_fit_into_one_process(dtypes):
    label = {"kind": "binary", "label": "clicked", "ungated": "a test"}
    surface = {"name": "ids", "features": {"id": {"kind": "categorical"}}, "tasks": {"click": label}}
    config = {"surface": Surface.model_validate(surface).model_dump_json(by_alias=True)}
    for dtype in dtypes:
        spec = {"id": tf.TensorSpec([None], dtype), "clicked": tf.TensorSpec([None], tf.float32)}
        analyzed = tft.get_analyze_input_columns(lambda inputs: preprocessing_fn(inputs, config), spec)
        assert analyzed == ["id"]


def test_a_feature_that_may_be_absent_needs_a_default():
    column = tf.sparse.from_dense([[1.0], [0.0]])
    with pytest.raises(InputError, match=r"'age'.*no default.*surface.yaml"):
        fill_absent("age", Feature(kind="numeric"), column)
