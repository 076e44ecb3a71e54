"""Each fault that a real Kubeflow showed is caught by a check on the stand-in: red with the fault, green without.

The checks run single tasks; `test_conformance` runs the whole pipeline.
"""

from __future__ import annotations

import base64
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
import yaml
from google.protobuf import json_format
from typer.testing import CliRunner

from crosskd.main import app
from pipeline.beam_options import DEFAULT_BEAM_ARGS
from pipeline.kfp import compiler, invocation
from pipeline.kfp.parameters import Defaults
from pipeline.kfp.platform import read_platform
from pipeline.kfp.policies import Policies
from records.fingerprint import fingerprint
from schema.loader import load_surface
from tests.e2e import library
from tests.kubeflow import argo
from tests.kubeflow.api_server import ApiServer
from tests.kubeflow.backend import Cluster, OpenSource, TaskFailedError
from tests.kubeflow.containers import Containers
from tests.kubeflow.driver import Metadata
from tests.kubeflow.metadata_service import MetadataService
from tests.kubeflow.mutations import Edit, applied
from tests.kubeflow.object_store import ACCESS, ObjectStore
from tests.kubeflow.uris import RefusedError

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]

ROOT = "s3://mlpipeline/v2/artifacts"
SECRETS = {("store", "access"): ACCESS["aws_access_key_id"], ("store", "secret"): ACCESS["aws_secret_access_key"]}
STORE_SECRETS = ["store:access=AWS_ACCESS_KEY_ID", "store:secret=AWS_SECRET_ACCESS_KEY"]
DAY = 24 * 3600


class Dying(Containers):
    """Containers of which the first attempts die, each after some time.

    Attributes:
      deaths: How many attempts die.
      seconds: After what time.
    """

    def __init__(self, real: Containers, clock, deaths: int, seconds: float) -> None:
        self._real, self._clock, self.deaths, self.seconds = real, clock, deaths, seconds

    def run(self, command: list[str], env: dict[str, str], log: Path) -> int:
        if not self.deaths:
            return self._real.run(command, env, log)
        self.deaths -= 1
        self._clock.skipped += self.seconds
        log.write_text("Killed\n")
        return 137


@dataclass
class Kit:
    """What the checks work with.

    Attributes:
      folder: For what a check writes.
      world: The library's folders.
      request: The request, but for places.
      containers: Runs commands.
      cluster: Where they run.
      counter: Makes names of runs.
    """

    folder: Path
    world: Path
    request: compiler.CompileRequest
    containers: Containers
    cluster: Cluster
    counter: Iterator[int] = field(default_factory=itertools.count)

    def places(self, **others: str) -> dict[str, str]:
        teacher = str(self.world / "teacher")
        return {
            "examples": str(self.world / "examples" / "{SPAN}"),
            "teacher": teacher,
            "teacher_fingerprint": fingerprint(teacher),
            "serving": str(self.folder / "serving"),
            **others,
        }

    def compile(self, **places: str) -> Path:
        defaults = replace(self.request.defaults, **self.places(**places))
        job = compiler.compile_job(replace(self.request, defaults=defaults))
        platform = read_platform([], STORE_SECRETS, [f"AWS_ENDPOINT_URL={self.cluster.store.endpoint}"])
        platform.give_environment(job)
        path = self.folder / f"pipeline-{next(self.counter)}.yaml"
        path.write_text(yaml.safe_dump_all([job["pipelineSpec"], platform.document(job)]))
        return path

    def backend(self, pipeline: Path, containers: Containers | None = None, root: str | None = ROOT) -> OpenSource:
        folder = self.folder / f"run-{next(self.counter)}"
        cluster = replace(self.cluster, cache={})
        return OpenSource(pipeline, folder, {}, containers or self.containers, cluster, root)


Check = Callable[[Kit], None]


@pytest.fixture(scope="module")
def shared(tmp_path_factory) -> Iterator[Kit]:
    world = tmp_path_factory.mktemp("world")
    surface = load_surface(library.write_surface(world / "surface"))
    library.write_examples(world / "examples" / "1", sizes=(40, 40))
    library.write_teacher(world / "teacher")
    defaults = Defaults(None, "1", None, None, None, 1, "", " ".join(DEFAULT_BEAM_ARGS))
    request = compiler.CompileRequest(
        surface.surface, surface.schema_path.read_text(), "crosskd:1", ROOT, defaults, Policies()
    )
    store, containers = ObjectStore("mlpipeline", "elsewhere", "other-root"), Containers()
    store.upload(world / "teacher", "s3://elsewhere/teacher")
    store.client.put_object(Bucket="elsewhere", Key="teacher/variables/", Body=b"")
    store.upload(world / "examples", "s3://elsewhere/examples")
    service = MetadataService(world / "mlmd.db")
    yield Kit(world, world, request, containers, Cluster(store, service, world / "disk", secrets=SECRETS))
    service.close()
    containers.close()
    store.close()


@pytest.fixture
def kit(shared, tmp_path) -> Kit:
    return replace(shared, folder=tmp_path)


def first_node_runs(kit: Kit) -> None:
    """The first container node, on a default installation, which adds an output."""
    backend = kit.backend(kit.compile())
    backend.run_task(backend.task("import-schema-gen"))
    assert set(backend.artifacts) == {("import-schema-gen", "schema"), ("import-schema-gen", "executor-logs")}


def teacher_comes_from_a_volume(kit: Kit) -> None:
    _bring_teacher(kit, teacher=str(kit.world / "teacher"))


def teacher_comes_from_another_bucket(kit: Kit) -> None:
    """With an endpoint, and with the empty objects that TensorFlow leaves for folders."""
    for scheme in ("s3", "minio"):
        _bring_teacher(kit, teacher=f"{scheme}://elsewhere/teacher")


def _bring_teacher(kit: Kit, teacher: str) -> None:
    backend = kit.backend(kit.compile(teacher=teacher))
    backend.run_task(backend.task("teacher"))
    (found,) = [each for (_, key), each in backend.artifacts.items() if key != "executor-logs"]
    kit.cluster.store.download(found["uri"], kit.folder / "as-the-labeller-gets-it")
    assert fingerprint(str(kit.folder / "as-the-labeller-gets-it")) == fingerprint(str(kit.world / "teacher"))


def examples_come_from_a_bucket(kit: Kit) -> None:
    backend = kit.backend(kit.compile(examples="s3://elsewhere/examples/{SPAN}"))
    backend.run_task(backend.task("import-example-gen"))
    uri = backend.artifacts["import-example-gen", "examples"]["uri"]
    assert {key.partition("/examples/")[2].partition("/")[0] for key in kit.cluster.store.keys(uri)} == {
        "Split-train",
        "Split-eval",
    }


def submit_finds_the_fingerprint(kit: Kit) -> None:
    """The documented command, for a teacher that the pipeline names and that was out of reach when it was compiled."""
    pipeline = kit.compile(teacher_fingerprint=None)
    (run,) = _submit(pipeline)
    assert run["runtime_config"]["parameters"]["teacher_fingerprint"] == fingerprint(str(kit.world / "teacher"))


def run_has_the_pipeline_root(kit: Kit) -> None:
    kit.request = replace(kit.request, pipeline_root="s3://other-root/team")
    pipeline = kit.compile()
    (run,) = _submit(pipeline)
    backend = kit.backend(pipeline, root=run["runtime_config"].get("pipeline_root"))
    backend.run_task(backend.task("import-schema-gen"))
    assert backend.artifacts["import-schema-gen", "schema"]["uri"].startswith("s3://other-root/team/crosskd-library/")


def _submit(pipeline: Path) -> list[dict]:
    server = ApiServer()
    try:
        done = CliRunner().invoke(app, ["submit", str(pipeline), "--host", server.host])
        assert done.exit_code == 0, done.output
        return server.runs
    finally:
        server.close()


def submit_serves_many_users(kit: Kit) -> None:
    """The second time, too, when the pipeline is there already: in the namespace, with the token of the pod."""
    many, token = ApiServer(token="of the service account"), kit.folder / "token"
    token.write_text("of the service account")
    words = ["submit", str(kit.compile()), "--host", many.host, "--namespace", "team"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KF_PIPELINES_SA_TOKEN_PATH", str(token))
        codes = [CliRunner().invoke(app, words).exit_code for _ in range(2)]
    many.close()
    assert (codes, len(many.pipelines), len(many.runs)) == ([0, 0], 1, 2)


def long_node_is_tried_again(kit: Kit) -> None:
    """A node that dies after 11 minutes, and again after 11 hours, has a third attempt with days to go."""
    policies = Policies.model_validate({"default": {"retries": 2}})
    kit.request = replace(kit.request, policies=policies)
    backend = kit.backend(kit.compile())
    clock = backend.cluster.clock
    backend.containers = Dying(kit.containers, clock, deaths=1, seconds=11 * 60)
    backend.run_task(backend.task("import-schema-gen"))
    assert backend.attempts["import-schema-gen"] == 2
    policy = json_format.MessageToDict(backend.task("trainer-student").spec.retry_policy)
    verdict = argo.after([argo.Attempt(0, 660), argo.Attempt(700, 700 + 11 * 3600)], policy)
    assert verdict.start is not None
    assert verdict.deadline - verdict.start > 2 * DAY


def bad_input_is_not_tried_again(kit: Kit) -> None:
    """The executor is started once; the attempt after it ends at once, in the same words."""
    backend = kit.backend(kit.compile(teacher_fingerprint="of another teacher"))
    with pytest.raises(TaskFailedError, match=r"Not tried again: teacher .* the fingerprint of another teacher"):
        backend.run_task(backend.task("teacher"))
    logs = [log.read_text() for log in sorted(backend.folder.glob("teacher-*.log"))]
    assert ["Not tried again" in log for log in logs] == [False, True, True]


def identities_come_back_whole(kit: Kit) -> None:
    """Through the real ML Metadata and its SQLite, as a property that another node reads."""
    metadata = Metadata(kit.cluster.service.client())
    for number in range(200):
        identity = invocation.identity(f"s3://bucket/{number}")
        artifact = {"uri": "s3://bucket/b", "type": {"schemaTitle": "tfx.ModelBlessing"}, "metadata": {"of": identity}}
        kept = metadata.runtime_artifact(metadata.record("blessing", artifact))
        assert int(kept["metadata"]["of"]) == identity


def pipeline_fits_a_config_map(kit: Kit) -> None:
    out = kit.folder / "pipeline.yaml.gz"
    words = ["--surface", "homepage", "--image", "r/crosskd:1", "--pipeline-root", ROOT, "--volume", "data=/data"]
    done = CliRunner().invoke(app, ["compile", *words, "--out", str(out)])
    assert done.exit_code == 0, done.output
    assert len(base64.b64encode(out.read_bytes())) < 262_144 / 8


@dataclass(frozen=True)
class Mutation:
    """A fault of old, the edits that bring it back, and the check that must notice."""

    fault: str
    check: Check
    edits: tuple[Edit, ...]


def mutation(fault: str, check: Check, *edits: tuple[str, str, str]) -> Mutation:
    return Mutation(fault, check, tuple(Edit(*each) for each in edits))


SPECIFICATION = "pipeline.kfp.specification"

MUTATIONS = [
    mutation(
        "executor-logs stops the first container",
        first_node_runs,
        ("pipeline.kfp.invocation", "        del artifacts[key]\n", "        raise ValueError(key)\n"),
    ),
    mutation(
        "the teacher is left to Kubeflow's importer, which takes no path",
        teacher_comes_from_a_volume,
        ("pipeline.kfp.compiler", "import copied\n", "import where_it_lies as copied\n"),
        (
            "pipeline.kfp.specification",
            "        _tell_entrypoint(",
            '        "importer" in executor or _tell_entrypoint(',
        ),
        (
            "pipeline.kfp.specification",
            '    executor["container"]["resources"]',
            '    executor.get("container", {})["resources"]',
        ),
    ),
    mutation(
        "no file system for buckets that speak S3",
        teacher_comes_from_another_bucket,
        (
            "records.buckets",
            "filesystem_registry.DEFAULT_FILESYSTEM_REGISTRY.register(Buckets, priority=_PRIORITY)\n",
            "filesystem_registry.DEFAULT_FILESYSTEM_REGISTRY._preferred_filesystem_by_scheme.pop('minio://', None)\n",
        ),
    ),
    mutation(
        "examples in a bucket are left to TFX, which reads no S3",
        examples_come_from_a_bucket,
        ("pipeline.kfp.entrypoint", "        where.string_value = folder\n", ""),
    ),
    mutation(
        "submit looks at the teacher of the command line alone",
        submit_finds_the_fingerprint,
        ("crosskd.submit", 'values.get("teacher", known["teacher"].get("defaultValue"))', 'values.get("teacher")'),
    ),
    mutation(
        "the run has no pipeline root",
        run_has_the_pipeline_root,
        ("crosskd.submit", "    return str(root)\n", "    return None\n"),
    ),
    mutation(
        "the pipeline names no root",
        run_has_the_pipeline_root,
        ("pipeline.kfp.compiler", '    job["pipelineSpec"]["defaultPipelineRoot"] = request', "    _ = request"),
    ),
    mutation(
        "all attempts together have ten minutes",
        long_node_is_tried_again,
        (SPECIFICATION, "_ATTEMPTS = 7 * 24 * 3600\n", "_ATTEMPTS = 600\n"),
    ),
    mutation(
        "bad input is tried again",
        bad_input_is_not_tried_again,
        ("pipeline.kfp.entrypoint", "        refusals.remember(output_file, str(found))\n", ""),
    ),
    mutation(
        "identities have more digits than SQLite returns",
        identities_come_back_whole,
        ("pipeline.kfp.invocation", "_IDENTITIES = 10**15\n", "_IDENTITIES = 1 << 52\n"),
    ),
    mutation(
        "the token of the pod is not shown",
        submit_serves_many_users,
        ("crosskd.submit", " if path.is_file() else None\n", " if path.is_dir() else None\n"),
    ),
    mutation(
        "pipelines are looked for outside of the namespace",
        submit_serves_many_users,
        (
            "crosskd.submit",
            "list_pipelines(filter=_named(name), namespace=namespace)",
            "list_pipelines(filter=_named(name))",
        ),
    ),
    mutation(
        "the pipeline is written as it is",
        pipeline_fits_a_config_map,
        ("crosskd.compile", 'gzip.compress(content, mtime=0) if out.suffix == ".gz" else content', "content"),
    ),
]
CHECKS = list(dict.fromkeys(each.check for each in MUTATIONS))


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_the_product_is_right(kit, check):
    check(kit)


@pytest.mark.parametrize("fault", MUTATIONS, ids=lambda each: each.fault.replace(" ", "-"))
def test_a_fault_is_caught(kit, fault):
    kit.containers.edits = fault.edits
    try:
        with applied(fault.edits), pytest.raises((AssertionError, TaskFailedError, RefusedError)):
            fault.check(kit)
    finally:
        kit.containers.edits = ()
