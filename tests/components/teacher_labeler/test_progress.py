import logging

import pytest
from absl import logging as absl_logging

from components.teacher_labeler import progress


@pytest.fixture
def clock(monkeypatch) -> list[float]:
    """The time that the module sees; the test moves it on."""
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


def said(caplog) -> list[tuple[int, float]]:
    return [getattr(record, progress.EXAMPLES_LABELLED) for record in caplog.records]


def test_it_speaks_every_half_second_and_at_the_end_and_loses_none(clock, caplog):
    with caplog.at_level(logging.INFO, absl_logging.get_absl_logger().name), progress.LabelledSoFar() as labelled:
        labelled.add(10)
        assert said(caplog) == []
        clock[0] += 0.6
        labelled.add(5)
        assert said(caplog) == [(15, 100.0)]
        labelled.add(7)
    assert said(caplog) == [(15, 100.0), (7, 100.6)]
