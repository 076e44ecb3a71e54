"""Each fault that a real Kubeflow showed is caught by a check on the stand-in: red with the fault, green without.

The checks run single tasks; `test_conformance` runs the whole pipeline.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest

from pipeline.beam_options import DEFAULT_BEAM_ARGS
from pipeline.kfp import compiler
from pipeline.kfp.parameters import Defaults
from pipeline.kfp.policies import Policies
from schema.loader import load_surface
from tests.e2e import library
from tests.kubeflow.backend import Cluster, TaskFailedError
from tests.kubeflow.checks import (
    bad_input_is_not_tried_again,
    examples_come_from_a_bucket,
    first_node_runs,
    identities_come_back_whole,
    long_node_is_tried_again,
    pipeline_fits_a_config_map,
    run_has_the_pipeline_root,
    submit_finds_the_fingerprint,
    submit_serves_many_users,
    teacher_comes_from_a_volume,
    teacher_comes_from_another_bucket,
)
from tests.kubeflow.containers import Containers
from tests.kubeflow.daily_checks import (
    a_run_continues_from_what_serves,
    a_run_finds_the_runs_before_it,
    a_run_shows_what_it_came_to,
    candidates_come_from_a_bucket,
    tomorrow_finds_the_examples_of_today,
)
from tests.kubeflow.kit import ROOT, SECRETS, Check, Kit
from tests.kubeflow.metadata_service import MetadataService
from tests.kubeflow.mutations import Edit, applied
from tests.kubeflow.object_store import ObjectStore
from tests.kubeflow.uris import RefusedError

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]


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
        "examples are looked for by TensorFlow, which reads no S3",
        examples_come_from_a_bucket,
        ("components.example_gen.executor", "fileio.glob(pattern)", "tf.io.gfile.glob(pattern)"),
    ),
    mutation(
        "submit looks at the teacher of the command line alone",
        submit_finds_the_fingerprint,
        ("crosskd.submit", 'values.get(name, known[name].get("defaultValue"))', "values.get(name)"),
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
    mutation(
        "each run has names of its own for the spans before its newest",
        tomorrow_finds_the_examples_of_today,
        (SPECIFICATION, "    return {spans[0]: SPAN} if len(spans)", "    return {} if len(spans)"),
    ),
    mutation(
        "candidates in a bucket are left to Beam, which reads no S3",
        candidates_come_from_a_bucket,
        ("components.candidate_sampler.executor", "stack.enter_context(locally(uri))", "uri"),
    ),
    mutation(
        "a run whose student is not blessed is shown as one that succeeded",
        a_run_shows_what_it_came_to,
        ("pipeline.kfp.entrypoint", "        return outcome.code\n", "        return Exit.OK\n"),
    ),
    mutation(
        "the end of a run is tried again",
        a_run_shows_what_it_came_to,
        (
            SPECIFICATION,
            "    if policy.retries and not isinstance(node.component, RunOutcome):\n",
            "    if policy.retries:\n",
        ),
    ),
    mutation(
        "what a run continues from comes out of the cache",
        a_run_continues_from_what_serves,
        (
            SPECIFICATION,
            "isinstance(node.component, Continuation | LastServed",
            "isinstance(node.component, LastServed",
        ),
    ),
    mutation(
        "the control continues from the student, which saw soft labels",
        a_run_continues_from_what_serves,
        (
            "components.continuation.executor",
            "folder_of(serving, left.digest, role)",
            "folder_of(serving, left.digest, ModelRole.STUDENT)",
        ),
    ),
    mutation(
        "a run that continues is not told its span",
        a_run_continues_from_what_serves,
        ("pipeline.training", 'data_span=settings.origin.data_span or ""', 'data_span=""'),
    ),
    mutation(
        "runs leave nothing for those after them",
        a_run_finds_the_runs_before_it,
        ("components.run_history.executor", "        if not is_known:\n", "        if is_known:\n"),
    ),
    mutation(
        "of several artifacts of an output a backend keeps the first",
        a_run_finds_the_runs_before_it,
        ("pipeline.kfp.invocation", "else [_as_one(wholes[key], found)]", "else found[:1]"),
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
