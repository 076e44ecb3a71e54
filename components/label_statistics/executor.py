"""Statistics of the columns that are judged after labelling."""

from __future__ import annotations

from typing import Any

from tfx import types
from tfx.components.statistics_gen import executor
from tfx.types import artifact_utils, standard_component_specs
from tfx.utils import io_utils, json_utils

from components.label_statistics.spec import SOFT_LABELS_KEY
from records.batched import reading_in_batches
from schema.judged import judged_after_labelling


class Executor(executor.Executor):
    """Executor of LabelStatistics."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Makes the statistics as StatisticsGen does.

        Args:
          input_dict: examples and schema.
          output_dict: statistics.
          exec_properties: As StatisticsGen's, and soft_labels.
        """
        uri = artifact_utils.get_single_uri(input_dict[standard_component_specs.SCHEMA_KEY])
        schema = io_utils.SchemaReader().read(io_utils.get_only_uri_in_dir(uri))
        judged = [feature.name for feature in judged_after_labelling(schema).feature]
        columns = sorted({*json_utils.loads(exec_properties[SOFT_LABELS_KEY]), *judged})
        # TFDV cannot be imported before TFX; this is TFX's own import of it.
        options = executor.options.StatsOptions(feature_allowlist=columns)  # type: ignore[attr-defined] # imported there
        examples = {standard_component_specs.EXAMPLES_KEY: input_dict[standard_component_specs.EXAMPLES_KEY]}
        chosen = {**exec_properties, standard_component_specs.STATS_OPTIONS_JSON_KEY: options.to_json()}
        with reading_in_batches():
            super().Do(examples, output_dict, chosen)
