import pytest

from components.blessing_gate.teacher import age_check, age_of
from contracts.decision import TeacherAge
from records.spans import newest_span
from schema.errors import InputError
from schema.gates import TeacherAgeGate

OLD, NEW = "a" * 64, "b" * 64


def age(tmp_path, span: str, teacher: str = OLD) -> TeacherAge:
    found = age_of(str(tmp_path / "serving"), teacher, span)
    assert found is not None
    return found


def test_a_teacher_ages_by_a_span_each_span_and_a_new_one_is_new(tmp_path):
    assert age(tmp_path, "2026-01-25:2026-01-31") == TeacherAge(fingerprint=OLD, first_seen="2026-01-31", spans=0)
    assert age(tmp_path, "2026-02-01:2026-02-07") == TeacherAge(fingerprint=OLD, first_seen="2026-01-31", spans=7)
    assert age(tmp_path, "2026-02-07", NEW).spans == 0
    assert age(tmp_path, "20260208").spans == 8
    # The same run again, and one on an earlier span.
    assert age(tmp_path, "2026-01-31").spans == 0
    assert age(tmp_path, "2026-01-20").spans == 0


def test_without_spans_there_is_no_age(tmp_path):
    assert age_of(str(tmp_path), OLD, "") is None
    assert age_of("", OLD, "7") is None
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("spans", "verdict"), [(7, "pass"), (8, "fail")])
def test_an_older_teacher_than_was_asked_blocks(spans, verdict):
    found = TeacherAge(fingerprint=OLD, first_seen="7", spans=spans)
    (check,) = age_check(TeacherAgeGate(at_most=7), found)
    assert check.verdict == verdict
    assert check.sentence == f"The teacher is {spans} spans old: it was first seen in 7. At most 7 were asked."
    (told,) = age_check(None, found)
    assert (told.verdict, told.sentence) == ("pass", f"The teacher is {spans} spans old: it was first seen in 7.")


def test_a_bound_on_an_age_that_is_not_known_blocks():
    (check,) = age_check(TeacherAgeGate(at_most=7), None)
    assert check.verdict == "fail"
    assert "the examples have no spans" in check.sentence
    assert age_check(None, None) == []


def test_what_is_kept_of_a_teacher_and_cannot_be_read_is_an_error(tmp_path):
    age(tmp_path, "7")
    (kept,) = (tmp_path / "serving" / ".teachers").glob("*/teacher.json")
    kept.write_text("{")
    with pytest.raises(InputError, match="not when a teacher was first seen"):
        age(tmp_path, "8")


@pytest.mark.parametrize(
    ("title", "number"),
    [
        ("7", 7),
        ("1:7", 7),
        ("1970-01-02", 1),
        ("1970-01-01:1970-01-11", 10),
        ("19700102", 1),
        ("", None),
        ("now", None),
    ],
)
def test_spans_are_numbers_or_days(title, number):
    assert newest_span(title) == number
