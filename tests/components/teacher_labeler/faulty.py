"""What tests of failures share: sound examples, and that nothing of a failed run is left."""

from __future__ import annotations

from tests.components.teacher_labeler.conftest import Labeler, make_example

GOOD = [make_example(x=float(number), clicked=number % 2) for number in range(50)]


def assert_nothing_published(labeler: Labeler) -> None:
    assert [path for path in labeler.root.rglob("*") if path.suffix == ".gz" or ".staging" in path.parts] == []
