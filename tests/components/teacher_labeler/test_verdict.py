"""What the executor says of shards that failed or were lost."""

from __future__ import annotations

import pytest

from components.teacher_labeler.job import JobSummary
from components.teacher_labeler.options import LabelOptions
from components.teacher_labeler.plan import LabelPlan
from components.teacher_labeler.signature import TeacherSignature
from components.teacher_labeler.verdict import check_summary
from schema.errors import InputError
from tests.components.teacher_labeler.conftest import make_surface

PLAN = LabelPlan(make_surface(), TeacherSignature("teacher", "serving_default", {}, {}), "f", {}, LabelOptions())


def _summary(failures: list[str], shards: int) -> JobSummary:
    return JobSummary(failures=failures, shards=shards, files=[], findings={}, examples={}, report=None)


def test_some_failures_are_shown_and_all_counted() -> None:
    with pytest.raises(InputError) as caught:
        check_summary(_summary([f"{name}.gz: broken" for name in "edcba"], 3), PLAN, 8)

    assert str(caught.value).splitlines() == ["a.gz: broken", "b.gz: broken", "c.gz: broken", "and 2 more shards"]


def test_a_lost_shard_is_not_overlooked() -> None:
    with pytest.raises(RuntimeError, match="expected 3 labelled shards, the Beam runner handed back 2"):
        check_summary(_summary([], 2), PLAN, 3)
