"""Takes into the cache key what the push destination offers to continue from."""

from __future__ import annotations

from tfx.orchestration.portable import data_types
from tfx.types import artifact_utils

from components.continuation import spec
from components.continuation.examples import trained_on
from components.continuation.finding import find_earlier
from records.outside import OutsideDriver


class Driver(OutsideDriver):
    """Driver of Continuation, for local runners: a run that starts elsewhere is trained anew."""

    def content(self, execution_info: data_types.ExecutionInfo) -> str | None:
        """The digest of what an earlier run left.

        Args:
          execution_info: The execution that is to come.

        Raises:
          InputError: It is damaged or gone.
        """
        examples = artifact_utils.get_single_instance(execution_info.input_dict[spec.EXAMPLES_KEY])
        properties = execution_info.exec_properties
        left = find_earlier(properties[spec.SERVING_KEY], trained_on(examples, properties[spec.DATA_SPAN_KEY])).left
        return left.digest if left else None
