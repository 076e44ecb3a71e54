"""Evaluator: TFX's, which reads examples in batches."""

from tfx.components.evaluator import component
from tfx.dsl.components.base import executor_spec

from components.evaluator.executor import Executor


class Evaluator(component.Evaluator):
    """TFX's Evaluator, whose inputs, outputs and properties it has.

    Its caller puts `code_version("components.evaluator")` into the evaluation's configuration
    (`evaluation.moments.LabelledExamples`): TFX has no other place for it in the cache's key.
    """

    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(Executor)
