from __future__ import annotations

import pytest
from tfx.proto import pusher_pb2
from tfx.types import channel_utils, standard_artifacts

from components.model_pusher.component import ModelPusher
from contracts.artifacts import GateDecision
from schema.errors import InputError
from tests.components.model_pusher.handmade import ORIGIN

DESTINATION = pusher_pb2.PushDestination(filesystem=pusher_pb2.PushDestination.Filesystem(base_directory="/serving"))


def pusher(**more: object) -> ModelPusher:
    arguments = {
        "model": channel_utils.as_channel([standard_artifacts.Model()]),
        "model_blessing": channel_utils.as_channel([standard_artifacts.ModelBlessing()]),
        "decision": channel_utils.as_channel([GateDecision()]),
        "push_destination": DESTINATION,
        "provenance": ORIGIN.model_dump_json(),
        **more,
    }
    return ModelPusher(**arguments)


def test_blessing_and_decision_are_required() -> None:
    parameters = pusher().spec.INPUTS
    assert not any(parameters[key].optional for key in ("model", "model_blessing", "decision"))
    assert pusher().outputs["pushed_model"].type is standard_artifacts.PushedModel


def test_an_infra_blessing_that_is_wired_is_needed() -> None:
    infra = channel_utils.as_channel([standard_artifacts.InfraBlessing()])
    assert pusher().exec_properties["needs_infra_blessing"] == 0
    assert pusher(infra_blessing=infra).exec_properties["needs_infra_blessing"] == 1


@pytest.mark.parametrize("provenance", ["", "[]", '{"git_revision": "abc"}'])
def test_a_provenance_without_surface_is_refused_at_compile_time(provenance: str) -> None:
    with pytest.raises(InputError, match="provenance: expected an Origin, with at least `surface`, as JSON"):
        pusher(provenance=provenance)


def test_a_destination_without_folder_is_refused_at_compile_time() -> None:
    with pytest.raises(InputError, match=r"expected filesystem\.base_directory"):
        pusher(push_destination=pusher_pb2.PushDestination())
