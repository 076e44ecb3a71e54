"""Takes into the cache key what TFX cannot see: what the push destination serves."""

from __future__ import annotations

from tfx.dsl.components.base import base_driver as component_driver
from tfx.orchestration.metadata import Metadata
from tfx.orchestration.portable import base_driver, data_types
from tfx.proto.orchestration import driver_output_pb2
from tfx.types import artifact_utils
from tfx.utils import path_utils

from components.last_served import spec
from components.last_served.finding import find_baseline

NOTHING = "nothing"


class Driver(component_driver.BaseDriver, base_driver.BaseDriver):
    """Driver of LastServed, for local runners: as ExampleGen's does with files, it looks outside.

    What it finds becomes an execution property, and so a part of the cache key.  An unchanged run
    finds what it found before, and is cached as a whole; where something else serves, the
    baseline is copied anew and everything after it judged anew.
    """

    def __init__(self, metadata_handle: Metadata) -> None:
        component_driver.BaseDriver.__init__(self, metadata_handle)
        base_driver.BaseDriver.__init__(self, metadata_handle)

    def run(self, execution_info: data_types.ExecutionInfo) -> driver_output_pb2.DriverOutput:  # type: ignore[name-defined]  # protobuf makes it at import
        """Finds the baseline's content.

        Args:
          execution_info: The execution that is to come.

        Returns:
          The execution property `content`: a fingerprint, or `nothing`.

        Raises:
          InputError: The candidate holds no file.
        """
        candidate = artifact_utils.get_single_instance(execution_info.input_dict[spec.CANDIDATE_KEY])
        found = find_baseline(
            execution_info.exec_properties[spec.SERVING_KEY], path_utils.serving_model_path(candidate.uri)
        )
        output = driver_output_pb2.DriverOutput()  # type: ignore[attr-defined]  # likewise
        output.exec_properties[spec.CONTENT_KEY].string_value = found.content if found else NOTHING
        return output
