"""Takes into the cache key what TFX cannot see: what the push destination offers to continue from."""

from __future__ import annotations

from tfx.dsl.components.base import base_driver as component_driver
from tfx.orchestration.metadata import Metadata
from tfx.orchestration.portable import base_driver, data_types
from tfx.proto.orchestration import driver_output_pb2
from tfx.types import artifact_utils

from components.continuation import spec
from components.continuation.examples import trained_on
from components.continuation.finding import find_earlier

NOTHING = "nothing"


class Driver(component_driver.BaseDriver, base_driver.BaseDriver):
    """Driver of Continuation, for local runners: a run that starts elsewhere is trained anew."""

    def __init__(self, metadata_handle: Metadata) -> None:
        component_driver.BaseDriver.__init__(self, metadata_handle)
        base_driver.BaseDriver.__init__(self, metadata_handle)

    def run(self, execution_info: data_types.ExecutionInfo) -> driver_output_pb2.DriverOutput:  # type: ignore[name-defined]  # protobuf makes it at import
        """Finds what to continue from.

        Args:
          execution_info: The execution that is to come.

        Returns:
          The execution property `content`: the digest of what an earlier run left, or `nothing`.

        Raises:
          InputError: It is damaged or gone.
        """
        examples = artifact_utils.get_single_instance(execution_info.input_dict[spec.EXAMPLES_KEY])
        properties = execution_info.exec_properties
        data = trained_on(examples, properties[spec.DATA_SPAN_KEY])
        left = find_earlier(properties[spec.SERVING_KEY], data).left
        output = driver_output_pb2.DriverOutput()  # type: ignore[attr-defined]  # likewise
        output.exec_properties[spec.CONTENT_KEY].string_value = left.digest if left else NOTHING
        return output
