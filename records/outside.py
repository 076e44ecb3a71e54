"""Drivers of components that read what lies outside of the pipeline, where other runs and commands write."""

from __future__ import annotations

from tfx.dsl.components.base import base_driver as component_driver
from tfx.orchestration.metadata import Metadata
from tfx.orchestration.portable import base_driver, data_types
from tfx.proto.orchestration import driver_output_pb2

# Not a parameter of any component: the driver adds it.
CONTENT_KEY = "content"
NOTHING = "nothing"


class OutsideDriver(component_driver.BaseDriver, base_driver.BaseDriver):
    """Takes into the cache key what TFX cannot see: as ExampleGen's driver does with files, it looks outside.

    What it finds becomes the execution property `content`.  An unchanged run finds what it found before, and is
    cached as a whole; where something else lies there, the component and everything after it run anew.
    """

    def __init__(self, metadata_handle: Metadata) -> None:
        component_driver.BaseDriver.__init__(self, metadata_handle)
        base_driver.BaseDriver.__init__(self, metadata_handle)

    def run(self, execution_info: data_types.ExecutionInfo) -> driver_output_pb2.DriverOutput:
        """Adds what was found to the properties of the execution that is to come."""
        output = driver_output_pb2.DriverOutput()
        output.exec_properties[CONTENT_KEY].string_value = self.content(execution_info) or NOTHING
        return output

    def content(self, execution_info: data_types.ExecutionInfo) -> str | None:
        """A fingerprint of what the execution would read; None for nothing.

        Args:
          execution_info: The execution that is to come.
        """
        raise NotImplementedError
