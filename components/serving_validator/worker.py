"""The process that serves: `python -m components.serving_validator.worker FOLDER`.

It is one of its own so that the model is loaded where nothing of its training is, and so
that a crash is a finding and not the end of the pipeline.  It reads `job.json` from FOLDER
and leaves one file there for each stage that it finished, `failure.json` for a Python error.
Which stage it died in is read from what is missing.
"""

from __future__ import annotations

import sys
import time
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf
from pydantic import BaseModel

from components.serving_validator.latency import measure, percentile_ratio
from contracts.roles import ModelRole
from records.sessions import SIGNATURE, SessionModel, as_batch

JOB_FILE, FAILURE_FILE = "job.json", "failure.json"
LOADED_FILE, OTHERS_FILE, ANSWERS_FILE = "loaded.json", "others.json", "answers.json"
PREDICTIONS_FILE, LATENCIES_FILE = "predictions.npz", "latencies.npz"
_BATCHES = 64
_SEED = 0


class Job(BaseModel):
    """What to do.

    Attributes:
      student: Its SavedModel.
      others: SavedModels to compare latency with, and the limit of each p99 ratio, by name.
      full: Where serialized examples as the evaluation reads them are (TFRecord).
      stripped: The same as requests.
      malformed: Malformed requests; their descriptions are in `descriptions`.
      descriptions: Of each malformed request.
      batch_sizes: Whose latency is measured.
      rounds: Of the measurement.
      calls: Per round and model.
    """

    student: str
    others: dict[str, tuple[str, float]]
    full: str
    stripped: str
    malformed: str
    descriptions: list[str]
    batch_sizes: list[int]
    rounds: int
    calls: int


class Loaded(BaseModel):
    """How long a model took to load and to answer for the first time."""

    load_seconds: float
    first_request_seconds: float


class Others(BaseModel):
    """The other models, loaded."""

    models: dict[str, Loaded]


class Answer(BaseModel):
    """What became of a malformed request.

    Attributes:
      description: Which one.
      error: TensorFlow's error; None if it was answered, which it must not be.
      recovered: Whether the next request was answered as before.
    """

    description: str
    error: str | None
    recovered: bool


class Answers(BaseModel):
    """All malformed requests."""

    answers: list[Answer]


class Failure(BaseModel):
    """The error that ended the process."""

    error: str


def main(folder: Path) -> int:
    """Serves, stage by stage; see the module's docstring."""
    job = Job.model_validate_json((folder / JOB_FILE).read_text())
    try:
        _serve(job, folder)
    except Exception as error:  # any error of a model is a finding
        _write(folder / FAILURE_FILE, Failure(error=f"{type(error).__name__}: {error}"))
        return 1
    return 0


def _serve(job: Job, folder: Path) -> None:
    stripped = _read(job.stripped)
    student, loaded = _load(job.student, stripped[0])
    _write(folder / LOADED_FILE, loaded)
    predictions = student.predict(stripped)
    _save_predictions(folder, predictions, job, stripped)
    malformed = zip(job.descriptions, _read(job.malformed), strict=True)
    _write(folder / ANSWERS_FILE, Answers(answers=[_try(student, each, stripped, predictions) for each in malformed]))
    models: dict[str, SessionModel] = {ModelRole.STUDENT: student}
    others = {}
    for name, (model_dir, _) in job.others.items():
        models[name], others[name] = _load(model_dir, stripped[0])
    _write(folder / OTHERS_FILE, Others(models=others))
    seconds = {
        f"{name}/{size}": values
        for size in job.batch_sizes
        for name, values in _measure(models, job, _batches(stripped, size)).items()
    }
    _save(folder / LATENCIES_FILE, seconds)


def _load(model_dir: str, request: bytes) -> tuple[SessionModel, Loaded]:
    started = time.perf_counter()
    model = SessionModel(model_dir)
    loaded = time.perf_counter()
    model.predict([request])
    return model, Loaded(load_seconds=loaded - started, first_request_seconds=time.perf_counter() - loaded)


def _save_predictions(folder: Path, session: Mapping[str, np.ndarray], job: Job, stripped: Sequence[bytes]) -> None:
    """Beside the session's predictions those of `tf.saved_model.load`, as which the Evaluator loads models."""
    signature = tf.saved_model.load(job.student).signatures[SIGNATURE]
    (name,) = signature.structured_input_signature[1]
    by_loader = {
        "session": session,
        "eager": signature(**{name: tf.constant(list(stripped))}),
        "evaluation": signature(**{name: tf.constant(_read(job.full))}),
    }
    found = {f"{way}/{task}": np.asarray(values) for way, each in by_loader.items() for task, values in each.items()}
    _save(folder / PREDICTIONS_FILE, found)


def _try(
    student: SessionModel, malformed: tuple[str, bytes], good: Sequence[bytes], expected: Mapping[str, np.ndarray]
) -> Answer:
    description, request = malformed
    error = None
    try:
        student.predict([request])
    except tf.errors.OpError as found:
        error = found.message.splitlines()[0][:200]
    answered = student.predict(good)
    same = all(np.array_equal(answered[task], expected[task], equal_nan=True) for task in expected)
    return Answer(description=description, error=error, recovered=same)


def _measure(models: Mapping[str, SessionModel], job: Job, batches: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
    """Seconds, [rounds, calls] by model; a ratio over its limit is measured again, longer, before it counts."""
    calls = {name: model.call for name, model in models.items()}
    seconds = measure(calls, batches, job.rounds, job.calls)
    limits = {name: limit for name, (_, limit) in job.others.items()}
    if all(percentile_ratio(seconds[ModelRole.STUDENT], seconds[name], 99) <= limit for name, limit in limits.items()):
        return seconds
    again = measure(calls, batches, 2 * job.rounds, job.calls)
    return {name: np.concatenate([seconds[name], again[name]]) for name in seconds}


def _batches(records: Sequence[bytes], size: int) -> list[np.ndarray]:
    rng = np.random.default_rng(_SEED)
    return [as_batch([records[row] for row in rng.integers(len(records), size=size)]) for _ in range(_BATCHES)]


def _read(path: str) -> list[bytes]:
    return list(tf.data.TFRecordDataset(path).as_numpy_iterator())


def _write(path: Path, content: BaseModel) -> None:
    path.write_text(content.model_dump_json())


def _save(path: Path, arrays: dict[str, np.ndarray]) -> None:
    """Writes arrays; the file is there when they are all in it."""
    unfinished = path.with_name(f"unfinished-{path.name}")
    with zipfile.ZipFile(unfinished, "w") as archive:
        for name, values in arrays.items():
            with archive.open(f"{name}.npy", "w") as member:
                np.save(member, values)
    unfinished.rename(path)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
