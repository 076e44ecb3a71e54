"""Validates statistics in one environment and raises when something is wrong."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import tensorflow_data_validation as tfdv
from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2, statistics_pb2
from tfx import types
from tfx.components.example_validator import executor, labels
from tfx.components.statistics_gen import stats_artifact_utils
from tfx.proto.orchestration import execution_result_pb2
from tfx.types import artifact_utils, standard_component_specs
from tfx.utils import json_utils, writer_utils

from components.example_guard.numbers import problems_in
from components.example_guard.precision import lost_columns
from components.example_guard.spec import (
    ANNOUNCED_KEY,
    ENVIRONMENT_KEY,
    EXAMPLES_KEY,
    LABELLED_KEY,
    PREVIOUS_STATISTICS_KEY,
    SOFT_LABELS_ONLY_KEY,
    SURFACE_KEY,
)
from schema.errors import InputError
from schema.judged import judged_after_labelling, soft_labels_alone
from schema.surface import SOFT_LABEL_PREFIX, Surface

_DRIFTS = (
    anomalies_pb2.AnomalyInfo.COMPARATOR_JENSEN_SHANNON_DIVERGENCE_HIGH,
    anomalies_pb2.AnomalyInfo.COMPARATOR_L_INFTY_HIGH,
    anomalies_pb2.AnomalyInfo.COMPARATOR_NORMALIZED_ABSOLUTE_DIFFERENCE_HIGH,
)
MEND = "Mend the examples; or, if they are right, schema.pbtxt in the surface folder."
_MEND_DRIFT = (
    "`previous` is the last span before this one. What drifted changed between the two: the teacher, for a soft label, "
    "or what it reads. If the change is meant, raise the feature's `drift_comparator` in schema.pbtxt for as long as "
    "this span is in the window."
)
_SHOWN = 15  # problems in a message: it must fit on one screen


class Executor(executor.Executor):
    """Executor of ExampleGuard."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> execution_result_pb2.ExecutorOutput:
        """Validates as ExampleValidator does, then raises if anything was found.

        Args:
          input_dict: statistics and schema; previous_statistics, and examples, if there are any.
          output_dict: anomalies; written before anything is raised.  (TFX's launcher removes
            the outputs of a node that failed, hence the message holds all there is to know.)
          exec_properties: environment, exclude_splits, soft_labels_only, labelled, announced, surface.

        Returns:
          ExampleValidator's output.

        Raises:
          InputError: A split is empty or has another number of examples than announced, its statistics contradict
            the schema or drifted from the previous ones, or it holds numbers that are none.
        """
        self._environment = exec_properties[ENVIRONMENT_KEY]
        self._soft_labels_only = json_utils.loads(exec_properties.get(SOFT_LABELS_ONLY_KEY) or "[]")
        self._labelled = bool(exec_properties.get(LABELLED_KEY))
        self._announced: dict[str, int] = json_utils.loads(exec_properties.get(ANNOUNCED_KEY) or "{}")
        surface = exec_properties.get(SURFACE_KEY)
        self._surface = Surface.model_validate_json(surface) if surface else None
        self._examples = input_dict.get(EXAMPLES_KEY) or []
        self._previous = input_dict.get(PREVIOUS_STATISTICS_KEY) or []
        self._problems: list[str] = []
        self._drifted = False
        output = super().Do(input_dict, output_dict, exec_properties)
        if self._problems:
            remedies = [MEND, *([_MEND_DRIFT] if self._drifted else [])]
            raise InputError(_message(self._problems, self._environment, remedies))
        return output

    def _Validate(self, inputs: dict[str, Any], outputs: dict[str, Any]) -> anomalies_pb2.Anomalies:
        """Overrides ExampleValidator's, which cannot be told the environment."""
        statistics = inputs[standard_component_specs.STATISTICS_KEY]
        schema = inputs[standard_component_specs.SCHEMA_KEY]
        folder = Path(outputs[labels.SCHEMA_DIFF_PATH])
        split = folder.name.removeprefix("Split-")
        if split in self._soft_labels_only:
            statistics, schema = _reduced(statistics, soft_labels_alone(schema))
        elif self._labelled:
            statistics, schema = _reduced(statistics, judged_after_labelling(schema))
        anomalies = tfdv.validate_statistics(
            statistics, schema, environment=self._environment, previous_statistics=self._previous_of(split)
        )
        writer_utils.write_anomalies(str(folder / executor.DEFAULT_FILE_NAME), anomalies)
        self._drifted |= any(_drifted(info) for info in anomalies.anomaly_info.values())
        problems = [
            *problems_of(statistics, anomalies),
            *_miscounted(statistics, self._announced.get(split)),
            *self._bad_numbers(split, statistics),
        ]
        self._problems.extend(f"split {split}: {problem}" for problem in problems)
        return anomalies

    def _bad_numbers(self, split: str, statistics: statistics_pb2.DatasetFeatureStatisticsList) -> Iterator[str]:
        """What models cannot learn from, though the schema allows it."""
        if self._surface is not None:
            yield from problems_in(split, statistics, self._examples, self._surface)
            yield from lost_columns(statistics, self._surface)

    def _previous_of(self, split: str) -> statistics_pb2.DatasetFeatureStatisticsList | None:
        """The statistics of the span before; None where it had no such split."""
        for artifact in self._previous:
            if split in artifact_utils.decode_split_names(artifact.split_names):
                return stats_artifact_utils.load_statistics(artifact, split).proto()
        return None


def _reduced(
    statistics: statistics_pb2.DatasetFeatureStatisticsList, schema: schema_pb2.Schema
) -> tuple[statistics_pb2.DatasetFeatureStatisticsList, schema_pb2.Schema]:
    """The statistics of the columns that the schema has or that only labelling makes; and the schema."""
    names = {each.name for each in schema.feature}
    reduced = statistics_pb2.DatasetFeatureStatisticsList()
    for dataset in statistics.datasets:
        steps = [(each.path.step[0], each) for each in dataset.features]
        kept = [each for name, each in steps if name in names or name.startswith(SOFT_LABEL_PREFIX)]
        reduced.datasets.add(name=dataset.name, num_examples=dataset.num_examples, features=kept)
    return reduced, schema


def problems_of(
    statistics: statistics_pb2.DatasetFeatureStatisticsList, anomalies: anomalies_pb2.Anomalies
) -> Iterator[str]:
    """What is wrong with a split, one line each; an empty split has just that problem.

    Args:
      statistics: The split's statistics.
      anomalies: What TFDV found in them.
    """
    if not _examples_in(statistics):
        yield "it has no examples"
        return
    if anomalies.HasField("dataset_anomaly_info"):
        yield from _described("the whole split", anomalies.dataset_anomaly_info)
    for name in sorted(anomalies.anomaly_info):
        yield from _described(f"feature {name!r}", anomalies.anomaly_info[name])


def _miscounted(statistics: statistics_pb2.DatasetFeatureStatisticsList, announced: int | None) -> Iterator[str]:
    found = _examples_in(statistics)
    if announced is not None and found != announced:
        yield (
            f"{announced:,} examples were counted before the run, and {found:,} were taken in; "
            "were files added or removed meanwhile? Give the same command again"
        )


def _examples_in(statistics: statistics_pb2.DatasetFeatureStatisticsList) -> int:
    return sum(int(dataset.num_examples) for dataset in statistics.datasets)


def _drifted(info: anomalies_pb2.AnomalyInfo) -> bool:
    return any(reason.type in _DRIFTS for reason in info.reason)


def _described(subject: str, info: anomalies_pb2.AnomalyInfo) -> Iterator[str]:
    for reason in info.reason or [info]:
        yield f"{subject}: {reason.short_description}: {reason.description.strip()}"


def _message(problems: list[str], environment: str, remedies: list[str]) -> str:
    shown = [f"  {problem}" for problem in problems[:_SHOWN]]
    if len(problems) > _SHOWN:
        shown.append(f"  ... and {len(problems) - _SHOWN} more")
    return "\n".join(
        [
            f"The examples do not fit their schema (environment {environment}):",
            *shown,
            *remedies,
        ]
    )
