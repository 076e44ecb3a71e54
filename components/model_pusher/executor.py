"""Checks the blessings, and pushes what is not there yet."""

from __future__ import annotations

import functools
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from absl import logging
from tfx import types
from tfx.components.pusher import executor as pusher
from tfx.dsl.io import fileio
from tfx.proto import pusher_pb2
from tfx.types import artifact_utils
from tfx.utils import io_utils, proto_utils

from components.model_pusher import spec
from components.model_pusher.agreement import (
    check_decision,
    check_fingerprint,
    says_blessed,
)
from components.model_pusher.destination import Destination
from contracts import keys, properties
from contracts.blessings import INFRA_BLESSING, MODEL_BLESSING
from contracts.decision import Decision
from contracts.provenance import Origin, Provenance, TrainingLeft
from contracts.roles import ModelRole
from records import documents
from records.content import content_fingerprint
from records.manifest import damage
from records.training_states import STATE_FOLDER, ArmState, leave
from schema.errors import InputError

Artifacts = dict[str, list[types.Artifact]]


class Executor(pusher.Executor):
    """Executor of ModelPusher; TFX's marks, with other checks and another way to copy."""

    def Do(self, input_dict: Artifacts, output_dict: Artifacts, exec_properties: dict[str, Any]) -> None:
        """Pushes the model if everything agrees that it may be.

        Args:
          input_dict: model, model_blessing, decision, and infra_blessing where the pipeline
            has it, one artifact each; student_run and control_run of runs that others continue from.
          output_dict: pushed_model.
          exec_properties: The keys of `ModelPusherSpec.PARAMETERS`.

        Raises:
          InputError: Blessings, decision and model contradict each other.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        pushed = artifact_utils.get_single_instance(output_dict[spec.PUSHED_MODEL_KEY])
        origin = Origin.model_validate_json(exec_properties[spec.ORIGIN_KEY])
        refusal = find_refusal(input_dict, origin, bool(exec_properties[spec.NEEDS_INFRA_BLESSING_KEY]))
        if refusal:
            self._refuse(pushed, refusal)
            return
        fingerprint = content_fingerprint(self.GetModelPath(input_dict))
        for blessing in input_dict.get(spec.INFRA_BLESSING_KEY, []):
            check_fingerprint(blessing, fingerprint)
        destination = Destination(_base_directory(exec_properties[spec.PUSH_DESTINATION_KEY]))
        describe = functools.partial(_describe, input_dict, origin, fingerprint, destination.base)
        first_run = bool(
            documents.read(artifact_utils.get_single_uri(input_dict[spec.DECISION_KEY]), Decision).first_run
        )
        publish = functools.partial(
            destination.publish,
            self.GetModelPath(input_dict),
            describe,
            _warm_up(input_dict.get(spec.INFRA_BLESSING_KEY)),
        )
        with destination.locked():
            self._push(destination, publish, fingerprint, pushed, first_run)

    def _push(
        self,
        destination: Destination,
        publish: Callable[[], Provenance],
        fingerprint: str,
        pushed: types.Artifact,
        first_run: bool,
    ) -> None:
        """Pushes unless the same content was pushed before, or it was never compared with what serves.

        A version that is not what was pushed keeps no student out: the next push repairs it.
        """
        versions = destination.versions()
        broken = destination.damage(versions[-1]) if versions else None
        same = [] if broken else [each for each in versions if destination.fingerprint(each) == fingerprint]
        refusal = None if broken else _superseded(versions, same) or _unknown(versions, same, first_run)
        if refusal:
            self._refuse(pushed, refusal)
            return
        version = same[-1] if same else publish().version
        sentence = f"Version {version} already serves this content." if same else f"Pushed as version {version}."
        if broken:
            sentence += f" Version {versions[-1]}, which it takes the place of, was damaged: {broken}."
        io_utils.copy_dir(destination.path(version), pushed.uri)
        _expect_whole(pushed.uri, fingerprint)
        self._MarkPushed(pushed, pushed_destination=destination.path(version), pushed_version=str(version))
        pushed.set_int_custom_property(properties.COPIED, int(not same))
        pushed.set_string_custom_property(properties.SENTENCE, sentence)
        logging.info("%s %s", sentence, destination.path(version))

    def _refuse(self, pushed: types.Artifact, sentence: str) -> None:
        logging.info(sentence)
        self._MarkNotPushed(pushed)
        pushed.set_string_custom_property(properties.SENTENCE, sentence)


def _warm_up(infra_blessings: list[types.Artifact] | None) -> dict[str, str]:
    """The requests that servers warm up with, where the serving validation left some, by name."""
    files = [f"{each.uri.rstrip('/')}/{keys.WARM_UP_FILE}" for each in infra_blessings or []]
    return {keys.WARM_UP_FILE: files[0]} if files and fileio.exists(files[0]) else {}


def find_refusal(input_dict: Artifacts, origin: Origin, needs_infra_blessing: bool) -> str | None:
    """Why the model must not be pushed, as a sentence; None if it may.

    Args:
      input_dict: As for `Executor.Do`.
      origin: What the run knows of the model.
      needs_infra_blessing: Whether the pipeline has a ServingValidator.

    Raises:
      InputError: Blessings, decision and model contradict each other, or one is missing.
    """
    for key in (spec.MODEL_KEY, spec.MODEL_BLESSING_KEY, spec.DECISION_KEY):
        _expect_one(input_dict, key)
    if needs_infra_blessing or input_dict.get(spec.INFRA_BLESSING_KEY):
        _expect_one(input_dict, spec.INFRA_BLESSING_KEY)
    model = artifact_utils.get_single_instance(input_dict[spec.MODEL_KEY])
    blessed = says_blessed(input_dict[spec.MODEL_BLESSING_KEY][0], MODEL_BLESSING, model)
    where = artifact_utils.get_single_uri(input_dict[spec.DECISION_KEY])
    decision = _decision(input_dict)
    check_decision(decision, blessed, origin.surface, where)
    if not blessed:
        return decision.sentence
    infra = input_dict.get(spec.INFRA_BLESSING_KEY, [])
    if infra and not says_blessed(infra[0], INFRA_BLESSING, model):
        return "Not pushed: the student failed the serving validation."
    return None


def _superseded(versions: list[int], same: list[int]) -> str | None:
    """Why content that was pushed before does not take the place of what came after it."""
    if not same or same[-1] == versions[-1]:
        return None
    return (
        f"Not pushed: version {same[-1]} has the same content, and version {versions[-1]} took its place. "
        "To serve it again, use `crosskd rollback`."
    )


def _unknown(versions: list[int], same: list[int], first_run: bool) -> str | None:
    """Why a model that was compared with none does not take the place of what serves."""
    if not versions or same or not first_run:
        return None
    return (
        f"Not pushed: the student was judged as the first, without a last blessed model, and version {versions[-1]} "
        "serves, which was pushed meanwhile. Give the same run again: it compares with what serves."
    )


def _expect_whole(copy: str, fingerprint: str) -> None:
    found = damage(copy, fingerprint)
    if found:
        raise InputError(f"{copy}: the copy of the pushed version is not whole: {found}. Run the pipeline again.")


def _expect_one(input_dict: Artifacts, key: str) -> None:
    found = len(input_dict.get(key, []))
    if found != 1:
        raise InputError(
            f"ModelPusher: {key}: expected one artifact, found {found}. The node that makes it failed or was not "
            "run; nothing is pushed."
        )


def _describe(input_dict: Artifacts, origin: Origin, fingerprint: str, base: str, version: int) -> Provenance:
    """What is known of a version; what its run left to continue from is there before the version is."""
    return Provenance(
        version=version,
        pushed_at=datetime.now(UTC).isoformat(timespec="seconds"),
        model=artifact_utils.get_single_uri(input_dict[spec.MODEL_KEY]),
        model_fingerprint=fingerprint,
        decision=_decision(input_dict).sentence,
        origin=origin,
        training=_leave(input_dict, base),
    )


def _leave(input_dict: Artifacts, base: str) -> TrainingLeft | None:
    runs = {ModelRole.STUDENT: spec.STUDENT_RUN_KEY, ModelRole.CONTROL: spec.CONTROL_RUN_KEY}
    found = {role: input_dict.get(key, []) for role, key in runs.items()}
    if not any(found.values()):
        return None
    for key in runs.values():
        _expect_one(input_dict, key)
    states = {role.value: f"{artifacts[0].uri.rstrip('/')}/{STATE_FOLDER}" for role, artifacts in found.items()}
    student = documents.read(states[ModelRole.STUDENT.value], ArmState)
    return TrainingLeft(digest=leave(base, states), data=student.data, lineage=student.lineage)


def _decision(input_dict: Artifacts) -> Decision:
    return documents.read(artifact_utils.get_single_uri(input_dict[spec.DECISION_KEY]), Decision)


def _base_directory(push_destination: str) -> str:
    message = pusher_pb2.PushDestination()
    proto_utils.json_to_proto(push_destination, message)
    return str(message.filesystem.base_directory)
