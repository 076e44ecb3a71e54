"""The sentence about rows that choose and rows that judge, which all commands say."""

from __future__ import annotations

import pytest

from contracts.held_out import HeldOutRows, cautions

STRANGERS = HeldOutRows(slice="user without a training row", held_out=0.03, evaluation=0.66, last=False)
SENTENCE = (
    "Epochs and settings were chosen by rows of which 3% are of a user without a training row; of the evaluation "
    "examples 66% are. A choice that is right for the first may be wrong for the second, for the control as well."
)
ADVICE = " Where the examples are in the order of time, `training: {hold_out: last}` chooses by later rows."


def test_what_to_try_is_said_unless_it_is_done():
    assert cautions([STRANGERS]) == [SENTENCE + ADVICE]
    assert cautions([STRANGERS.model_copy(update={"last": True})]) == [SENTENCE]


@pytest.mark.parametrize(
    ("held_out", "evaluation", "unlike"), [(0.1, 0.29, False), (0.1, 0.31, True), (0.9, 0.1, False)]
)
def test_rows_that_are_alike_or_that_choose_by_newer_people_need_no_word(held_out, evaluation, unlike):
    found = STRANGERS.model_copy(update={"held_out": held_out, "evaluation": evaluation})
    assert found.unlike is unlike
    assert len(cautions([found])) == unlike
    assert cautions([]) == []
