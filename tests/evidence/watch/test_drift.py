"""Drift of a library's columns and predictions, and what the vocabularies know."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
import yaml
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from contracts.watch import Distance
from evidence.watch.coverage import coverage
from evidence.watch.drift import drift, statistics_of
from evidence.watch.scoring import ScoredExamples
from schema.surface import Surface
from tests.e2e import library

SURFACE = Surface.model_validate(yaml.safe_load(library.SURFACE))
SCHEMA = text_format.Parse(library.SCHEMA, schema_pb2.Schema())


def lists(values: list, kind: pa.DataType) -> pa.Array:
    return pa.array([None if value is None else [value] for value in values], pa.large_list(kind))


def examples(rows: int = 2000, seed: int = 0, **changed: list) -> ScoredExamples:
    """Examples as the library has them, with some columns replaced."""
    rng = np.random.default_rng(seed)
    columns = {
        "reader": [f"reader-{each}".encode() for each in rng.integers(20, size=rows)],
        "book": [int(each) for each in rng.integers(40, size=rows)],
        "genre": [
            None if rng.random() < 0.2 else (b"crime", b"poetry", b"travel")[each]
            for each in rng.integers(3, size=rows)
        ],
        "match": [float(each) for each in rng.normal(size=rows)],
        "pages": [int(each) if rng.random() < 0.5 else None for each in rng.integers(50, 900, rows)],
        "teacher/loan": [float(each) for each in rng.normal(size=rows)],
    }
    predicted = changed.pop("prediction", list(rng.beta(2, 2, rows)))
    columns |= changed
    kinds = {"book": pa.int64(), "pages": pa.int64(), "reader": pa.large_binary(), "genre": pa.large_binary()}
    table = pa.table({name: lists(values, kinds.get(name, pa.float32())) for name, values in columns.items()})
    return ScoredExamples(
        columns=table,
        predictions={"borrowed": np.array(predicted), "liked": np.array(predicted)},
        labels={},
        weights=None,
        groups=np.arange(rows),
        slices={},
        frequent={},
    )


def distances(now: ScoredExamples, before: ScoredExamples | None = None) -> dict[tuple[str, Distance], float]:
    told = [statistics_of(SURFACE, SCHEMA, each) for each in (before or examples(), now)]
    return {(each.column, each.distance): each.value for each in drift(SURFACE, SCHEMA, *told) if each.over}


def test_another_draw_of_the_same_is_no_drift():
    for seed in range(1, 6):
        assert distances(examples(seed=seed)) == {}


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"match": [0.0] * 2000}, ("match", Distance.JENSEN_SHANNON)),
        ({"pages": [200] * 2000}, ("pages", Distance.ABSENT)),
        ({"pages": [200 if each % 2 else None for each in range(2000)]}, ("pages", Distance.JENSEN_SHANNON)),
        ({"genre": [None] * 1999 + [b"crime"]}, ("genre", Distance.ABSENT)),
        ({"reader": [b"reader-0"] * 2000}, ("reader", Distance.L_INFINITY)),
        ({"book": [7] * 2000}, ("book", Distance.L_INFINITY)),
        ({"prediction": [0.9] * 2000}, ("prediction/borrowed", Distance.JENSEN_SHANNON)),
        ({"teacher/loan": [3.0] * 2000}, ("teacher/loan", Distance.JENSEN_SHANNON)),
    ],
    ids=[
        "a default",
        "always there",
        "one number",
        "never there",
        "one reader",
        "one book",
        "predictions",
        "soft labels",
    ],
)
def test_what_drifted_is_over_its_threshold(changed, expected):
    assert expected in distances(examples(seed=1, **changed))


def test_later_examples_need_no_soft_labels():
    assert distances(examples(seed=1, **{"teacher/loan": [None] * 2000})) == {}


def test_the_threshold_of_the_schema_counts():
    wide = schema_pb2.Schema()
    wide.CopyFrom(SCHEMA)
    for each in wide.feature:
        if each.name == "match":
            each.drift_comparator.jensen_shannon_divergence.threshold = 0.99
    moved = [float(each) for each in np.random.default_rng(1).normal(2, 1, 2000)]
    told = [statistics_of(SURFACE, wide, each) for each in (examples(), examples(seed=1, match=moved))]
    (found,) = (
        each for each in drift(SURFACE, wide, *told) if each.column == "match" and each.distance != Distance.ABSENT
    )
    assert found.threshold == 0.99 and not found.over and found.value > 0.2


def test_few_examples_tell_no_drift():
    told = [statistics_of(SURFACE, SCHEMA, each) for each in (examples(), examples(199, match=[0.0] * 199))]
    assert drift(SURFACE, SCHEMA, *told) == []


def test_the_share_of_values_that_are_known():
    table = pa.table(
        {"user": lists([b"a", b"b", None, b"c"], pa.large_binary()), "item": lists([1, 2, 2, 30], pa.int64())}
    )
    known = {"user": [b"a", b"c"], "item": [b"1", b"2"], "gone": [b"x"]}
    assert coverage(table, known) == {"user": pytest.approx(2 / 3), "item": 0.75}
