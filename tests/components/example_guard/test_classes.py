"""Labels that are none of their task's classes are told with counts, whatever the column's type."""

from __future__ import annotations

from components.example_guard.classes import foreign_classes
from schema.surface import Surface
from tests.examples import example

SURFACE = Surface.model_validate(
    {
        "name": "shelves",
        "features": {"x": {"kind": "numeric"}},
        "tasks": {
            "shelf": {"kind": "multiclass", "label": "shelf", "classes": ["top", "low"], "ungated": "a test"},
            "stars": {"kind": "multiclass", "label": "stars", "classes": [1, 2, 3], "ungated": "a test"},
        },
    }
)


def told(*rows: dict) -> list[str]:
    return list(foreign_classes([[example(row).SerializeToString() for row in rows]], SURFACE))


def test_classes_and_absent_labels_are_fine() -> None:
    assert told({"shelf": b"top", "stars": 3}, {"shelf": b"low"}, {"stars": 1}, {"x": 1.0}) == []


def test_others_are_counted_by_name_and_number() -> None:
    found = told({"shelf": b"attic", "stars": 7}, {"shelf": b"attic", "stars": 2}, {"shelf": b"cellar"}, {"stars": 0})
    assert len(found) == 2
    assert (
        "one of the classes of task 'shelf' (top, low), found others in 3 of 4 examples (attic in 2, cellar in 1)"
        in found[0]
    )
    assert "one of the classes of task 'stars' (1, 2, 3), found others in 2 of 4 examples (7 in 1, 0 in 1)" in found[1]


def test_a_column_of_another_type_and_several_labels() -> None:
    found = told({"shelf": 1, "stars": 3})
    assert found == ["column 'shelf': the classes of task 'shelf' are names, found ints."]
    twice = example({"shelf": b"top"})
    twice.features.feature["stars"].int64_list.value.extend([1, 2])
    found = list(foreign_classes([[twice.SerializeToString()]], SURFACE))
    assert found == ["column 'stars': expected one value in an example, found up to 2. Keep one."]


def test_nothing_is_read_without_such_a_task() -> None:
    def never():
        raise AssertionError("no batch is asked for")
        yield

    plain = SURFACE.model_copy(update={"tasks": {}})
    assert list(foreign_classes(never(), plain)) == []
