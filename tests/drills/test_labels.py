"""Soft labels that are out of their range, or not there."""

from dataclasses import replace

import pytest

from pipeline.failures import input_error
from pipeline.pipeline import create_pipeline
from pipeline.runners import Runner, run
from records.fingerprint import fingerprint
from tests.drills import shelf

pytestmark = pytest.mark.slow


def test_a_teacher_whose_labels_are_out_of_range(product, tmp_path):
    teacher = shelf.write_teacher(tmp_path / "teacher", scale=1000.0)
    settings = replace(
        product.settings,
        examples=str(shelf.write_raw(tmp_path / "examples", seed=3)),
        teacher=str(teacher),
        teacher_fingerprint=fingerprint(str(teacher)),
    )
    before = product.served()
    with pytest.raises(Exception, match="teacher/loan") as raised:
        run(create_pipeline(settings), Runner.BEAM)
    message = str(input_error(raised.value))
    assert message.startswith("The examples do not fit their schema (environment TRAINING):")
    assert "split train: feature 'teacher/loan': Out-of-range values" in message
    assert product.served() == before
    outcome = product.outcome(product.versions())
    assert outcome.run.nodes["LabelledExampleGuard"].state == "FAILED"
    assert not {"Transform", "Trainer.student", "BlessingGate", "Pusher"} & set(outcome.run.nodes)


def test_a_teacher_that_labelled_nothing(product, evaluated):
    report = shelf.write_label_report(product.folder / "nothing-labelled", labelled=0)
    outcome = product.refuse(replace(evaluated.candidate, label_report=report))
    assert outcome.failed() == ["Soft labels: 0 of 4,000 examples are labelled."]


def test_a_label_report_that_is_not_there(product, evaluated):
    (product.folder / "no-report").mkdir()
    outcome = product.refuse(replace(evaluated.candidate, label_report=product.folder / "no-report"))
    (sentence,) = outcome.failed()
    assert sentence.endswith("report.json: expected a label report, found no such file")
