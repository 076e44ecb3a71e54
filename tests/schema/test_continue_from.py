import pytest
from pydantic import ValidationError

from schema.surface import Surface
from schema.training import Training

CONTENT = {
    "name": "tiny",
    "features": {"user": {"kind": "categorical", "side": "user"}},
    "tasks": {"click": {"kind": "binary", "label": "clicked", "ungated": "test"}},
    "training": {"continue_from": "served"},
}
TEACHER = {"tasks": {"click": {"kind": "binary"}}, "features": {"user": {"dtype": "int"}}}


def test_a_surface_starts_cold_unless_it_says_otherwise():
    assert Training().continue_from is None
    assert not Training().continue_optimizer
    assert Surface.model_validate({**CONTENT, "teacher": TEACHER}).training.continue_from == "served"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({}, "is for a surface with a `teacher`"),
        (
            {"teacher": TEACHER, "warm_start": {"user": {}}},
            "`training.continue_from` and `warm_start` exclude each other",
        ),
        (
            {"teacher": TEACHER, "student": {"build": "net:build"}},
            "`training.continue_from` and `student` exclude each",
        ),
        ({"teacher": TEACHER, "training": {"continue_from": "yesterday"}}, "Input should be 'served'"),
        ({"teacher": TEACHER, "training": {"continue_optimizer": True}}, "needs `continue_from: served`"),
    ],
)
def test_what_contradicts_itself_is_refused(change, message):
    with pytest.raises(ValidationError, match=message):
        Surface.model_validate({**CONTENT, **change})


def test_a_cosine_ends_with_a_training_and_an_optimizer_that_goes_on_does_not():
    decay = {"by": "cosine"}
    with pytest.raises(ValidationError, match="a cosine ends with a training"):
        Training(continue_from="served", continue_optimizer=True, learning_rate_decay=decay)
    assert Training(continue_from="served", learning_rate_decay=decay).learning_rate_decay.by == "cosine"
