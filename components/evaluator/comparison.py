"""What TFMA makes of scored rows: the student beside one other model."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import apache_beam as beam
import tensorflow_model_analysis as tfma
from apache_beam.pvalue import PCollection
from tensorflow_model_analysis import constants
from tensorflow_model_analysis.api import types

from contracts.roles import ModelRole
from evaluation.config import eval_config
from schema.surface import Surface


class Comparison(beam.PTransform[PCollection[types.Extracts], Any]):
    """Computes metrics, and writes them with their validation, as `tfma.ExtractEvaluateAndWriteResults` does."""

    def __init__(self, surface: Surface, baseline: ModelRole, folders: Mapping[ModelRole, str], output: str):
        """Initializes the transform.

        Args:
          surface: Gives metrics, slices and thresholds.
          baseline: What the student is compared with; by itself it is evaluated where `folders` lacks it.
          folders: The saved models.
          output: The folder that is written.
        """
        super().__init__(f"BesideThe{baseline.value.title().replace('_', '')}")
        self._output = output
        # Where there is no baseline, TFMA leaves out the thresholds of changes.
        self._config = tfma.utils.update_eval_config_with_defaults(
            eval_config(surface, baseline), has_baseline=baseline in folders, rubber_stamp=True
        )
        tfma.utils.verify_eval_config(self._config)
        specs = self._config.model_specs
        self._roles = {each.name: baseline if each.is_baseline else ModelRole.STUDENT for each in specs}
        self._folders = {role: folders[role] for role in self._roles.values()}

    @cached_property
    def models(self) -> dict[ModelRole, types.EvalSharedModel]:
        """The models that are compared, by what they are."""
        return {
            role: tfma.default_eval_shared_model(
                eval_saved_model_path=self._folders[role], model_name=name, eval_config=self._config
            )
            for name, role in self._roles.items()
        }

    def expand(self, scored: PCollection[types.Extracts]) -> dict[str, Any]:
        models = list(self.models.values())
        given = models[0] if len(models) == 1 else models
        evaluators = tfma.default_evaluators(eval_shared_model=given, eval_config=self._config)
        writers = tfma.default_writers(self._output, eval_shared_model=given, eval_config=self._config)
        named = scored | "Named" >> beam.Map(_named, self._roles)
        evaluated = {
            key: values for each in evaluators for key, values in (named | each.stage_name >> each.ptransform).items()
        }
        return {each.stage_name: evaluated | each.stage_name >> each.ptransform for each in writers}


def _named(extracts: types.Extracts, roles: Mapping[str, ModelRole]) -> types.Extracts:
    """The extracts with the predictions of these models alone, under TFMA's names of them; of one model, unnamed."""
    predictions = {name: extracts[constants.PREDICTIONS_KEY][role] for name, role in roles.items()}
    told = predictions if len(predictions) > 1 else next(iter(predictions.values()))
    return {**extracts, constants.PREDICTIONS_KEY: told}
