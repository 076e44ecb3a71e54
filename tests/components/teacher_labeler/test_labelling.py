"""The real executor on the in-memory Beam runner: what comes out, value by value."""

from __future__ import annotations

from pathlib import Path

from tests.components.teacher_labeler.conftest import Labeler, make_example, make_surface, write_examples


def test_appends_the_teachers_logit_to_each_record(tmp_path: Path, labeler: Labeler, doubling_teacher: Path) -> None:
    train = [make_example(x=float(number), clicked=number % 2) for number in range(5)]
    examples = write_examples(tmp_path / "examples", {"train": [train[:3], train[3:]], "eval": [train[:2]]})

    labelled = labeler.run(examples, doubling_teacher, make_surface())

    assert labelled.soft_labels("click") == [0.0, 2.0, 4.0, 6.0, 8.0]
    assert labelled.soft_labels("click", "eval") == [0.0, 2.0]
    assert all(after.startswith(before) for before, after in zip(train, labelled.records(), strict=True))
