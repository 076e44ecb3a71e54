"""The second stage: student and control, alike in all but distillation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tfx.components.trainer.component import Trainer
from tfx.dsl.components.base.base_node import BaseNode
from tfx.proto.trainer_pb2 import EvalArgs, TrainArgs
from tfx.proto.transform_pb2 import SplitsConfig
from tfx.types.channel import Channel

from components.continuation.component import Continuation
from components.transform.component import Transform
from contracts import keys, nodes, properties
from contracts.roles import ModelRole
from models.own_code import modules
from pipeline.labelling import Labelling
from pipeline.settings import Settings
from pipeline.spans import EXAMPLES, rolling_window
from records.code import code_version
from schema.candidates import UNLABELLED_SPLIT
from schema.surface import EVAL_SPLIT, TRAIN_SPLIT, Surface

# What Transform and Trainer run by import path, which is all that TFX's cache knows.
_PREPROCESSING, _TRAINER = "models.preprocessing", "models.trainer"


@dataclass(frozen=True)
class TrainedArms:
    """The nodes of this stage, the two models, and the losses of their trainings."""

    nodes: list[BaseNode]
    student: Channel
    control: Channel
    student_run: Channel
    control_run: Channel

    @property
    def runs(self) -> dict[ModelRole, Channel]:
        """What the trainings left, by arm."""
        return {ModelRole.STUDENT: self.student_run, ModelRole.CONTROL: self.control_run}


def training(settings: Settings, labelled: Labelling) -> TrainedArms:
    """Transforms the labelled examples, of all spans of the window, and trains both arms on them."""
    own = modules(settings.surface)["preprocessing"]
    window = [] if settings.window is None else [rolling_window(settings, labelled.guards[-1])]
    transform = Transform(
        examples=window[0].outputs[EXAMPLES] if window else labelled.window or labelled.examples,
        schema=labelled.schema,
        preprocessing_fn=f"{_PREPROCESSING}.preprocessing_fn",
        splits_config=_splits(settings.surface),
        custom_config={
            keys.SURFACE: settings.surface_json,
            keys.CODE: code_version(_PREPROCESSING, "components.transform", *own),
        },
        disable_statistics=True,
        disable_analyzer_cache=True,
    )
    transform.add_upstream_nodes(labelled.guards)
    bases, found = _bases(settings, labelled)
    student, control = (
        _trainer(settings, arm, transform, bases.get(arm)) for arm in (ModelRole.STUDENT, ModelRole.CONTROL)
    )
    return TrainedArms(
        nodes=[*window, transform, *found, student, control],
        student=student.outputs[keys.MODEL],
        control=control.outputs[keys.MODEL],
        student_run=student.outputs[keys.MODEL_RUN],
        control_run=control.outputs[keys.MODEL_RUN],
    )


def _splits(surface: Surface) -> SplitsConfig | None:
    """What Transform learns from: with pairs, their ids have rows of their own in embeddings, too."""
    if surface.unlabelled is None:
        return None
    return SplitsConfig(analyze=[TRAIN_SPLIT, UNLABELLED_SPLIT], transform=[TRAIN_SPLIT, EVAL_SPLIT, UNLABELLED_SPLIT])


def _bases(settings: Settings, labelled: Labelling) -> tuple[dict[ModelRole, Channel], list[BaseNode]]:
    """What each arm starts from, if from anything, and the node that finds it.

    A run that continues takes the student from the earlier run's student and the control from its
    control, whose lineage never saw a soft label.
    """
    if settings.surface.training.continue_from is None:
        return ({ModelRole.STUDENT: labelled.teacher} if settings.surface.reads_teacher else {}), []
    found = Continuation(
        examples=labelled.arrived, serving=settings.serving, data_span=settings.origin.data_span or ""
    ).with_id(nodes.CONTINUATION)
    return {role: found.outputs[role.value] for role in (ModelRole.STUDENT, ModelRole.CONTROL)}, [found]


def _trainer(settings: Settings, role: ModelRole, transform: BaseNode, base: Channel | None) -> BaseNode:
    student = role is ModelRole.STUDENT
    own = modules(settings.surface)["training"]
    code = code_version(_TRAINER, *own)
    config: dict[str, Any] = {keys.SURFACE: settings.surface_json, "arm": role.value, keys.CODE: code}
    if student and settings.surface.reads_teacher:
        # TFX's cache knows the teacher by its path; this is for one that changed under it.
        config[properties.TEACHER_FINGERPRINT] = settings.teacher_fingerprint
    if settings.trainer_workers > 1:
        config[keys.TRAINER_WORKERS] = settings.trainer_workers
    unshown = [UNLABELLED_SPLIT] if student and settings.surface.unlabelled else []
    return Trainer(
        run_fn=f"{_TRAINER}.run_fn",
        examples=transform.outputs[keys.TRANSFORMED_EXAMPLES],
        transform_graph=transform.outputs[keys.TRANSFORM_GRAPH],
        base_model=base,
        train_args=TrainArgs(splits=[TRAIN_SPLIT, *unshown]),
        eval_args=EvalArgs(splits=[EVAL_SPLIT]),
        custom_config=config,
    ).with_id(nodes.trainer(role))
