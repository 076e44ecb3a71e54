from __future__ import annotations

from pathlib import Path

import pytest
import tensorflow as tf

from contracts.held_out import HeldOutRows
from crosskd.days import _layout, _numbers, _teachers, print_result
from crosskd.labelled_spans import LabelledSpans
from crosskd.terminal import TERMINAL
from evidence.days.cells import FROZEN, REPLACED
from records.spans import SpanFolders
from schema.errors import InputError
from schema.loader import load_surface
from tests.e2e import library
from tests.evidence.days.handmade import result


def test_numbers_are_whole_and_in_order():
    assert _numbers("--cold", "7, 2,2", least=1) == (2, 7)
    for wrong in ("", "2,x", "0", "-1", "1.5"):
        with pytest.raises(InputError, match=f"--cold {wrong}: expected whole numbers of 1 or more"):
            _numbers("--cold", wrong, least=1)


def test_a_teacher_for_each_span_is_a_savedmodel_each(tmp_path: Path):
    library.write_teacher(tmp_path / "span-0")
    library.write_teacher(tmp_path / "span-2")
    assert _teachers(tmp_path) == {0: tmp_path / "span-0", 2: tmp_path / "span-2"}
    assert _teachers(tmp_path / "span-0") == {0: tmp_path / "span-0"}
    (tmp_path / "span-3").mkdir()
    with pytest.raises(InputError, match=r"span-3: expected the folder of a SavedModel"):
        _teachers(tmp_path)
    with pytest.raises(InputError, match="expected the folder of a SavedModel"):
        _teachers(tmp_path / "span-3")


def test_the_teacher_is_replaced_in_the_middle_unless_said_otherwise():
    spans = tuple(range(1, 15))
    plans = _layout(2, (2, 7), spans, [*range(14)], (0, 3), None).plans
    assert [each.name for each in plans] == ["teacher 0 spans old", "teacher 3 spans old", FROZEN, REPLACED]
    assert [plans[3].by_span[span] for span in (6, 7, 13)] == [0, 7, 7]
    assert _layout(2, (2,), spans, [*range(14)], (0,), 9).plans[2].by_span[9] == 9
    assert [each.name for each in _layout(2, (2,), spans, [4], (0, 3), None).plans] == ["the teacher"]


def test_the_table_shows_arms_differences_and_what_follows(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(TERMINAL.out, "width", 200, raising=False)
    with TERMINAL.out.capture() as captured:
        strangers = HeldOutRows(slice="user without a training row", held_out=0.03, evaluation=0.66, last=True)
        found = result().model_copy(update={"held_out_rows": [strangers]})
        print_result(found, ["a sentence [with brackets]"])
    text = captured.get()
    for expected in (
        "homepage: spans 2 to 3",
        "continued, 1 span: control",
        "click AUC",
        "0.7000",
        "+0.0200 [+0.0100, +0.0300]",
        "undefined",
        "does continuing pay? (5,000 examples)",
        "what does a teacher's age cost?",
        "- a sentence [with brackets]",
        "- Epochs and settings were chosen by rows of which 3% are of a user without a training row;",
    ):
        assert expected in text


@pytest.fixture
def spans(tmp_path: Path) -> SpanFolders:
    for day in (1, 2):
        library.write_examples(tmp_path / "logs" / f"span-{day}", seed=day, sizes=(20, 10))
    return SpanFolders(tmp_path / "logs", "span-{SPAN}")


def test_spans_are_labelled_as_a_run_labels_them_and_once(spans: SpanFolders, tmp_path: Path):
    surface = load_surface(library.write_surface(tmp_path / "surface")).surface
    told: list[str] = []
    teachers = {
        0: Path(library.write_teacher(tmp_path / "old")),
        1: Path(library.write_teacher(tmp_path / "new", scale=2.0)),
    }
    labelled = LabelledSpans(surface, spans, teachers, told.append)
    old, new = (labelled(teacher, 2, "eval") for teacher in (0, 1))
    assert labelled(0, 2, "eval") is old
    assert [len(labelled(0, 1, split)) for split in ("train", "eval")] == [20, 10]
    assert told == [f"labelling with {tmp_path / 'old'}", f"labelling with {tmp_path / 'new'}"]
    spec = {"teacher/loan": tf.io.FixedLenFeature([], tf.float32), "match": tf.io.FixedLenFeature([], tf.float32)}
    first, second = (tf.io.parse_example(each, spec) for each in (old, new))
    assert (first["match"].numpy() == second["match"].numpy()).all()
    assert (first["teacher/loan"].numpy() != second["teacher/loan"].numpy()).all()


def test_examples_that_cannot_be_labelled_are_refused(spans: SpanFolders, tmp_path: Path):
    library.write_examples(tmp_path / "logs" / "span-3", without="match", sizes=(20, 10))
    surface = load_surface(library.write_surface(tmp_path / "surface")).surface
    labelled = LabelledSpans(surface, spans, {0: library.write_teacher(tmp_path / "t")}, lambda _: None)
    with pytest.raises(InputError, match="expected examples that the teacher can label, found some that it cannot"):
        labelled(0, 3, "train")
