"""Students that predict well and must not be served: what training left in them, and slowness."""

import pytest

from tests.drills import shelf

pytestmark = pytest.mark.slow


def refused_for(product, name: str, kind: type[shelf.Ranker]) -> str:
    """The sentence by which a student of this kind is refused, with every gate passed."""
    outcome = product.refuse(product.candidate(name, shelf.BETTER, kind))
    assert not outcome.failed_gates()
    (sentence,) = outcome.failed()
    assert sentence.startswith("The student failed the serving validation: ")
    assert outcome.decision.sentence == f"Not blessed: {sentence}"
    return sentence


def test_an_export_that_still_holds_a_distillation_head(product):
    sentence = refused_for(product, "with-head", shelf.RankerWithHead)
    assert "The student's export still holds a distillation head (distillation_borrowed/kernel)." in sentence


def test_an_export_that_still_takes_the_soft_label(product):
    sentence = refused_for(product, "with-label", shelf.RankerWithLabel)
    assert (
        "Signature serving_default, outputs, loan: the student has float32 [None] and the control has none." in sentence
    )


def test_a_student_that_is_too_slow(product):
    sentence = refused_for(product, "slow", shelf.SlowRanker)
    assert "Latency, batches of 1: the student's p99 is " in sentence
    assert "times the control's, 5 is allowed." in sentence


def test_a_student_that_serves_another_score_than_was_asked(product):
    sentence = refused_for(product, "own-score", shelf.RankerWithItsOwnScore)
    assert "The score that is served differs from 'borrowed + likes * liked' of the predictions by 0." in sentence
