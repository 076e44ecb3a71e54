"""ServingValidator: an InfraBlessing without Docker or Kubernetes."""

from __future__ import annotations

from typing import Any

from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import channel_utils, standard_artifacts
from tfx.types.channel import BaseChannel

from components.serving_validator.executor import Executor
from components.serving_validator.requirements import requirements_of
from components.serving_validator.spec import ServingValidatorSpec
from contracts.artifacts import ServingReportArtifact
from records.code import code_version
from schema.checks import from_json
from schema.surface import Surface


class ServingValidator(base_component.BaseComponent):
    """A component that serves the student in a fresh process and compares it with its control.

    It checks that the student loads as servers load it, answers as the evaluation does,
    refuses malformed requests and lives on, holds nothing of its training, and is not slower
    than it may be.  A student that fails is not blessed; the run goes on, so that the
    BlessingGate says so among everything else.

    Component `outputs` contains:

     - `blessing`: `standard_artifacts.InfraBlessing`, as TFX's InfraValidator writes it, with
       the model it is about, that model's content fingerprint, and a sentence.
     - `report`: `contracts.artifacts.ServingReportArtifact`.

    Example:
      ```python
      validator = ServingValidator(
          model=student.outputs["model"],
          control=control.outputs["model"],
          examples=labeler.outputs["labelled_examples"],
          baseline_model=last_blessed.outputs["model"],
          surface=surface.model_dump_json(by_alias=True),
      )
      ```
    """

    SPEC_CLASS = ServingValidatorSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

    def __init__(
        self,
        model: BaseChannel[Any],
        control: BaseChannel[Any],
        examples: BaseChannel[Any],
        surface: str,
        baseline_model: BaseChannel[Any] | None = None,
    ) -> None:
        """Constructs the component.

        Args:
          model: Channel of `standard_artifacts.Model`: the student.
          control: The same: its control.
          examples: Channel of `standard_artifacts.Examples` with an eval split; labels are
            taken off before its examples are sent as requests.
          surface: A `schema.surface.Surface` as JSON.
          baseline_model: Channel of `standard_artifacts.Model`: the last blessed model, to
            compare latency with; may resolve to none.

        Raises:
          InputError: `surface` is not a surface.
        """
        requirements = requirements_of(from_json(Surface, surface, "ServingValidator: surface", "a Surface"))
        spec = ServingValidatorSpec(
            model=model,
            control=control,
            examples=examples,
            baseline_model=baseline_model,
            requirements=requirements.model_dump_json(),
            code=code_version("components.serving_validator"),
            blessing=channel_utils.as_channel([standard_artifacts.InfraBlessing()]),
            report=channel_utils.as_channel([ServingReportArtifact()]),
        )
        super().__init__(spec=spec)
