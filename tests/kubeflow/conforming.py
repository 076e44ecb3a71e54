"""What is compiled and run on each backend, and held against the local runner."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import yaml

from contracts.decision import Decision
from crosskd.runs import newest_run
from pipeline.kfp.compiler import CompileRequest, compile_job
from pipeline.kfp.platform import read_platform
from records import documents
from tests.kubeflow.backend import Backend, Cluster, OpenSource
from tests.kubeflow.comparison import (
    decision_of,
    metrics_of,
    predictions,
    pushed,
    span_of,
    verdicts_of,
)
from tests.kubeflow.containers import Containers
from tests.kubeflow.object_store import ACCESS

# Two spans of few examples: it is the way through the nodes that takes the time.
WINDOW = ("1", "2")
ROWS = (700, 400)
ROOT = "s3://mlpipeline/v2/artifacts"
ELSEWHERE = "s3://elsewhere"
SECRETS = {("store", "access"): ACCESS["aws_access_key_id"], ("store", "secret"): ACCESS["aws_secret_access_key"]}


@dataclass(frozen=True)
class World:
    """The library's folders, and the pipeline compiled for folders and for buckets.

    Attributes:
      folder: Where it all is.
      request: What is compiled, but for the places of examples, teacher and serving.
    """

    folder: Path
    request: CompileRequest

    @property
    def teacher(self) -> Path:
        return self.folder / "teacher"

    def compile(self, name: str, endpoint: str | None = None, **places: str) -> Path:
        """Compiles for these places; with an endpoint the containers get credentials for it."""
        defaults = replace(self.request.defaults, **places)
        job = compile_job(replace(self.request, defaults=defaults))
        secrets = ["store:access=AWS_ACCESS_KEY_ID", "store:secret=AWS_SECRET_ACCESS_KEY"] if endpoint else []
        platform = read_platform([], secrets, [f"AWS_ENDPOINT_URL={endpoint}"] if endpoint else [])
        platform.give_environment(job)
        path = self.folder / f"{name}.yaml"
        path.write_text(yaml.safe_dump_all([job["pipelineSpec"], platform.document(job)]))
        return path


def run_open_source(world: World, cluster: Cluster, containers: Containers, pipeline: Path, name: str, **parameters):
    backend = OpenSource(pipeline, world.folder / name, parameters, containers, cluster, ROOT)
    backend.run()
    return backend


def check_against_local(backend: Backend, served: Path, local: Path, world: World) -> None:
    run, expected_in = newest_run(local), local / "serving" / "library"
    expected, found = documents.read(run.output("BlessingGate", "decision")[0], Decision), decision_of(backend)
    assert (found.blessed, found.first_run, found.sentence) == (True, True, expected.sentence)
    assert verdicts_of(found) == verdicts_of(expected)
    assert metrics_of(found) == pytest.approx(metrics_of(expected), abs=1e-5)
    assert span_of(served) == span_of(expected_in) == ":".join(WINDOW)
    examples = world.folder / "examples" / WINDOW[-1]
    ours = predictions(pushed(served), examples)
    theirs = predictions(pushed(expected_in), examples)
    assert set(ours) == set(theirs) == {"borrowed", "liked"}
    for task, scores in ours.items():
        np.testing.assert_allclose(scores, theirs[task], atol=1e-5)
