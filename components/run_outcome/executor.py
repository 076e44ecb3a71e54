"""Compares what a run came to with what was asked."""

from __future__ import annotations

from typing import Any

from absl import logging
from tfx import types
from tfx.dsl.components.base import base_executor
from tfx.types import artifact_utils

from components.run_outcome import spec
from contracts import properties
from contracts.decision import Decision
from contracts.outcome import Exit, Outcome
from records import documents

Artifacts = dict[str, list[types.Artifact]]


class OutcomeError(Exception):
    """A run that has done all its work did not come to what was asked.

    Attributes:
      code: The exit code by which `crosskd run` says the same.
    """

    def __init__(self, sentence: str, code: Exit) -> None:
        super().__init__(sentence)
        self.code = code


class Executor(base_executor.BaseExecutor):
    """Executor of RunOutcome."""

    def Do(self, input_dict: Artifacts, output_dict: Artifacts, exec_properties: dict[str, Any]) -> None:
        """Fails if the student is not blessed, or is not pushed and was to be.

        Args:
          input_dict: decision, pushed_model, page.
          output_dict: Nothing.
          exec_properties: fails_unless.

        Raises:
          OutcomeError: The run did not come to what was asked.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        decision = documents.read(artifact_utils.get_single_uri(input_dict[spec.DECISION_KEY]), Decision)
        pushed = artifact_utils.get_single_instance(input_dict[spec.PUSHED_MODEL_KEY])
        if not decision.blessed:
            raise OutcomeError(f"Not blessed: {decision.sentence}", Exit.NOT_BLESSED)
        said = pushed.get_string_custom_property(properties.SENTENCE)
        is_pushed = pushed.get_int_custom_property(properties.PUSHED) == 1
        if not is_pushed and exec_properties[spec.FAILS_UNLESS_KEY] == Outcome.PUSHED:
            raise OutcomeError(f"Blessed, and not pushed: {said.removeprefix('Not pushed: ')}", Exit.NOT_PUSHED)
        logging.info("%s %s", decision.sentence, said)
