"""Scores the evaluation split by all models at once, and compares the student with each of the others."""

from __future__ import annotations

from typing import Any

import apache_beam as beam
from apache_beam.pvalue import PCollection
from tensorflow_model_analysis import constants
from tensorflow_model_analysis.api import types as tfma_types
from tfx import types
from tfx.components.util import tfxio_utils
from tfx.dsl.components.base import base_beam_executor
from tfx.types import artifact_utils
from tfx.utils import io_utils, path_utils

from components.evaluator import spec
from components.evaluator.comparison import Comparison
from contracts import nodes
from contracts.roles import ModelRole
from evaluation.scoring import ScoreInSlices
from records.batched import reading_in_batches
from schema.surface import EVAL_SPLIT, Surface

_BATCH = 4000  # rows: what is done once per batch and column is no longer seen beside the models' answers
_MODELS = {
    ModelRole.STUDENT: spec.MODEL_KEY,
    ModelRole.CONTROL: spec.CONTROL_KEY,
    ModelRole.LAST_BLESSED: spec.BASELINE_KEY,
}
_EVALUATIONS = {ModelRole.LAST_BLESSED: spec.EVALUATION_KEY, ModelRole.CONTROL: spec.CONTROL_EVALUATION_KEY}


class Executor(base_beam_executor.BaseBeamExecutor):
    """Executor of Evaluator."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Evaluates the student beside the last blessed model, where there is one, and beside the control.

        Args:
          input_dict: examples, model, control, and baseline_model, which may be empty.
          output_dict: evaluation and control_evaluation, or the one that is asked for.
          exec_properties: surface.

        Raises:
          InputError: A file of the examples is truncated or damaged, or a model lacks an output.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        surface = Surface.model_validate_json(exec_properties[spec.SURFACE_KEY])
        folders = {role: _folder(input_dict[key]) for role, key in _MODELS.items() if input_dict.get(key)}
        comparisons = [
            Comparison(surface, baseline, folders, artifact_utils.get_single_uri(output_dict[key]))
            for baseline, key in _EVALUATIONS.items()
            if key in output_dict
        ]
        loaders = {role: model.model_loader for each in comparisons for role, model in each.models.items()}
        with reading_in_batches(size=_BATCH), self._make_beam_pipeline() as pipeline:
            scored = _examples(pipeline, input_dict[spec.EXAMPLES_KEY]) | ScoreInSlices(surface, loaders)
            for each in comparisons:
                _ = scored | each


def _folder(artifacts: list[types.Artifact]) -> str:
    model = artifact_utils.get_single_instance(artifacts)
    return path_utils.serving_model_path(model.uri, path_utils.is_old_model_artifact(model))


def _examples(pipeline: beam.Pipeline, artifacts: list[types.Artifact]) -> PCollection[tfma_types.Extracts]:
    """Batches of the evaluation split, read as TFX's Evaluator reads them."""
    reader = tfxio_utils.get_tfxio_factory_from_artifact(
        examples=artifacts,
        telemetry_descriptors=[nodes.EVALUATOR],
        raw_record_column_name=constants.ARROW_INPUT_COLUMN,
    )
    folders = artifact_utils.get_split_uris(artifacts, EVAL_SPLIT)
    batches = [
        pipeline | f"Read[{place}]" >> reader(io_utils.all_files_pattern(folder)).BeamSource()
        for place, folder in enumerate(folders)
    ]
    return (
        batches
        | "Flatten" >> beam.Flatten()
        | "Batches" >> beam.Map(lambda batch: {constants.ARROW_RECORD_BATCH_KEY: batch})
    )
