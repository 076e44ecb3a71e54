from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from schema.slice import Slice, SliceColumn


def test_buckets_are_named_by_their_ends() -> None:
    by = SliceColumn(column="age", edges=(18, 40.5))
    assert by.name == "age (bucket)"
    assert [by.bucket(age) for age in (-3, 17.9, 18, 40, 40.5, 99)] == [
        *("under 18", "under 18", "18 to under 40.5", "18 to under 40.5", "40.5 or more", "40.5 or more")
    ]
    assert SliceColumn(column="age", edges=(0,)).bucket(0) == "0 or more"


def test_columns_are_the_examples_own_and_those_that_follow_from_them() -> None:
    part = Slice.model_validate({"features": {"shelf": None}, "buckets": {"age": [18]}, "most_frequent": {"city": 20}})
    assert part.columns == ["shelf", "age", "city"]
    assert [each.name for each in part.derived] == ["age (bucket)", "city (top 20)"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({}, "a slice needs a column under features, buckets or most_frequent"),
        ({"features": {"age": 3}, "buckets": {"age": [18]}}, "names each column once, found 'age' twice"),
        ({"buckets": {"age": [40, 18]}}, r"buckets\.age: expected ascending numbers, found 40, 18"),
        ({"buckets": {"age": []}}, "at least 1 item"),
        ({"most_frequent": {"city": 0}}, "greater than 0"),
    ],
)
def test_what_is_no_slice(content: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Slice.model_validate(content)
