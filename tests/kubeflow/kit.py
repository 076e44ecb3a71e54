"""What checks of single tasks on the stand-in work with."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import yaml

from pipeline.kfp import compiler
from pipeline.kfp.platform import read_platform
from records.fingerprint import fingerprint
from tests.kubeflow.backend import Cluster, OpenSource
from tests.kubeflow.containers import Containers
from tests.kubeflow.object_store import ACCESS

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

    def backend(
        self,
        pipeline: Path,
        containers: Containers | None = None,
        root: str | None = ROOT,
        cluster: Cluster | None = None,
    ) -> OpenSource:
        """A run; without a cluster of its own it finds nothing in the cache."""
        folder = self.folder / f"run-{next(self.counter)}"
        cluster = cluster or replace(self.cluster, cache={})
        return OpenSource(pipeline, folder, {}, containers or self.containers, cluster, root)


Check = Callable[[Kit], None]
