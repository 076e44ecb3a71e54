"""One run of TeacherLabeler in a process of its own: its peak memory, and Beam's worker processes.

    python -m benchmarks.labels.alone REQUEST

REQUEST is a `LabellingRequest` as JSON; the answer is the last line on standard output.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

_MULTI_PROCESSING = "--direct_running_mode=multi_processing"
# All of TensorFlow's threads; the worker does the rest of its work on that thread, too.
_ONE_THREAD = {"TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1", "OMP_NUM_THREADS": "1"}


@dataclass(frozen=True)
class LabellingRequest:
    """What to run.

    Attributes:
      teacher: Its folder.
      examples: Folder of the examples' artifact.
      out: Folder to write to.
      workers: Beam worker processes; 0 for Beam's in-memory runner.
      pinned: Whether each process is held to one thread.
    """

    teacher: str
    examples: str
    out: str
    workers: int = 0
    pinned: bool = False


@dataclass(frozen=True)
class LabellingTimes:
    """What it took.

    Attributes:
      rows: Examples labelled.
      seconds: Time for the executor, loading of the teacher and starting of workers included.
      peak_mib: Peak resident memory of this process.
      finished: When each shard was complete, in seconds of the system's clock, ascending.
    """

    rows: int
    seconds: float
    peak_mib: float
    finished: list[float]

    def steady_rate(self, workers: int) -> float:
        """Examples a second while all workers were at work: neither their start nor the last ones' end counts.

        With `w` workers, from the w-th shard that was complete to the w-th last.  Shards are of
        one size.
        """
        first, last = workers - 1, len(self.finished) - workers
        rows = (last - first) * self.rows / len(self.finished)
        return rows / (self.finished[last] - self.finished[first])


def run_alone(request: LabellingRequest) -> LabellingTimes:
    """Runs `request` in a new process.

    Raises:
      RuntimeError: The process failed; the message ends with what it printed.
    """
    pinned: Mapping[str, str] = _ONE_THREAD if request.pinned else {}
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.labels.alone", json.dumps(asdict(request))],
        env={**os.environ, **pinned},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"a labelling process failed:\n{done.stderr[-4000:]}")
    return LabellingTimes(**json.loads(done.stdout.splitlines()[-1]))


def _label(request: LabellingRequest) -> LabellingTimes:
    from benchmarks.labels.ways import run_labeler
    from benchmarks.labels.world import examples_artifact

    arguments = (_MULTI_PROCESSING, f"--direct_num_workers={request.workers}") if request.workers else ()
    started = time.monotonic()
    report = run_labeler(
        Path(request.teacher), examples_artifact(Path(request.examples)), Path(request.out), beam_arguments=arguments
    )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    took = time.monotonic() - started
    finished = sorted(shard.stat().st_mtime for shard in Path(request.out).glob("examples/Split-*/*.gz"))
    return LabellingTimes(report.overall.labelled, took, peak, finished)


if __name__ == "__main__":
    print(json.dumps(asdict(_label(LabellingRequest(**json.loads(sys.argv[1]))))))
