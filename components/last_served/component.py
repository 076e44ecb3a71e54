"""LastServed: finds the model to compare a candidate with where it is served."""

from __future__ import annotations

from typing import Any

from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import channel_utils, standard_artifacts
from tfx.types.channel import BaseChannel

from components.last_served.driver import Driver
from components.last_served.executor import Executor
from components.last_served.spec import LastServedSpec
from records.code import code_version
from schema.errors import InputError


class LastServed(base_component.BaseComponent):
    """A component that copies the model that serves today, for a comparison.

    ML Metadata knows what was blessed, and not what serves: a student whose push failed was
    blessed, metadata may be lost, and a version may be rolled back.  What was blessed and pushed
    lies at the push destination, so this component asks there.

    Component `outputs` contains:

     - `model`: `standard_artifacts.Model`: a copy of what serves, or of what served before it
       where that is the candidate itself; with the custom property `absent` where there is none.

    It looks at what lies outside of the pipeline.  Local runners run its driver, which takes what
    it finds into the cache key; a backend that does not must not cache it.

    Example:
      ```python
      last = LastServed(candidate=student.outputs["model"], serving="/serving/homepage")
      ```
    """

    SPEC_CLASS = LastServedSpec
    DRIVER_CLASS = Driver
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

    def __init__(self, candidate: BaseChannel[Any], serving: str) -> None:
        """Constructs the component.

        Args:
          candidate: Channel of `standard_artifacts.Model`: the model under test.
          serving: The push destination's base directory.

        Raises:
          InputError: `serving` is empty.
        """
        if not serving:
            raise InputError("LastServed: serving: expected the push destination's base directory, found nothing")
        spec = LastServedSpec(
            candidate=candidate,
            serving=serving,
            code=code_version("components.last_served"),
            model=channel_utils.as_channel([standard_artifacts.Model()]),
        )
        super().__init__(spec=spec)
