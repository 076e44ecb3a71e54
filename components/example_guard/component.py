"""ExampleGuard: nothing is trained on examples that contradict their schema."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import channel_utils, standard_artifacts
from tfx.types.channel import BaseChannel
from tfx.utils import json_utils

from components.example_guard.executor import Executor
from components.example_guard.spec import ExampleGuardSpec
from records.code import code_version
from schema.distillation import Distillation
from schema.surface import Surface, Task

_Distilled = TypeVar("_Distilled", bound=Distillation)


class ExampleGuard(base_component.BaseComponent):
    """A strict ExampleValidator: it fails when a split is empty, has anomalies or numbers that are none, or drifted.

    TFX's own writes anomalies down and succeeds; it validates every feature in every
    environment, so that soft labels would be missing before labelling; and it compares with
    no earlier span.

    Component `outputs` contains:

     - `anomalies`: `standard_artifacts.ExampleAnomalies`, as ExampleValidator writes them.

    Example:
      ```python
      guard = ExampleGuard(
          statistics=statistics_gen.outputs["statistics"],
          schema=schema.outputs["schema"],
          environment="RAW",
      )
      ```
    """

    SPEC_CLASS = ExampleGuardSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

    def __init__(
        self,
        statistics: BaseChannel[Any],
        schema: BaseChannel[Any],
        environment: str,
        previous_statistics: BaseChannel[Any] | None = None,
        soft_labels_only: Sequence[str] = (),
        labelled: bool = False,
        announced: Mapping[str, int] | None = None,
        examples: BaseChannel[Any] | None = None,
        surface: Surface | None = None,
    ) -> None:
        """Constructs the component.

        Args:
          statistics: Channel of `standard_artifacts.ExampleStatistics`.
          schema: Channel of `standard_artifacts.Schema`.
          environment: The schema's environment that the examples come from; a feature that
            is `not_in_environment` need not be there.
          previous_statistics: Channel of `standard_artifacts.ExampleStatistics`, of what the schema's
            `drift_comparator`s compare with, split by split.  Without it, or where the channel is
            empty, drift is not judged.
          soft_labels_only: Splits of which nothing but the soft labels is validated: the schema
            is of what was shown, and pairs never shown need not have every column.
          labelled: Whether nothing is validated but the soft labels and the drift of the columns
            that have a `drift_comparator`; the rest was, before labelling.
          announced: Examples that each split must have, as they were counted before they were
            taken in; None asks for no number.
          examples: Channel of `standard_artifacts.Examples`, of which the statistics are.
          surface: Whose numeric features must be finite, and whose labels and weights such as
            training reads; needs `examples`.  None looks at no numbers.
        """
        spec = ExampleGuardSpec(
            statistics=statistics,
            schema=schema,
            previous_statistics=previous_statistics,
            environment=environment,
            code=code_version("components.example_guard"),
            exclude_splits=json_utils.dumps([]),
            soft_labels_only=json_utils.dumps(list(soft_labels_only)),
            labelled=int(labelled),
            announced=json_utils.dumps(dict(announced or {})),
            examples=examples,
            surface=_numbers_of(surface).model_dump_json(by_alias=True) if surface else "",
            anomalies=channel_utils.as_channel([standard_artifacts.ExampleAnomalies()]),
        )
        super().__init__(spec=spec)


def _numbers_of(surface: Surface) -> Surface:
    """`surface` with only what its numbers are judged by: it is part of the cache key."""
    tasks = {
        name: Task(
            kind=task.kind,
            label=task.label,
            positive=task.positive,
            clip=task.clip,
            transform=task.transform,
            classes=task.classes,
            sampled=task.sampled,
            weight_column=task.weight_column,
            distil=_weights_of(task.distil),
            ungated="the guard judges no task",
        )
        for name, task in surface.tasks.items()
    }
    heads = {name: _weights_of(head) for name, head in surface.non_serving_heads.items()}
    return Surface(
        name=surface.name,
        features=surface.features,
        tasks=tasks,
        non_serving_heads={name: head for name, head in heads.items() if head is not None},
        weight_column=surface.weight_column,
    )


def _weights_of(distillation: _Distilled | None) -> _Distilled | None:
    """A distillation with nothing but the column of its weights; None where it has none."""
    if distillation is None or distillation.weight_column is None:
        return None
    kept = {"from": distillation.teacher_task, "weight_column": distillation.weight_column}
    return type(distillation).model_validate(kept)
