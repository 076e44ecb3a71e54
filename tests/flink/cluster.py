"""A Flink cluster on this machine: one job manager, two task managers, and Beam's job server."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

JARS = Path(__file__).resolve().parents[2] / ".cache" / "flink" / "jars"
HOST = "127.0.0.1"
# Milliseconds that a worker outlives the pauses in which its task manager has nothing to do: all
# task managers number their workers alike, and the process that submits, asked by one of them to
# stop its worker, stops that of another one.
_WORKERS_KEPT = 3_600_000
_RUNTIME = "org.apache.flink.runtime"
_STARTS_WITHIN = 180  # seconds, on a machine that has other things to do
_HEAP = "-Xmx512m"

# What Flink's own start scripts give the JVM from Java 17 on.
_OPENED = ("lang", "lang.reflect", "net", "io", "nio", "text", "time", "util", "util.concurrent")
_JVM = [
    *(f"--add-opens=java.base/java.{package}=ALL-UNNAMED" for package in _OPENED),
    "--add-opens=java.base/java.util.concurrent.atomic=ALL-UNNAMED",
    "--add-opens=java.base/java.util.concurrent.locks=ALL-UNNAMED",
    "--add-opens=java.base/sun.nio.ch=ALL-UNNAMED",
    "--add-exports=java.base/sun.net.util=ALL-UNNAMED",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS",
    "-Dorg.slf4j.simpleLogger.showLogName=false",
]

# A dead task manager is offered until its heartbeat is missed, and each try on it costs an attempt.
# Two slots a task manager, spread out: the job of two parallel tasks uses both task managers, and
# the one that is left has room for all of it.
_CONFIGURATION = """
jobmanager.rpc.address: {host}
jobmanager.rpc.port: {rpc}
jobmanager.bind-host: {host}
rest.address: {host}
rest.bind-address: {host}
rest.port: {rest}
web.refresh-interval: 300
taskmanager.host: {host}
taskmanager.bind-host: {host}
taskmanager.numberOfTaskSlots: 2
cluster.evenly-spread-out-slots: true
restart-strategy.type: fixed-delay
restart-strategy.fixed-delay.attempts: 20
restart-strategy.fixed-delay.delay: 2 s
classloader.resolve-order: parent-first
heartbeat.interval: 3000
heartbeat.timeout: 30000
taskmanager.cpu.cores: 1
taskmanager.memory.framework.heap.size: 64m
taskmanager.memory.task.heap.size: 448m
taskmanager.memory.framework.off-heap.size: 64m
taskmanager.memory.task.off-heap.size: 32m
taskmanager.memory.network.min: 128m
taskmanager.memory.network.max: 128m
taskmanager.network.sort-shuffle.min-buffers: 32
taskmanager.memory.managed.size: 64m
taskmanager.memory.jvm-metaspace.size: 256m
taskmanager.memory.jvm-overhead.min: 64m
taskmanager.memory.jvm-overhead.max: 64m
"""


@dataclass
class Cluster:
    """A running cluster.

    Attributes:
      folder: Its configuration and logs.
      rest: Port of the job manager's REST interface.
      jobs: Port of Beam's job server.
      artifacts: Port where the job server takes what it stages.
    """

    folder: Path
    rest: int
    jobs: int
    artifacts: int
    _processes: dict[str, subprocess.Popen] = field(default_factory=dict)

    @property
    def beam_args(self) -> list[str]:
        """Arguments of a Beam pipeline that runs here; its Python code runs in the process that submits it."""
        return [
            "--runner=PortableRunner",
            f"--job_endpoint={HOST}:{self.jobs}",
            f"--artifact_endpoint={HOST}:{self.artifacts}",
            "--environment_type=LOOPBACK",
            f"--environment_cache_millis={_WORKERS_KEPT}",
            "--parallelism=2",
            "--sdk_container_image=unused-in-loopback",
        ]

    def start(self, name: str, main: str, *arguments: str) -> None:
        """Starts a JVM, whose output goes to a log of its name."""
        command = ["java", _HEAP, *_JVM, "-cp", f"{JARS}/*", main, *arguments]
        with self.log_path(name).open("w") as log:
            self._processes[name] = subprocess.Popen(
                command, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )

    def kill(self, name: str) -> None:
        """`kill -9`."""
        self._processes[name].send_signal(signal.SIGKILL)
        self._processes[name].wait()

    def stop(self) -> None:
        """Ends all that is left."""
        for process in self._processes.values():
            process.kill()
            process.wait()

    def log_path(self, name: str) -> Path:
        return self.folder / f"{name}.log"

    def log_lines(self, name: str, *words: str) -> list[str]:
        """Lines of a log that hold all of `words`."""
        lines = self.log_path(name).read_text(errors="replace").splitlines()
        return [line for line in lines if all(word in line for word in words)]

    def overview(self) -> dict[str, int]:
        """What the job manager says of its cluster; nothing while it does not listen."""
        return self._get("overview")

    def start_task_manager(self, number: int) -> None:
        """Starts one more, `task-manager-NUMBER`."""
        self.start(f"task-manager-{number}", f"{_RUNTIME}.taskexecutor.TaskManagerRunner", "--configDir", "conf")

    def job_state(self) -> str:
        """The state of the only job; empty before there is one."""
        found = self._get("jobs/overview").get("jobs", [])
        return str(found[0]["state"]) if found else ""

    def job_at(self, stage: str) -> str:
        """The id of the running job of which a task runs whose name holds `stage`; empty if there is none."""
        for job in self._get("jobs/overview").get("jobs", []):
            if job["state"] == "RUNNING" and stage in self._running_tasks(job["jid"]):
                return str(job["jid"])
        return ""

    def state_of(self, job: str) -> str:
        """The state of a job."""
        return str(self._get(f"jobs/{job}").get("state", ""))

    def _running_tasks(self, job: str) -> str:
        found = self._get(f"jobs/{job}").get("vertices", [])
        return "\n".join(str(each["name"]) for each in found if each["status"] == "RUNNING")

    def task_managers_at_work(self) -> int:
        """Task managers that have given away a slot."""
        found = self._get("taskmanagers").get("taskmanagers", [])
        return sum(each["freeSlots"] < each["slotsNumber"] for each in found)

    def _get(self, path: str) -> dict:
        try:
            with urllib.request.urlopen(f"http://{HOST}:{self.rest}/{path}", timeout=10) as answer:
                return dict(json.load(answer))
        except OSError:
            return {}


@contextmanager
def running(folder: Path) -> Iterator[Cluster]:
    """A cluster for the time being.

    Raises:
      TimeoutError: It does not come up.
    """
    rest, rpc, jobs, artifacts = _free_ports(4)
    cluster = Cluster(folder, rest, jobs, artifacts)
    (folder / "conf").mkdir(parents=True)
    (folder / "conf" / "flink-conf.yaml").write_text(_CONFIGURATION.format(host=HOST, rest=rest, rpc=rpc))
    try:
        cluster.start("job-manager", f"{_RUNTIME}.entrypoint.StandaloneSessionClusterEntrypoint", "--configDir", "conf")
        for number in (1, 2):
            cluster.start_task_manager(number)
        cluster.start(
            "job-server",
            "org.apache.beam.runners.flink.FlinkJobServerDriver",
            f"--flink-master={HOST}:{rest}",
            f"--job-host={HOST}",
            f"--job-port={jobs}",
            f"--artifact-port={artifacts}",
            "--expansion-port=0",
            f"--artifacts-dir={folder / 'artifacts'}",
        )
        wait_until(lambda: cluster.overview().get("taskmanagers") == 2, "two task managers")
        wait_until(lambda: bool(cluster.log_lines("job-server", "JobService started")), "the job server")
        yield cluster
    finally:
        cluster.stop()


def wait_until(condition: Callable[[], bool], what: str, seconds: float = _STARTS_WITHIN) -> None:
    """Waits for something.

    Raises:
      TimeoutError: It did not come about.
    """
    ends = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > ends:
            raise TimeoutError(f"waited {seconds} s for {what}")
        time.sleep(0.2)


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind((HOST, 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()
