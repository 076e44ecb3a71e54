from __future__ import annotations

import json

import pytest
from tfx.types import channel_utils, standard_artifacts

from components.serving_validator.component import ServingValidator
from contracts.artifacts import ServingReportArtifact
from schema.errors import InputError
from tests.components.serving_validator.handmade import SURFACE

MODEL = channel_utils.as_channel([standard_artifacts.Model()])
EXAMPLES = channel_utils.as_channel([standard_artifacts.Examples()])


def validator(surface: str = SURFACE.model_dump_json(by_alias=True), **more: object) -> ServingValidator:
    return ServingValidator(model=MODEL, control=MODEL, examples=EXAMPLES, surface=surface, **more)


def test_the_last_blessed_model_is_optional() -> None:
    assert set(validator().inputs) == {"model", "control", "examples"}
    assert "baseline_model" in validator(baseline_model=MODEL).inputs


def test_outputs_are_a_blessing_and_a_report() -> None:
    outputs = validator().outputs
    assert outputs["blessing"].type is standard_artifacts.InfraBlessing
    assert outputs["report"].type is ServingReportArtifact


def test_what_a_server_does_not_see_does_not_validate_again() -> None:
    changed = SURFACE.model_copy(update={"training": SURFACE.training.model_copy(update={"epochs": 99})})
    assert validator(changed.model_dump_json(by_alias=True)).exec_properties == validator().exec_properties


def test_requirements_are_the_surface_s() -> None:
    asked = json.loads(validator().exec_properties["requirements"])
    assert asked["required"] == ["user", "match"]
    assert asked["labels"] == ["clicked", "minutes", "teacher/click"]
    assert asked["distilled"] == ["click"]
    assert asked["serving"]["max_p99_ratio_vs_control"] == 5.0


def test_a_surface_that_is_none_is_refused_at_compile_time() -> None:
    with pytest.raises(InputError, match="ServingValidator: surface: expected a Surface as JSON"):
        validator("{}")
