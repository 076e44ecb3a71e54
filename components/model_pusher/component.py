"""ModelPusher: pushes a student that everything agrees on, whole, and never twice."""

from __future__ import annotations

from typing import Any

from tfx.dsl.components.base import base_component, executor_spec
from tfx.proto import pusher_pb2
from tfx.types import channel_utils, standard_artifacts
from tfx.types.channel import BaseChannel

from components.model_pusher.executor import Executor
from components.model_pusher.spec import ModelPusherSpec
from contracts.provenance import Origin
from records.code import code_version
from schema.checks import from_json
from schema.errors import InputError


class ModelPusher(base_component.BaseComponent):
    """A component that pushes a blessed model to a folder that a model server watches.

    TFX's Pusher takes its blessings as optional inputs: where one is missing, since an
    upstream node's inputs did not resolve, it pushes without validation.  Here the blessing
    and the decision behind it are required, and must agree about this very model.

    Component `outputs` contains:

     - `pushed_model`: `standard_artifacts.PushedModel`, with TFX's custom properties `pushed`,
       `pushed_destination` and `pushed_version`, and `copied` (0 when the destination served
       the same content already) and `sentence` (what was done, or why not).

    Example:
      ```python
      pusher = ModelPusher(
          model=student.outputs["model"],
          model_blessing=gate.outputs["blessing"],
          decision=gate.outputs["decision"],
          infra_blessing=validator.outputs["blessing"],
          push_destination=PushDestination(filesystem=PushDestination.Filesystem(base_directory=folder)),
          provenance=Origin(surface="homepage", teacher_fingerprint=fingerprint).model_dump_json(),
      ).with_id("Pusher")
      ```
    """

    SPEC_CLASS = ModelPusherSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

    def __init__(
        self,
        model: BaseChannel[Any],
        model_blessing: BaseChannel[Any],
        decision: BaseChannel[Any],
        push_destination: pusher_pb2.PushDestination,
        provenance: str,
        infra_blessing: BaseChannel[Any] | None = None,
        student_run: BaseChannel[Any] | None = None,
        control_run: BaseChannel[Any] | None = None,
    ) -> None:
        """Constructs the component.

        Args:
          model: Channel of `standard_artifacts.Model`: the student.
          model_blessing: Channel of `standard_artifacts.ModelBlessing`: BlessingGate's.
          decision: Channel of `contracts.artifacts.GateDecision`: BlessingGate's.
          push_destination: Where to, as for TFX's Pusher; a file system's base directory, with
            one numbered folder per version.
          provenance: A `contracts.provenance.Origin` as JSON.
          infra_blessing: Channel of `standard_artifacts.InfraBlessing`: ServingValidator's.
            Where it is given and does not arrive, nothing is pushed.
          student_run: Channel of `standard_artifacts.ModelRun`: the student's Trainer's, of which what
            later runs continue from is kept beside the versions.
          control_run: The same of the control.

        Raises:
          InputError: `provenance` is not an Origin, or the destination is no base directory.
        """
        from_json(Origin, provenance, "ModelPusher: provenance", "an Origin, with at least `surface`,")
        if not push_destination.filesystem.base_directory:
            raise InputError(
                f"ModelPusher: push_destination: expected filesystem.base_directory, found {push_destination}"
            )
        spec = ModelPusherSpec(
            model=model,
            model_blessing=model_blessing,
            decision=decision,
            infra_blessing=infra_blessing,
            student_run=student_run,
            control_run=control_run,
            push_destination=push_destination,
            provenance=provenance,
            needs_infra_blessing=int(infra_blessing is not None),
            code=code_version("components.model_pusher"),
            pushed_model=channel_utils.as_channel([standard_artifacts.PushedModel()]),
        )
        super().__init__(spec=spec)
