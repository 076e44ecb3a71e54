"""The process that serves: `python -m components.serving_validator.worker FOLDER`.

It is one of its own so that the model is loaded where nothing of its training is, and so
that a crash is a finding and not the end of the pipeline.  It reads `job.json` from FOLDER
and leaves one file there for each stage that it finished, `failure.json` for a Python error.
Which stage it died in is read from what is missing.
"""

from __future__ import annotations

import os
import sys
import threading
import time
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf
from pydantic import BaseModel

from components.serving_validator.latency import measure, percentile_ratio
from components.serving_validator.tensors import answered_as_tensors
from contracts.roles import ModelRole
from records.record_files import first_records, records_of
from records.sessions import SIGNATURE, TENSORS_SIGNATURE, SessionModel, as_batch
from schema.base import Scalar

Predictions = Mapping[str, np.ndarray]

JOB_FILE, FAILURE_FILE = "job.json", "failure.json"
LOADED_FILE, OTHERS_FILE, ANSWERS_FILE = "loaded.json", "others.json", "answers.json"
PREDICTIONS_FILE, LATENCIES_FILE, ROWS_FILE = "predictions.npz", "latencies.npz", "rows.json"
# How the same requests are answered beside all at once in a session, and what each way is called.
WAYS = {
    "eager": "tf.saved_model.load",
    "evaluation": "the evaluation",
    "permuted": "the same requests in another order",
    "halved": "the same requests in two halves",
    "single": "the same requests one by one",
    "tensors": "the signature that takes tensors",
}
_BATCHES = 64
_WHERE = ("Graph execution error", "Detected at", "node ", "<stack traces", "File ")
_SEED = 0
_ROWS_AT_ONCE = 1024
# How far the probabilities of a row's classes, 32-bit floats, may be from a sum of 1.
_OFF_ONE = 1e-4


class OtherModel(BaseModel):
    """A model to compare latency with.

    Attributes:
      folder: Its SavedModel.
      limit: Of the ratio of the student's p99 to its.
      requests: Where the student's requests are, as this model takes them (TFRecord).
      may_refuse: Whether it may answer nothing.
    """

    folder: str
    limit: float
    requests: str
    may_refuse: bool


class Job(BaseModel):
    """What to do.

    Attributes:
      student: Its SavedModel.
      others: Models to compare latency with, by name.
      full: Where serialized examples as the evaluation reads them are (TFRecord).
      stripped: The same as requests.
      malformed: Malformed requests; their descriptions are in `descriptions`.
      descriptions: The descriptions of each malformed request.
      defaults: What stands for an absent feature where requests are sent as tensors.
      files: All files of the evaluation split.
      probabilities: Tasks whose outputs are probabilities.
      classes: Those of them that say one for each of so many classes; they sum to 1.
      batch_sizes: Whose latency is measured.
      rounds: The rounds of the measurement.
      calls: Per round and model.
    """

    student: str
    others: dict[str, OtherModel]
    full: str
    stripped: str
    malformed: str
    descriptions: list[str]
    defaults: dict[str, Scalar]
    files: list[str]
    probabilities: list[str]
    classes: dict[str, int]
    batch_sizes: list[int]
    rounds: int
    calls: int


class Loaded(BaseModel):
    """How long a model took to load and to answer for the first time."""

    load_seconds: float
    first_request_seconds: float


class Others(BaseModel):
    """The other models.

    Attributes:
      models: Those that were loaded, by name.
      refusals: Why one answers nothing, by name.
    """

    models: dict[str, Loaded]
    refusals: dict[str, str] = {}


class Counted(BaseModel):
    """What one task's rows were answered.

    Attributes:
      rows: How many there were.
      infinite: How many predictions are NaN or infinite.
      outside: How many of the others, for a binary task, are no probabilities.
      unsummed: How many rows of a multiclass task have no probability for each class, or some that do not sum to 1.
      least: The least finite answer; None where there is none.
      most: The greatest.
    """

    rows: int = 0
    infinite: int = 0
    outside: int = 0
    unsummed: int = 0
    least: float | None = None
    most: float | None = None


class EvaluatedRows(BaseModel):
    """All rows of the evaluation split, by task."""

    tasks: dict[str, Counted]


class MalformedAnswer(BaseModel):
    """What became of a malformed request.

    Attributes:
      description: Which one.
      error: TensorFlow's error; None if it was answered, which it must not be.
      recovered: Whether the next request was answered as before.
    """

    description: str
    error: str | None
    recovered: bool


class ModelAnswers(BaseModel):
    """All malformed requests."""

    answers: list[MalformedAnswer]


class ServingFailure(BaseModel):
    """The error that ended the process."""

    error: str


def main(folder: Path) -> int:
    """Serves, stage by stage; see the module's docstring."""
    job = Job.model_validate_json((folder / JOB_FILE).read_text())
    try:
        _serve(job, folder)
    except Exception as error:  # any error of a model is a finding
        _write(folder / FAILURE_FILE, ServingFailure(error=f"{type(error).__name__}: {error}"))
        return 1
    return 0


def _serve(job: Job, folder: Path) -> None:
    stripped = _read(job.stripped)
    student, loaded = _load(job.student, stripped[0])
    _write(folder / LOADED_FILE, loaded)
    predictions = student.predict(stripped)
    _save_predictions(folder, student, predictions, job, stripped)
    _write(folder / ROWS_FILE, EvaluatedRows(tasks=count_rows(student, job.files, job.probabilities, job.classes)))
    malformed = zip(job.descriptions, _read(job.malformed), strict=True)
    _write(
        folder / ANSWERS_FILE, ModelAnswers(answers=[_try(student, each, stripped, predictions) for each in malformed])
    )
    models: dict[str, SessionModel] = {ModelRole.STUDENT: student}
    requests = {ModelRole.STUDENT.value: stripped}
    others = Others(models={})
    for name, other in job.others.items():
        requests[name] = _read(other.requests)
        try:
            models[name], others.models[name] = _load(other.folder, requests[name][0])
        except Exception as error:  # any error of a model that served longer than its surface
            if not other.may_refuse:
                raise
            others.refusals[name] = _first_line(error)
    _write(folder / OTHERS_FILE, others)
    seconds = {
        f"{name}/{size}": values
        for size in job.batch_sizes
        for name, values in _measure(models, job, {name: _batches(requests[name], size) for name in models}).items()
    }
    _save(folder / LATENCIES_FILE, seconds)


def _first_line(error: Exception) -> str:
    """The first line that says something: TensorFlow begins with where in the graph it was."""
    lines = [line.strip() for line in str(error).splitlines()]
    said = next((line for line in lines if line and not line.startswith(_WHERE)), "")
    return f"{type(error).__name__}: {said}"[:300]


def _load(model_dir: str, request: bytes) -> tuple[SessionModel, Loaded]:
    started = time.perf_counter()
    model = SessionModel(model_dir)
    loaded = time.perf_counter()
    model.predict([request])
    return model, Loaded(load_seconds=loaded - started, first_request_seconds=time.perf_counter() - loaded)


def _save_predictions(
    folder: Path, student: SessionModel, session: Predictions, job: Job, stripped: Sequence[bytes]
) -> None:
    """Beside the session's predictions those of `tf.saved_model.load`, as which the Evaluator loads models.

    And the session's for the same requests in other company: a row's answer is its own.
    """
    signatures = tf.saved_model.load(job.student).signatures
    signature = signatures[SIGNATURE]
    (name,) = signature.structured_input_signature[1]
    by_way = {
        "session": session,
        "eager": signature(**{name: tf.constant(list(stripped))}),
        "evaluation": signature(**{name: tf.constant(_read(job.full))}),
        **in_other_company(student, stripped),
        "tensors": _as_tensors(job, stripped, session) if TENSORS_SIGNATURE in signatures else session,
    }
    found = {f"{way}/{task}": np.asarray(values) for way, each in by_way.items() for task, values in each.items()}
    _save(folder / PREDICTIONS_FILE, found)


def _as_tensors(job: Job, stripped: Sequence[bytes], session: Predictions) -> Predictions:
    model = SessionModel(job.student, TENSORS_SIGNATURE)
    answers = answered_as_tensors(model, stripped, job.defaults, session)
    model.close()
    return answers


def in_other_company(student: SessionModel, requests: Sequence[bytes]) -> dict[str, Predictions]:
    """Answers the same requests permuted, in halves, and one by one; each in the order of `requests`."""
    order = np.random.default_rng(_SEED).permutation(len(requests))
    permuted = student.predict([requests[row] for row in order])
    middle = (len(requests) + 1) // 2
    halves = [part for part in (requests[:middle], requests[middle:]) if part]
    return {
        "permuted": {task: _back(values, order) for task, values in permuted.items()},
        "halved": _together([student.predict(half) for half in halves]),
        "single": _together([student.predict([request]) for request in requests]),
    }


def _back(values: np.ndarray, order: np.ndarray) -> np.ndarray:
    """Undoes a permutation; what is not one value per request stays as it is, and differs by its shape."""
    if len(np.atleast_1d(values)) != len(order):
        return values
    placed = np.empty_like(values)
    placed[order] = values
    return placed


def _together(parts: Sequence[Predictions]) -> Predictions:
    return {task: np.concatenate([np.atleast_1d(part[task]) for part in parts]) for task in parts[0]}


def count_rows(
    student: SessionModel, files: Sequence[str], probabilities: Sequence[str], classes: Mapping[str, int]
) -> dict[str, Counted]:
    """Has every row answered, labelled or not, and counts answers that are none."""
    counted = {task: Counted() for task in student.outputs}
    for path in files:
        for batch in records_of(path).batch(_ROWS_AT_ONCE).as_numpy_iterator():
            for task, values in student.predict(list(batch)).items():
                answers = np.asarray(values)
                added = _add(counted[task], answers, probabilities=task in probabilities)
                counted[task] = _add_classes(added, answers, classes[task]) if task in classes else added
    return counted


def _add_classes(counted: Counted, values: np.ndarray, classes: int) -> Counted:
    """Rows whose answers are not one for each class, or do not sum to 1."""
    if values.ndim != 2 or values.shape[1] != classes:
        return counted.model_copy(update={"unsummed": counted.unsummed + len(values)})
    sums = values.astype(np.float64).sum(axis=1)
    return counted.model_copy(update={"unsummed": counted.unsummed + int((np.abs(sums - 1) > _OFF_ONE).sum())})


def _add(counted: Counted, values: np.ndarray, *, probabilities: bool) -> Counted:
    finite = values[np.isfinite(values)]
    ends = [each for each in (counted.least, counted.most) if each is not None]
    ends += [float(finite.min()), float(finite.max())] if finite.size else []
    return Counted(
        unsummed=counted.unsummed,
        rows=counted.rows + (len(values) if values.ndim == 2 else values.size),
        infinite=counted.infinite + values.size - finite.size,
        outside=counted.outside + int(probabilities and np.sum((finite < 0) | (finite > 1))),
        least=min(ends, default=None),
        most=max(ends, default=None),
    )


def _try(
    student: SessionModel, malformed: tuple[str, bytes], good: Sequence[bytes], expected: Mapping[str, np.ndarray]
) -> MalformedAnswer:
    description, request = malformed
    error = None
    try:
        student.predict([request])
    except tf.errors.OpError as found:
        error = found.message.splitlines()[0][:200]
    answered = student.predict(good)
    same = all(np.array_equal(answered[task], expected[task], equal_nan=True) for task in expected)
    return MalformedAnswer(description=description, error=error, recovered=same)


def _measure(
    models: Mapping[str, SessionModel], job: Job, batches_of: Mapping[str, Sequence[np.ndarray]]
) -> dict[str, np.ndarray]:
    """Seconds, [rounds, calls] by model; a ratio over its limit is measured again, longer, before it counts."""
    calls = {name: _answering(model, batches_of[name]) for name, model in models.items()}
    batches = range(_BATCHES)
    seconds = measure(calls, batches, job.rounds, job.calls)
    limits = {name: other.limit for name, other in job.others.items() if name in models}
    if all(percentile_ratio(seconds[ModelRole.STUDENT], seconds[name], 99) <= limit for name, limit in limits.items()):
        return seconds
    again = measure(calls, batches, 2 * job.rounds, job.calls)
    return {name: np.concatenate([seconds[name], again[name]]) for name in seconds}


def _answering(model: SessionModel, batches: Sequence[np.ndarray]) -> Callable[[int], object]:
    """Answers a batch by its number: the same requests are other columns for another model."""
    return lambda number: model.call(batches[number])


def _batches(records: Sequence[bytes], size: int) -> list[np.ndarray]:
    rng = np.random.default_rng(_SEED)
    return [as_batch([records[row] for row in rng.integers(len(records), size=size)]) for _ in range(_BATCHES)]


def _read(path: str) -> list[bytes]:
    return first_records(path, gzipped=False)


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


def _end_with_parent() -> None:
    """Ends this process when whoever started it is gone, and its end of the pipe on standard input with it."""
    os.read(0, 1)
    os._exit(1)


if __name__ == "__main__":
    threading.Thread(target=_end_with_parent, daemon=True).start()
    sys.exit(main(Path(sys.argv[1])))
