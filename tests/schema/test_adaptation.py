"""The feature adaptation as it is declared: which keys go together, and where vocabularies lie."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from tensorflow_metadata.proto.v0 import schema_pb2

from schema.adaptation import check_adaptation, resolve_vocabularies
from schema.checks import Problems
from schema.errors import InputError
from schema.surface import Surface
from schema.teacher import Teacher
from schema.teacher_feature import TeacherFeature


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"constant": 1.0, "default": 0.0}, "`constant` and `default` exclude each other"),
        ({"constant": 0.0, "from": "x"}, "`constant` and `from` exclude each other"),
        ({"drop": True, "default": 0.0}, "`drop` and `default` exclude each other"),
        ({"vocabulary": "v.tsv", "default": 0.0, "clip": {"max": 1}}, "`vocabulary` and `clip` exclude each other"),
        ({"ragged": True, "pad": 0.0}, "`ragged` and `pad` exclude each other"),
        ({"vocabulary": "v.tsv"}, "`vocabulary` needs a `default:`"),
        ({"dtype": "string", "clip": {"max": 1}}, "`clip` is for numbers, found dtype string"),
        ({"clip": {}}, "clip needs `min:`, `max:` or both"),
        ({"clip": {"min": 2, "max": 1}}, "clip needs min <= max, found 2.0 > 1.0"),
        ({"ragged": True, "size": 2}, "`ragged` takes lists of any length, found size 2"),
        ({"length_of": "y", "pad": 0.0}, "`length_of` and `pad` exclude each other"),
        ({"length_of": "y", "from": "z"}, "`length_of` and `from` exclude each other"),
        ({"length_of": "y", "size": 2}, "`length_of` is one int or float, found dtype float, size 2"),
        ({"max_fill_rate": 1.5}, "less than or equal to 1"),
    ],
)
def test_keys_that_do_not_go_together(keys: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        TeacherFeature.model_validate({"dtype": "float", **keys})


@pytest.mark.parametrize("key", ["drop", "ragged"])
def test_a_tensor_needs_a_value(key: str) -> None:
    content = {"tasks": {"click": {"kind": "binary"}}, "features": {"x": {"dtype": "float", key: True}}}

    with pytest.raises(ValidationError, match=rf"features.x.{key}: only with `takes: examples`"):
        Teacher.model_validate(content)
    assert Teacher.model_validate({**content, "takes": "examples"}).features["x"].reads == (key == "ragged")


def _surface(vocabulary: str) -> Surface:
    feature = {"dtype": "int", "vocabulary": vocabulary, "default": 0}
    return Surface.model_validate(
        {
            "name": "tiny",
            "features": {"x": {"kind": "numeric"}},
            "tasks": {"click": {"kind": "binary", "label": "clicked", "ungated": "a test"}},
            "teacher": {"tasks": {"click": {"kind": "binary"}}, "features": {"x": feature}},
        }
    )


def _resolved(vocabulary: str, folder: Path) -> str | None:
    teacher = resolve_vocabularies(_surface(vocabulary), folder).teacher
    return teacher.features["x"].vocabulary if teacher else None


def test_vocabularies_lie_beside_the_surface(tmp_path: Path) -> None:
    (tmp_path / "v.tsv").write_text("1\t2\n")

    assert _resolved("v.tsv", tmp_path) == str(tmp_path / "v.tsv")
    assert _resolved("gs://bucket/v.tsv", tmp_path) == "gs://bucket/v.tsv"
    with pytest.raises(InputError, match=r"surface.yaml: teacher.features.x.vocabulary: expected a file relative to"):
        _resolved("w.tsv", tmp_path)


@pytest.mark.parametrize(
    ("key", "dtype", "value"),
    [
        ("default", "float", "0.5"), ("default", "int", 0.5), ("default", "string", 3), ("constant", "int", "3"),
        ("constant", "string", 1.5), ("pad", "string", 0), ("pad", "int", 0.5),
    ],
)  # fmt: skip
def test_a_filling_value_of_another_type_is_refused_with_the_surface(key: str, dtype: str, value: Any) -> None:
    feature = TeacherFeature.model_validate({"dtype": dtype, key: value})
    teacher = Teacher.model_validate({"tasks": {"t": {"kind": "binary"}}, "features": {"x": {"dtype": "float"}}})
    tasks = {"t": {"kind": "binary", "label": "y", "ungated": "test"}}
    surface = Surface.model_validate({"name": "s", "features": {"x": {"kind": "numeric"}}, "tasks": tasks})
    teacher = teacher.model_copy(update={"features": {"x": feature}})
    surface = surface.model_copy(update={"teacher": teacher})
    columns = {"x": schema_pb2.Feature(name="x")}
    problems = Problems()
    check_adaptation(surface, columns, Path("surface.yaml"), problems)
    assert [each.partition(", found")[0] for each in problems.found] == [
        f"surface.yaml: teacher.features.x.{key}: expected a value of dtype {dtype}"
    ]


@pytest.mark.parametrize(("found", "lists"), [({}, "none"), ({"z": {"dtype": "int", "pad": 0, "size": 3}}, "z")])
def test_a_length_is_that_of_a_list(found: dict, lists: str) -> None:
    features = {"x": {"dtype": "int", "length_of": "y"}, "y": {"dtype": "int"}, **found}
    message = rf"features.x.length_of: expected a list .* `ragged`: {lists}\), found 'y'"
    with pytest.raises(ValidationError, match=message):
        Teacher.model_validate({"tasks": {"click": {"kind": "binary"}}, "features": features})
