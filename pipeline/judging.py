"""The last stage: what may serve is judged, and pushed only then."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tfx.dsl.components.base.base_node import BaseNode
from tfx.proto.pusher_pb2 import PushDestination
from tfx.types.channel import Channel

from components.blessing_gate.component import BlessingGate
from components.evaluator.component import Evaluator
from components.model_pusher.component import ModelPusher
from components.serving_validator.component import ServingValidator
from contracts import keys, nodes
from contracts.roles import ModelRole
from pipeline import resolvers
from pipeline.resolvers import LastBlessed
from pipeline.settings import Settings


@dataclass(frozen=True)
class Judging:
    """The nodes of this stage, and what it found.

    Attributes:
      nodes: All of them, in order.
      decision: The gate's.
      evaluation: The student against the last blessed model.
      control_evaluation: The same against the control.
      serving_report: How the student serves.
      pushed_model: What became of it.
      blessing: The gate's blessing, which names the model that was judged.
    """

    nodes: list[BaseNode]
    decision: Channel
    evaluation: Channel
    control_evaluation: Channel
    serving_report: Channel
    pushed_model: Channel
    blessing: Channel


def judging(
    settings: Settings,
    *,
    student: Channel,
    control: Channel,
    examples: Channel,
    label_report: Channel,
    last_blessed: LastBlessed = resolvers.from_destination,
    statistics: Channel | None = None,
    runs: Mapping[ModelRole, Channel] | None = None,
) -> Judging:
    """Evaluates and serves the student beside the last blessed model and the control, decides, and pushes.

    Args:
      settings: The run's.
      student: The model under test.
      control: The same without distillation.
      examples: Labelled examples; their evaluation split is used.
      label_report: What the teacher said of them.
      last_blessed: Makes the nodes that find the model that serves today; see `pipeline.resolvers`.
      statistics: Statistics of the examples before labelling, for the report of the next run.
      runs: What the trainings of student and control left, where later runs continue from it.
    """
    resolved = last_blessed(settings, student)
    evaluator = Evaluator(
        examples=examples,
        model=student,
        control=control,
        baseline_model=resolved.model,
        surface=settings.surface_json,
    )
    validator = ServingValidator(
        model=student,
        control=control,
        baseline_model=resolved.model,
        examples=examples,
        surface=settings.surface_json,
    )
    gate = BlessingGate(
        # Through the resolver: TFX goes on when a resolver fails, as if nothing had ever been
        # blessed.  Then this channel is empty, and nothing is judged or pushed.
        model=resolved.candidate,
        evaluation=evaluator.outputs[keys.EVALUATION],
        control_evaluation=evaluator.outputs[keys.CONTROL_EVALUATION],
        label_report=label_report,
        infra_blessing=validator.outputs["blessing"],
        baseline_model=resolved.model,
        statistics=statistics,
        surface=settings.surface_json,
        serving=settings.serving,
        teacher=settings.teacher_fingerprint,
        data_span=settings.origin.data_span or "",
    ).with_id(nodes.BLESSING_GATE)
    pusher = ModelPusher(
        model=student,
        model_blessing=gate.outputs["blessing"],
        decision=gate.outputs[keys.DECISION],
        infra_blessing=validator.outputs["blessing"],
        push_destination=PushDestination(filesystem=PushDestination.Filesystem(base_directory=settings.serving)),
        provenance=settings.origin.model_dump_json(),
        student_run=runs[ModelRole.STUDENT] if runs else None,
        control_run=runs[ModelRole.CONTROL] if runs else None,
    ).with_id(nodes.PUSHER)
    return Judging(
        nodes=[*resolved.nodes, evaluator, validator, gate, pusher],
        decision=gate.outputs[keys.DECISION],
        evaluation=evaluator.outputs[keys.EVALUATION],
        control_evaluation=evaluator.outputs[keys.CONTROL_EVALUATION],
        serving_report=validator.outputs[keys.SERVING_REPORT],
        pushed_model=pusher.outputs[keys.PUSHED_MODEL],
        blessing=gate.outputs["blessing"],
    )
