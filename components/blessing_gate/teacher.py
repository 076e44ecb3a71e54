"""How old the teacher is, in spans, and whether it may be."""

from __future__ import annotations

from contracts.decision import Check, TeacherAge, Verdict
from records.spans import newest_span
from records.teachers import first_seen
from schema.gates import TeacherAgeGate


def age_of(serving: str, fingerprint: str, data_span: str) -> TeacherAge | None:
    """The teacher's age in the run's newest span; None where the examples have no spans.

    Args:
      serving: The push destination, beside whose versions it is kept when a teacher was first seen.
      fingerprint: The fingerprint of the teacher's content.
      data_span: The spans of the run, A:B; empty without spans.

    Raises:
      InputError: What was kept of the teacher cannot be read.
    """
    now = newest_span(data_span)
    if not serving or not fingerprint or now is None:
        return None
    since = first_seen(serving, fingerprint, data_span.rpartition(":")[2])
    # A run on a span from before the first one is no older than that.
    return TeacherAge(fingerprint=fingerprint, first_seen=since, spans=max(0, now - (newest_span(since) or 0)))


def age_check(asked: TeacherAgeGate | None, age: TeacherAge | None) -> list[Check]:
    """What the age comes to; nothing where it is not known and nobody asks."""
    if age is None:
        text = "The teacher's age is not known, since the examples have no spans, and `teacher_age` bounds it."
        return [Check(name="teacher's age", verdict=Verdict.FAIL, sentence=text)] if asked else []
    text = f"The teacher is {age.spans} span{'' if age.spans == 1 else 's'} old: it was first seen in {age.first_seen}."
    if asked is None:
        return [Check(name="teacher's age", verdict=Verdict.PASS, sentence=text)]
    verdict = Verdict.PASS if age.spans <= asked.at_most else Verdict.FAIL
    return [Check(name="teacher's age", verdict=verdict, sentence=f"{text} At most {asked.at_most} were asked.")]
