"""What a surface asks of a server's side of a student."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from schema.serving import Serving


def test_a_budget_of_milliseconds_is_of_every_batch_size_or_of_some():
    assert Serving().p99_budgets == {}
    assert Serving(max_p99_ms=2.5).p99_budgets == {1: 2.5, 16: 2.5, 128: 2.5}
    some = Serving(max_p99_ms={1: 2.5, 128: 20})
    assert some.p99_budgets == {1: 2.5, 128: 20.0}
    assert Serving.model_validate_json(some.model_dump_json()) == some


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"max_p99_ms": {2: 1.0}}, r"expected batch sizes that are measured \(batch_sizes: 1, 16, 128\), found 2"),
        ({"max_p99_ms": 0}, "greater than 0"),
        ({"max_size_mb": -1}, "greater than 0"),
    ],
)
def test_budgets_that_cannot_be_kept_or_measured(asked, message):
    with pytest.raises(ValidationError, match=message):
        Serving.model_validate(asked)
