"""Continuation: finds what student and control of a run start from."""

from __future__ import annotations

from typing import Any

from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import channel_utils, standard_artifacts
from tfx.types.channel import BaseChannel

from components.continuation.driver import Driver
from components.continuation.executor import Executor
from components.continuation.spec import ContinuationSpec
from records.code import code_version
from schema.errors import InputError


class Continuation(base_component.BaseComponent):
    """A component that brings what the run left whose student serves, student and control.

    The student of a run goes on from that run's student, the control from its control, whose
    lineage never saw a soft label.

    Component `outputs` contains:

     - `student`: `standard_artifacts.Model`: for the student's Trainer, as its `base_model`; a
       `contracts.continuation.StartingPoint`, and what the earlier student left, if there is one.
     - `control`: The same for the control.

    It looks at what lies outside of the pipeline.  Local runners run its driver, which takes what
    it finds into the cache key; a backend that does not must not cache it.

    Example:
      ```python
      start = Continuation(examples=gen.outputs["examples"], serving="/serving/homepage", data_span="1:7")
      ```
    """

    SPEC_CLASS = ContinuationSpec
    DRIVER_CLASS = Driver
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

    def __init__(self, examples: BaseChannel[Any], serving: str, data_span: str = "") -> None:
        """Constructs the component.

        Args:
          examples: Channel of `standard_artifacts.Examples`: the newest ones, as they arrived.
          serving: The push destination's base directory.
          data_span: The spans that the run is trained on, A:B; empty without spans.

        Raises:
          InputError: `serving` is empty.
        """
        if not serving:
            raise InputError("Continuation: serving: expected the push destination's base directory, found nothing")
        spec = ContinuationSpec(
            examples=examples,
            serving=serving,
            data_span=data_span,
            code=code_version("components.continuation"),
            student=channel_utils.as_channel([standard_artifacts.Model()]),
            control=channel_utils.as_channel([standard_artifacts.Model()]),
        )
        super().__init__(spec=spec)
