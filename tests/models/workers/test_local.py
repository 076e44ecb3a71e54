"""Two workers as processes of this machine: through `run_fn`, with one that is killed, and with bad input."""

from __future__ import annotations

import json
import signal
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from contracts import keys
from contracts.history import HISTORY_FILE
from models import trainer
from models.workers import local
from models.workers.cluster import VARIABLE, named
from schema.errors import InputError
from schema.surface import Surface
from tests.models.conftest import SURFACE

_EPOCHS = 6


def of_training(**changes: Any) -> Surface:
    """The surface, with some epochs that take a while."""
    training = SURFACE.training.model_copy(
        update={"epochs": _EPOCHS, "batch_size": 8, "learning_rate": 0.01, **changes}
    )
    return SURFACE.model_copy(update={"training": training})


@dataclass
class Arguments:
    """Those of `tfx.components.FnArgs` that are read."""

    custom_config: dict[str, Any]
    transform_output: str
    train_files: list[str]
    model_run_dir: str
    serving_model_dir: str
    base_model: str | None = None
    eval_files: list[str] | None = None


def arguments(surface: Surface, transformed: Any, out: Path, **config: Any) -> Arguments:
    said = {keys.SURFACE: surface.model_dump_json(by_alias=True), "arm": "student", **config}
    return Arguments(said, transformed.graph, list(transformed.train_files), str(out / "run"), str(out / "model"))


def _place(variable: tf.Variable) -> tuple[str, list[int]]:
    """By name; generators of random numbers, which a process numbers as it makes them, by their seed."""
    return ("", variable.numpy().tolist()) if variable.dtype.is_integer else (variable.name, [])


def weights_of(out: Path) -> list[np.ndarray]:
    return [each.numpy() for each in sorted(tf.saved_model.load(str(out / "model")).variables, key=_place)]


def history_of(out: Path) -> dict[str, list[float]]:
    return json.loads((out / "run" / HISTORY_FILE).read_text())


@dataclass
class Started:
    """All workers that were started, the newest last; one is killed after so many epochs."""

    backup: Path
    start: Any = local.start
    workers: list[Any] = field(default_factory=list)
    killed_after: int | None = None

    def __call__(self, *around: Any) -> Any:
        self.workers.append(self.start(*around))
        if len(self.workers) == 2:
            threading.Thread(target=self._kill, daemon=True).start()
        return self.workers[-1]

    def _kill(self) -> None:
        while self.killed_after is None and self.workers[1].poll() is None:
            if self.backup.exists() and (epochs := json.loads(self.backup.read_text())["progress"]["epochs"]) >= 2:
                self.killed_after = epochs
                self.workers[1].send_signal(signal.SIGKILL)
            time.sleep(0.01)


@pytest.mark.slow
def test_a_killed_worker_is_started_again_and_the_model_is_that_of_one_process(transformed, tmp_path, monkeypatch):
    surface = of_training()
    trainer.run_fn(arguments(surface, transformed, tmp_path / "alone"))
    started = Started(tmp_path / "two" / "run" / "backup" / "training.json")
    monkeypatch.setattr(local, "start", started)
    trainer.run_fn(arguments(surface, transformed, tmp_path / "two", **{keys.TRAINER_WORKERS: 2}))

    assert started.killed_after in range(2, _EPOCHS)
    codes = [each.returncode for each in started.workers]
    assert codes[1] == -signal.SIGKILL
    assert codes[2:] == [0, 0]
    alone, two = weights_of(tmp_path / "alone"), weights_of(tmp_path / "two")
    for one, other in zip(alone, two, strict=True):
        np.testing.assert_allclose(other, one, rtol=1e-4, atol=5e-6)
    expected, found = history_of(tmp_path / "alone"), history_of(tmp_path / "two")
    assert set(found) == set(expected)
    for name, losses in expected.items():
        assert len(losses) == _EPOCHS
        np.testing.assert_allclose(found[name], losses, rtol=1e-4, atol=1e-5)
    assert not started.backup.parent.exists()


@pytest.mark.slow
def test_what_workers_find_wrong_with_the_input_is_told_and_not_tried_again(transformed, tmp_path, monkeypatch):
    started = Started(tmp_path / "run" / "backup" / "training.json")
    monkeypatch.setattr(local, "start", started)
    given = arguments(of_training(learning_rate=1e30), transformed, tmp_path, **{keys.TRAINER_WORKERS: 2})
    with pytest.raises(InputError, match="training diverged"):
        trainer.run_fn(given)
    assert len(started.workers) == 2
    assert not (tmp_path / "model").exists()


def test_a_worker_that_ends_in_every_attempt_is_an_error(tmp_path, monkeypatch):
    started = []

    def start(*around):
        started.append(around)
        return local.subprocess.Popen(["false" if len(started) % 2 else "sleep", "60"], stdin=local.subprocess.PIPE)

    monkeypatch.setattr(local, "start", start)
    with pytest.raises(RuntimeError, match="worker 0 of 2 ended with exit code 1 in the last of 4 attempts"):
        local.run(trainer.Job({}, "", [], str(tmp_path), ""), 2)
    assert len(started) == 8
    assert len({around[1] for around in started}) == 4


def test_workers_named_and_to_be_started_are_one_too_many(transformed, tmp_path, monkeypatch):
    monkeypatch.setenv(VARIABLE, named(("a:1", "b:1"), 0))
    with pytest.raises(InputError, match="3 are to be started on this machine besides; expected one of the two"):
        trainer.run_fn(arguments(SURFACE, transformed, tmp_path, **{keys.TRAINER_WORKERS: 3}))


def test_tensorflow_that_was_used_before_cannot_join_workers(transformed, tmp_path, monkeypatch):
    tf.constant(1.0)
    monkeypatch.setenv(
        VARIABLE,
        json.dumps({"cluster": {"worker": ["127.0.0.1:1", "127.0.0.1:2"]}, "task": {"type": "worker", "index": 0}}),
    )
    with pytest.raises(InputError, match="TensorFlow was used in this process before it could join them"):
        trainer.run_fn(arguments(SURFACE, transformed, tmp_path))
