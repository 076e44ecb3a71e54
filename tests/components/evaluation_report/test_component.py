from __future__ import annotations

import pytest
from tfx.types import channel_utils, standard_artifacts

from components.evaluation_report.component import EvaluationReport
from contracts.artifacts import GateDecision, LabelReportArtifact, ServingReportArtifact
from schema.errors import InputError
from tests.components.evaluation_report import handmade


def report(**changes):
    evaluation, run = (
        channel_utils.as_channel([kind()]) for kind in (standard_artifacts.ModelEvaluation, standard_artifacts.ModelRun)
    )
    arguments = {
        "decision": channel_utils.as_channel([GateDecision()]),
        "evaluation": evaluation,
        "control_evaluation": evaluation,
        "label_report": channel_utils.as_channel([LabelReportArtifact()]),
        "serving_report": channel_utils.as_channel([ServingReportArtifact()]),
        "student_run": run,
        "control_run": run,
        "surface": handmade.two_tasks().model_dump_json(by_alias=True),
        "origin": '{"surface": "tiny"}',
    }
    return EvaluationReport(**arguments | changes)


def test_the_page_is_of_the_type_that_kubeflow_shows():
    assert report().outputs["page"].type_name == "system.HTML"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"surface": "{}"}, "EvaluationReport: surface: expected a Surface as JSON"),
        ({"origin": "{}"}, "EvaluationReport: origin: expected an Origin, with at least `surface`, as JSON"),
    ],
)
def test_what_is_no_surface_or_origin_is_told_at_once(changes, message):
    with pytest.raises(InputError, match=message):
        report(**changes)
