"""Evaluator: the student beside what serves and beside the control, in one pass over the examples."""

from __future__ import annotations

from typing import Any

from tfx.dsl.components.base import base_beam_component, executor_spec
from tfx.types import channel_utils, standard_artifacts
from tfx.types.channel import BaseChannel

from components.evaluator.executor import Executor
from components.evaluator.spec import EvaluatorSpec
from evaluation.config import evaluated
from records.code import code_version
from schema.checks import from_json
from schema.surface import Surface


class Evaluator(base_beam_component.BaseBeamComponent):
    """A component that evaluates the student by TFMA, beside two other models.

    TFX's Evaluator knows one baseline.  For two it would read and decode all examples twice, and
    ask the student twice; this one scores all models together, and TFMA compares the student
    with each of the two others.  It writes no blessing: BlessingGate alone does.

    Component `outputs` contains:

     - `evaluation`: `standard_artifacts.ModelEvaluation`, as TFX's Evaluator writes it: the
       student beside the last blessed model, or by itself where nothing serves.
     - `control_evaluation`: The same beside the control.

    Example:
      ```python
      evaluator = Evaluator(
          examples=labeler.outputs["labelled_examples"],
          model=student.outputs["model"],
          control=control.outputs["model"],
          baseline_model=last_blessed.outputs["model"],
          surface=surface.model_dump_json(by_alias=True),
      )
      ```
    """

    SPEC_CLASS = EvaluatorSpec
    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(Executor)

    def __init__(
        self,
        examples: BaseChannel[Any],
        model: BaseChannel[Any],
        control: BaseChannel[Any],
        surface: str,
        baseline_model: BaseChannel[Any] | None = None,
    ) -> None:
        """Constructs the component.

        Args:
          examples: Channel of `standard_artifacts.Examples`, whose eval split is used.
          model: Channel of `standard_artifacts.Model`: the student.
          control: The same: its control.
          surface: A `schema.surface.Surface` as JSON: metrics, slices and gates.
          baseline_model: Channel of `standard_artifacts.Model`: the last blessed model; may
            resolve to none.

        Raises:
          InputError: `surface` is not a surface.
        """
        judged = evaluated(from_json(Surface, surface, "Evaluator: surface", "a Surface"))
        spec = EvaluatorSpec(
            examples=examples,
            model=model,
            control=control,
            baseline_model=baseline_model,
            surface=judged.model_dump_json(by_alias=True),
            code=code_version("components.evaluator"),
            evaluation=channel_utils.as_channel([standard_artifacts.ModelEvaluation()]),
            control_evaluation=channel_utils.as_channel([standard_artifacts.ModelEvaluation()]),
        )
        super().__init__(spec=spec)
