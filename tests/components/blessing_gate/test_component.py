from __future__ import annotations

import pytest
from tfx.types import channel_utils, standard_artifacts

from components.blessing_gate.component import BlessingGate
from contracts.artifacts import GateDecision, LabelReportArtifact
from schema.errors import InputError
from tests.components.blessing_gate.handmade import binary, surface

SURFACE = surface(click=binary({"at_least": 0.6})).model_dump_json(by_alias=True)


def gate(**more: object) -> BlessingGate:
    evaluation = channel_utils.as_channel([standard_artifacts.ModelEvaluation()])
    inputs = {
        "model": channel_utils.as_channel([standard_artifacts.Model()]),
        "evaluation": evaluation,
        "control_evaluation": evaluation,
        "surface": SURFACE,
        **more,
    }
    return BlessingGate(**inputs)


def test_reports_are_optional() -> None:
    assert set(gate().inputs) == {"model", "evaluation", "control_evaluation"}
    labels = channel_utils.as_channel([LabelReportArtifact()])
    serving = channel_utils.as_channel([standard_artifacts.InfraBlessing()])
    both = gate(label_report=labels, infra_blessing=serving)
    assert {"label_report", "infra_blessing"} < set(both.inputs)


def test_outputs_are_a_blessing_and_a_decision() -> None:
    outputs = gate().outputs
    assert outputs["blessing"].type is standard_artifacts.ModelBlessing
    assert outputs["decision"].type is GateDecision


def test_the_cache_knows_the_surface_and_the_code() -> None:
    properties = gate().exec_properties
    assert properties["surface"] == SURFACE
    assert len(properties["code"]) == 16


def test_a_surface_that_is_none_is_refused_at_compile_time() -> None:
    with pytest.raises(InputError, match="BlessingGate: surface: expected a Surface as JSON"):
        gate(surface='{"name": "tiny"}')
