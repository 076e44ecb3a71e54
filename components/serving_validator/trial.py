"""Has a model served by a fresh process, and says what became of it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from components.serving_validator import worker
from components.serving_validator.requests import Requests
from components.serving_validator.requirements import Requirements
from records.record_files import write_records

_TIMEOUT_SECONDS = 1800
_STAGES = {
    worker.LOADED_FILE: "loading it into a session",
    worker.PREDICTIONS_FILE: "answering requests",
    worker.ROWS_FILE: "answering all rows of the evaluation split",
    worker.ANSWERS_FILE: "answering malformed requests",
    worker.OTHERS_FILE: "loading the models to compare latency with",
    worker.LATENCIES_FILE: "measuring latency",
}


@dataclass(frozen=True)
class Trial:
    """What the process left behind; None for what it did not come to.

    Attributes:
      loaded: How long the student took to load.
      predictions: The predictions by ``<way>/<task>``; the ways are those of `worker.WAYS`.
      rows: What all rows of the evaluation split were answered, by task.
      answers: What became of malformed requests.
      others: How long the other models took to load, and which of them answer nothing.
      seconds: Latencies, [rounds, calls] by ``<model>/<batch size>``.
      failure: What ended the process before its time, as part of a sentence.
      stage: What it was doing then.
    """

    loaded: worker.Loaded | None = None
    predictions: dict[str, np.ndarray] | None = None
    rows: dict[str, worker.Counted] | None = None
    answers: tuple[worker.MalformedAnswer, ...] | None = None
    others: worker.Others | None = None
    seconds: dict[str, np.ndarray] | None = None
    failure: str | None = None
    stage: str | None = None


@dataclass(frozen=True)
class Other:
    """A model to compare latency with.

    Attributes:
      role: What it is in the run.
      folder: Its SavedModel.
      limit: Of the ratio of the student's p99 to its.
      requests: The student's requests, as this model takes them.
      may_refuse: Whether it may answer nothing: then nothing is compared with it.
    """

    role: str
    folder: str
    limit: float
    requests: Sequence[bytes]
    may_refuse: bool


def serve(student: str, others: Sequence[Other], requests: Requests, requirements: Requirements) -> Trial:
    """Serves the student in a process of its own.

    Args:
      student: Its SavedModel.
      others: The models to compare latency with.
      requests: What to send.
      requirements: What the surface asks.
    """
    with tempfile.TemporaryDirectory(prefix="serving-") as name:
        folder = Path(name)
        job = worker.Job(
            student=student,
            others={each.role: _other(folder, each) for each in others},
            full=_write(folder / "full", requests.full),
            stripped=_write(folder / "stripped", requests.stripped),
            malformed=_write(folder / "malformed", list(requests.malformed.values())),
            files=requests.files,
            probabilities=[*requirements.binary, *requirements.classes],
            classes=requirements.classes,
            descriptions=list(requests.malformed),
            defaults=requirements.defaults,
            batch_sizes=list(requirements.serving.batch_sizes),
            rounds=requirements.serving.rounds,
            calls=requirements.serving.calls,
        )
        (folder / worker.JOB_FILE).write_text(job.model_dump_json())
        ended = _run(folder)
        return _collect(folder, ended)


def _run(folder: Path) -> str | None:
    """Runs the worker; how it ended, unless well."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "TF_CPP_MIN_LOG_LEVEL": "2"}
    # Without -P, whatever lies where the command was given would go before libraries of the same name.
    command = [sys.executable, "-P", "-m", worker.__name__, str(folder)]
    try:
        with _lifeline() as end:
            # In a group of its own: Ctrl-C in a terminal goes to a whole group, and would read as a model that crashed.
            done = subprocess.run(
                command,
                env=environment,
                stdin=end,
                capture_output=True,
                encoding="utf-8",
                errors="replace",
                timeout=_TIMEOUT_SECONDS,
                check=False,
                process_group=0,
            )
    except subprocess.TimeoutExpired:
        return f"it was not done after {_TIMEOUT_SECONDS // 60} minutes"
    if done.returncode == 0:
        return None
    if (folder / worker.FAILURE_FILE).exists():
        return worker.ServingFailure.model_validate_json((folder / worker.FAILURE_FILE).read_text()).error
    if done.returncode < 0:
        return f"the process crashed with {signal.Signals(-done.returncode).name}"
    return f"the process ended with code {done.returncode}: {done.stderr.strip()[-300:]}"


@contextmanager
def _lifeline() -> Iterator[int]:
    """The end of a pipe that a worker waits on: it is closed when this process ends, in whichever way."""
    end, ours = os.pipe()
    try:
        yield end
    finally:
        os.close(ours)
        os.close(end)


def _collect(folder: Path, ended: str | None) -> Trial:
    present = {name for name in _STAGES if (folder / name).exists()}
    texts = {name: (folder / name).read_text() for name in present if name.endswith(".json")}
    arrays = {name: dict(np.load(folder / name)) for name in present if name.endswith(".npz")}
    loaded, rows, answers, others = (
        texts.get(name) for name in (worker.LOADED_FILE, worker.ROWS_FILE, worker.ANSWERS_FILE, worker.OTHERS_FILE)
    )
    return Trial(
        loaded=worker.Loaded.model_validate_json(loaded) if loaded else None,
        predictions=arrays.get(worker.PREDICTIONS_FILE),
        rows=worker.EvaluatedRows.model_validate_json(rows).tasks if rows else None,
        answers=tuple(worker.ModelAnswers.model_validate_json(answers).answers) if answers else None,
        others=worker.Others.model_validate_json(others) if others else None,
        seconds=arrays.get(worker.LATENCIES_FILE),
        failure=ended,
        stage=next((text for name, text in _STAGES.items() if name not in present), None) if ended else None,
    )


def _other(folder: Path, other: Other) -> worker.OtherModel:
    requests = _write(folder / f"requests-{other.role}", other.requests)
    return worker.OtherModel(folder=other.folder, limit=other.limit, requests=requests, may_refuse=other.may_refuse)


def _write(path: Path, records: Sequence[bytes]) -> str:
    write_records(str(path), records)
    return str(path)
