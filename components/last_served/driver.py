"""Takes into the cache key what the push destination serves."""

from __future__ import annotations

from tfx.orchestration.portable import data_types
from tfx.types import artifact_utils
from tfx.utils import path_utils

from components.last_served import spec
from components.last_served.finding import find_baseline
from records.outside import OutsideDriver


class Driver(OutsideDriver):
    """Driver of LastServed, for local runners: where something else serves, its baseline is copied anew."""

    def content(self, execution_info: data_types.ExecutionInfo) -> str | None:
        """The fingerprint of the baseline.

        Args:
          execution_info: The execution that is to come.

        Raises:
          InputError: The candidate holds no file.
        """
        candidate = artifact_utils.get_single_instance(execution_info.input_dict[spec.CANDIDATE_KEY])
        found = find_baseline(
            execution_info.exec_properties[spec.SERVING_KEY], path_utils.serving_model_path(candidate.uri)
        )
        return found.content if found else None
