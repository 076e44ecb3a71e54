"""The pipeline: from target examples and a teacher to a pushed student."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tfx import v1 as tfx
from tfx.dsl.components.base.base_node import BaseNode
from tfx.types import standard_artifacts

from components.blessing_gate.component import BlessingGate
from components.code import code_version
from components.example_guard.component import ExampleGuard
from components.model_pusher.component import ModelPusher
from components.model_pusher.provenance import Origin
from components.teacher_labeler.component import TeacherLabeler
from models.trainer import Arm
from pipeline import resolvers
from pipeline.eval_config import Baseline, eval_config
from schema.loader import RAW, TRAINING
from schema.surface import EVAL_SPLIT, TRAIN_SPLIT, Surface

TEACHER_FINGERPRINT = "fingerprint"

# The code that Transform and Trainer run by import path, which is all that TFX's cache knows.
_CODE = ("models", "schema")


@dataclass(frozen=True)
class Settings:
    """Everything a run is bound to; the runners fill it, the pipeline only reads it.

    Attributes:
      surface: The surface.
      schema_path: Its TFDV schema.  TFX's cache knows it by path, so the path must
        change with the content.
      examples: Folder with `train/` and `eval/`, gzipped TFRecords of tf.Example.
      teacher: The teacher's SavedModel.
      teacher_fingerprint: Of its content.
      root: Where artifacts go.
      serving: Where a blessed student is pushed, one numbered folder a version.
      metadata: The SQLite file of ML Metadata.
      beam_args: Arguments of every Beam pipeline.
      code_revision: The version control revision of the code, for provenance.
    """

    surface: Surface
    schema_path: str
    examples: str
    teacher: str
    teacher_fingerprint: str
    root: str
    serving: str
    metadata: str
    beam_args: Sequence[str]
    code_revision: str | None = None

    @property
    def origin(self) -> Origin:
        """What a pushed model's provenance says of the run that made it."""
        return Origin(
            surface=self.surface.name,
            teacher_fingerprint=self.teacher_fingerprint,
            git_revision=self.code_revision,
            teacher=self.teacher,
            examples=self.examples,
        )


def create_pipeline(settings: Settings) -> tfx.dsl.Pipeline:
    """Builds the DAG of DESIGN.md, section 3, for one surface."""
    surface_json = settings.surface.model_dump_json(by_alias=True)

    examples = tfx.components.ImportExampleGen(input_base=settings.examples, input_config=_splits())
    curated = tfx.components.ImportSchemaGen(schema_file=settings.schema_path)
    raw_statistics = tfx.components.StatisticsGen(examples=examples.outputs["examples"]).with_id("RawStatistics")
    raw_guard = ExampleGuard(
        statistics=raw_statistics.outputs["statistics"], schema=curated.outputs["schema"], environment=RAW
    ).with_id("RawExampleGuard")

    teacher = tfx.dsl.Importer(
        source_uri=settings.teacher,
        artifact_type=standard_artifacts.Model,
        custom_properties={TEACHER_FINGERPRINT: settings.teacher_fingerprint},
    ).with_id("Teacher")
    labeler = TeacherLabeler(
        examples=examples.outputs["examples"],
        teacher=teacher.outputs["result"],
        surface=surface_json,
        teacher_fingerprint=settings.teacher_fingerprint,
    )
    labeler.add_upstream_node(raw_guard)
    labelled = labeler.outputs["labelled_examples"]
    label_statistics = tfx.components.StatisticsGen(examples=labelled).with_id("LabelledStatistics")
    label_guard = ExampleGuard(
        statistics=label_statistics.outputs["statistics"], schema=curated.outputs["schema"], environment=TRAINING
    ).with_id("LabelledExampleGuard")

    transform = tfx.components.Transform(
        examples=labelled,
        schema=curated.outputs["schema"],
        preprocessing_fn="models.preprocessing.preprocessing_fn",
        custom_config={"surface": surface_json, "code": code_version(*_CODE)},
        disable_statistics=True,
    )
    transform.add_upstream_node(label_guard)
    student = _trainer(Arm.STUDENT, transform, surface_json)
    control = _trainer(Arm.CONTROL, transform, surface_json)

    last_blessed = tfx.dsl.Resolver(
        strategy_class=resolvers.LastBlessedBefore,
        # All models: a channel with the student's producer would be merged with `candidate`.
        model=tfx.dsl.Channel(type=standard_artifacts.Model),
        model_blessing=tfx.dsl.Channel(
            type=standard_artifacts.ModelBlessing, producer_component_id="BlessingGate", output_key="blessing"
        ),
        candidate=student.outputs["model"],
    ).with_id("LastBlessed")
    against_last = _evaluator(
        Baseline.LAST_BLESSED, settings.surface, student, labelled, last_blessed.outputs[resolvers.MODEL]
    )
    against_control = _evaluator(Baseline.CONTROL, settings.surface, student, labelled, control.outputs["model"])
    gate = BlessingGate(
        # Through the resolver: TFX goes on when a resolver fails, as if nothing had ever been
        # blessed.  Then this channel is empty, and nothing is judged or pushed.
        model=last_blessed.outputs[resolvers.CANDIDATE],
        evaluation=against_last.outputs["evaluation"],
        control_evaluation=against_control.outputs["evaluation"],
        label_report=labeler.outputs["label_report"],
        surface=surface_json,
    )
    pusher = ModelPusher(
        model=student.outputs["model"],
        model_blessing=gate.outputs["blessing"],
        decision=gate.outputs["decision"],
        push_destination=tfx.proto.PushDestination(
            filesystem=tfx.proto.PushDestination.Filesystem(base_directory=settings.serving)
        ),
        provenance=settings.origin.model_dump_json(),
    ).with_id("Pusher")
    nodes: list[BaseNode] = [examples, curated, raw_statistics, raw_guard, teacher, labeler, label_statistics]
    nodes += [label_guard, transform, student, control, last_blessed, against_last, against_control, gate, pusher]
    return tfx.dsl.Pipeline(
        pipeline_name=pipeline_name(settings.surface),
        pipeline_root=settings.root,
        components=nodes,
        enable_cache=True,
        metadata_connection_config=tfx.orchestration.metadata.sqlite_metadata_connection_config(settings.metadata),
        beam_pipeline_args=list(settings.beam_args),
    )


def pipeline_name(surface: Surface) -> str:
    """The name under which ML Metadata keeps the runs of a surface."""
    return f"crosskd-{surface.name}"


def _splits() -> tfx.proto.Input:
    return tfx.proto.Input(
        splits=[tfx.proto.Input.Split(name=name, pattern=f"{name}/*") for name in (TRAIN_SPLIT, EVAL_SPLIT)]
    )


def _trainer(arm: Arm, transform: BaseNode, surface_json: str) -> tfx.components.Trainer:
    return tfx.components.Trainer(
        run_fn="models.trainer.run_fn",
        examples=transform.outputs["transformed_examples"],
        transform_graph=transform.outputs["transform_graph"],
        train_args=tfx.proto.TrainArgs(splits=[TRAIN_SPLIT]),
        eval_args=tfx.proto.EvalArgs(splits=[EVAL_SPLIT]),
        custom_config={"surface": surface_json, "arm": arm.value, "code": code_version(*_CODE)},
    ).with_id(f"Trainer.{arm.value}")


def _evaluator(
    baseline: Baseline, surface: Surface, student: BaseNode, examples: tfx.dsl.Channel, model: tfx.dsl.Channel
) -> tfx.components.Evaluator:
    return tfx.components.Evaluator(
        examples=examples,
        model=student.outputs["model"],
        baseline_model=model,
        eval_config=eval_config(surface, baseline),
        example_splits=[EVAL_SPLIT],
        module_path="components.metrics.extractors",
    ).with_id(f"Evaluator.{baseline.value}")
