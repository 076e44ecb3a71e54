"""LastServed: finds the model to compare a candidate with where it is served."""

from __future__ import annotations

from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import channel_utils, standard_artifacts
from tfx.types.channel import BaseChannel

from components.last_served.executor import Executor
from components.last_served.spec import LastServedSpec
from records.code import code_version
from schema.errors import InputError


class LastServed(base_component.BaseComponent):
    """A component that copies the model that serves today, for a comparison.

    On one machine a resolver strategy asks ML Metadata for the last blessed model.  Kubeflow
    Pipelines runs no strategy of one's own, and its open-source backend runs no resolver at
    all.  What was blessed and pushed lies at the push destination, so this component asks there.

    Component `outputs` contains:

     - `model`: `standard_artifacts.Model`: a copy of the newest version that is not the
       candidate itself; with the custom property `absent` where there is none.

    It looks at what lies outside of the pipeline, so its result must not come from a cache.

    Example:
      ```python
      last = LastServed(candidate=student.outputs["model"], serving="/serving/homepage")
      ```
    """

    SPEC_CLASS = LastServedSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

    def __init__(self, candidate: BaseChannel, serving: str) -> None:
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
