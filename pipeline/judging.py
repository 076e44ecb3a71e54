"""The last stage: what may serve is judged, and pushed only then."""

from __future__ import annotations

from dataclasses import dataclass

from tfx import v1 as tfx
from tfx.dsl.components.base.base_node import BaseNode
from tfx.types import standard_artifacts

from components.blessing_gate.component import BlessingGate
from components.metrics import extractors
from components.model_pusher.component import ModelPusher
from components.serving_validator.component import ServingValidator
from pipeline import resolvers
from pipeline.eval_config import Baseline, eval_config
from pipeline.settings import Settings
from schema.surface import EVAL_SPLIT

GATE = "BlessingGate"


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
    """

    nodes: list[BaseNode]
    decision: tfx.dsl.Channel
    evaluation: tfx.dsl.Channel
    control_evaluation: tfx.dsl.Channel
    serving_report: tfx.dsl.Channel
    pushed_model: tfx.dsl.Channel


def judging(
    settings: Settings,
    *,
    student: tfx.dsl.Channel,
    control: tfx.dsl.Channel,
    examples: tfx.dsl.Channel,
    label_report: tfx.dsl.Channel,
    last_blessed: type[tfx.dsl.experimental.ResolverStrategy] = resolvers.LastBlessedBefore,
) -> Judging:
    """Evaluates and serves the student beside the last blessed model and the control, decides, and pushes.

    Args:
      settings: The run's.
      student: The model under test.
      control: The same without distillation.
      examples: Labelled examples; their evaluation split is used.
      label_report: What the teacher said of them.
      last_blessed: Finds the model that serves today; resolves the keys of `resolvers`.
    """
    resolved = tfx.dsl.Resolver(
        strategy_class=last_blessed,
        # All models: a channel with the student's producer would be merged with `candidate`.
        model=tfx.dsl.Channel(type=standard_artifacts.Model),
        model_blessing=tfx.dsl.Channel(
            type=standard_artifacts.ModelBlessing, producer_component_id=GATE, output_key="blessing"
        ),
        candidate=student,
    ).with_id("LastBlessed")
    against_last = _evaluator(settings, Baseline.LAST_BLESSED, examples, student, resolved.outputs[resolvers.MODEL])
    against_control = _evaluator(settings, Baseline.CONTROL, examples, student, control)
    validator = ServingValidator(
        model=student,
        control=control,
        baseline_model=resolved.outputs[resolvers.MODEL],
        examples=examples,
        surface=settings.surface_json,
    )
    gate = BlessingGate(
        # Through the resolver: TFX goes on when a resolver fails, as if nothing had ever been
        # blessed.  Then this channel is empty, and nothing is judged or pushed.
        model=resolved.outputs[resolvers.CANDIDATE],
        evaluation=against_last.outputs["evaluation"],
        control_evaluation=against_control.outputs["evaluation"],
        label_report=label_report,
        infra_blessing=validator.outputs["blessing"],
        surface=settings.surface_json,
    ).with_id(GATE)
    pusher = ModelPusher(
        model=student,
        model_blessing=gate.outputs["blessing"],
        decision=gate.outputs["decision"],
        infra_blessing=validator.outputs["blessing"],
        push_destination=tfx.proto.PushDestination(
            filesystem=tfx.proto.PushDestination.Filesystem(base_directory=settings.serving)
        ),
        provenance=settings.origin.model_dump_json(),
    ).with_id("Pusher")
    return Judging(
        nodes=[resolved, against_last, against_control, validator, gate, pusher],
        decision=gate.outputs["decision"],
        evaluation=against_last.outputs["evaluation"],
        control_evaluation=against_control.outputs["evaluation"],
        serving_report=validator.outputs["report"],
        pushed_model=pusher.outputs["pushed_model"],
    )


def _evaluator(
    settings: Settings,
    baseline: Baseline,
    examples: tfx.dsl.Channel,
    student: tfx.dsl.Channel,
    other: tfx.dsl.Channel,
) -> tfx.components.Evaluator:
    return tfx.components.Evaluator(
        examples=examples,
        model=student,
        baseline_model=other,
        eval_config=eval_config(settings.surface, baseline),
        example_splits=[EVAL_SPLIT],
        module_path=extractors.__name__,
    ).with_id(f"Evaluator.{baseline.value}")
