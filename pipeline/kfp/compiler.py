"""Compiles the pipeline for Kubeflow Pipelines 2 and Vertex, with TFX's own runner."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, fields
from typing import Any

from tfx.components.schema_gen.import_schema_gen.component import ImportSchemaGen
from tfx.dsl.components.base.base_node import BaseNode
from tfx.orchestration.kubeflow.v2.kubeflow_v2_dag_runner import KubeflowV2DagRunner, KubeflowV2DagRunnerConfig
from tfx.types.channel import UnionChannel

from contracts.outcome import Outcome
from pipeline.earlier_runs import from_records
from pipeline.kfp import specification
from pipeline.kfp.parameters import SPAN_PATTERN, Defaults, placeholder
from pipeline.kfp.policies import Policies
from pipeline.kfp.spans import earlier, name_of
from pipeline.kfp.storage import check_bucket
from pipeline.pipeline import create_pipeline
from pipeline.resolvers import from_destination_alone
from pipeline.settings import Folder, Settings
from pipeline.teachers import copied
from schema.candidates import fingerprint_key
from schema.errors import InputError
from schema.pairs import check_pairs_from
from schema.surface import Surface

ENTRYPOINT = "pipeline.kfp.entrypoint"

# Registry (with a port), path, and a tag or digest: an image that can change under its name
# would let a cached node stand in for other code.
_IMAGE = re.compile(r"[a-z0-9][a-z0-9.-]*(:\d+)?(/[a-z0-9._-]+)*(:[\w][\w.-]{0,127}|@sha256:[0-9a-f]{64})")
# Forms of spans that the local runner knows, and which only it can find folders of.
_OTHER_SPANS = re.compile(r"\{(YYYY|MM|DD|SPAN:\d+)\}")
# Argo's object for a run grows by some 58 kB a span with a surface like the shipped homepage's, and
# Kubernetes takes 1.5 MB.
MOST_SPANS = 16
_SCHEMA_FOLDER = "/tmp/crosskd/schema"


@dataclass(frozen=True)
class CompileRequest:
    """What to compile.

    Attributes:
      surface: The surface.
      schema: Text of its TFDV schema; it travels in the specification.
      image: The containers' image, with a tag or a digest.
      pipeline_root: Where artifacts go: a gs://, s3:// or minio:// URI.
      defaults: Values of run parameters.
      policies: The policies of the nodes.
      window: How many spans are trained on, the newest included.
      trainer_workers: How many processes of its pod a Trainer starts, which train together.
      fails_unless: What a run must come to, or it is shown as failed; None never shows it so for its student's sake.
      code_revision: The version control revision of the code, for provenance.
    """

    surface: Surface
    schema: str
    image: str
    pipeline_root: str
    defaults: Defaults
    policies: Policies
    window: int = 1
    trainer_workers: int = 1
    fails_unless: Outcome | None = Outcome.PUSHED
    code_revision: str | None = None


def compile_job(request: CompileRequest) -> dict[str, Any]:
    """Compiles to a PipelineJob: `pipelineSpec` is what Kubeflow Pipelines reads, all of it what Vertex does.

    Raises:
      InputError: The image, the pipeline root, a run parameter or a policy cannot be right.
    """
    _check(request)
    defaults = {**request.defaults.given(), **_earlier_spans(request)}
    spanned = SPAN_PATTERN in str(defaults.get("examples", ""))
    pipeline = create_pipeline(
        _settings(request),
        make_teacher=copied,
        last_blessed=from_destination_alone,
        earlier_runs=from_records,
        fails_unless=request.fails_unless,
    )
    several = {node.id: _split_unions(node) for node in pipeline.components}
    pipeline.pipeline_info.pipeline_name = pipeline.pipeline_info.pipeline_name.replace("_", "-")
    request.policies.check(node.id for node in pipeline.components)
    config = KubeflowV2DagRunnerConfig(
        default_image=request.image,
        default_commands=["python", "-m", ENTRYPOINT],
        use_pipeline_spec_2_1=True,
    )
    job = KubeflowV2DagRunner(config).run(pipeline, parameter_values=defaults, write_out=False)
    nodes = {
        node.id: specification.Node(
            component=node,
            several=several[node.id],
            policy=request.policies.of(node.id),
            files=_files(request) if isinstance(node, ImportSchemaGen) else {},
        )
        for node in pipeline.components
    }
    specification.finish(job, nodes, defaults, cache_examples=spanned)
    # On open-source Kubeflow the root is a field of the run, which `crosskd submit` takes from here.
    job["pipelineSpec"]["defaultPipelineRoot"] = request.pipeline_root.rstrip("/")
    return dict(job)


def _check(request: CompileRequest) -> None:
    if not _IMAGE.fullmatch(request.image):
        raise InputError(
            f"--image: expected registry/name:tag or registry/name@sha256:digest, found {request.image!r}. Without a "
            "tag or digest a cached node could stand in for other code."
        )
    check_bucket(request.pipeline_root, "--pipeline-root")
    other = _OTHER_SPANS.search(request.defaults.examples or "")
    if other:
        raise InputError(
            f"--examples {request.defaults.examples}: expected {SPAN_PATTERN}, which the span takes the place of as it "
            f"is written (--parameter span=2026-01-31, say), found {other[0]}"
        )
    if not 1 <= request.window <= MOST_SPANS:
        raise InputError(
            f"--window {request.window}: expected at most {MOST_SPANS} spans: the nodes of each are tasks of the run, "
            "and Kubernetes keeps no more of one"
        )
    asked = {"--span": request.defaults.span is not None, "--window": request.window > 1}
    for option in [each for each, is_given in asked.items() if is_given]:
        if SPAN_PATTERN not in (request.defaults.examples or ""):
            raise InputError(
                f"{option}: expected {SPAN_PATTERN} in --examples, which the span takes the place of, "
                f"found {request.defaults.examples!r}"
            )
    check_pairs_from(request.surface, request.defaults.pairs_from())


def _earlier_spans(request: CompileRequest) -> dict[str, str]:
    """Defaults of the window's older spans, where its newest one has a default."""
    span = request.defaults.span
    return {name_of(before): earlier(span, before) for before in range(1, request.window)} if span is not None else {}


def _split_unions(node: BaseNode) -> dict[str, list[Any]]:
    """Leaves the first channel of each union among a node's inputs, since TFX's compiler takes no other; all of them.

    The entry point puts the others beside it.
    """
    unions = {key: channel for key, channel in node.inputs.items() if isinstance(channel, UnionChannel)}
    for key, union in unions.items():
        node.inputs[key] = union.channels[0]
    return {key: union.channels for key, union in unions.items()}


def _settings(request: CompileRequest) -> Settings:
    """Settings whose run parameters are placeholders."""
    values = {each.name: placeholder(each.name) for each in fields(Defaults)}
    template = request.defaults.examples or ""
    folders = [template.replace(SPAN_PATTERN, placeholder(name_of(before))) for before in range(request.window)]
    spanned = SPAN_PATTERN in template
    oldest, newest = placeholder(name_of(request.window - 1)), placeholder(name_of(0))
    return Settings(
        surface=request.surface,
        schema_path=next(iter(_files(request))),
        # As in the template, so that each span's folder has a name of its own in cache keys.
        examples=folders[0] if spanned else values["examples"],
        earlier=folders[1:],
        teacher=values["teacher"],
        teacher_fingerprint=values["teacher_fingerprint"],
        root=request.pipeline_root.rstrip("/"),
        serving=values["serving"],
        metadata=":memory:",
        beam_args=(),
        code_revision=request.code_revision,
        pairs_from={
            name: Folder(values[name], values[fingerprint_key(name)]) for name in request.defaults.pairs_from()
        },
        span=newest if spanned else None,
        trainer_workers=request.trainer_workers,
        data_span=f"{oldest}:{newest}" if request.window > 1 else None,
    )


def _files(request: CompileRequest) -> dict[str, str]:
    """The schema, under a path that changes with its content, as caches need."""
    digest = hashlib.sha256(request.schema.encode()).hexdigest()[:16]
    return {f"{_SCHEMA_FOLDER}/{digest}/schema.pbtxt": request.schema}
