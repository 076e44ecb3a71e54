"""Why training exchanges tensors by itself: the day that Keras does it, these tests say so."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from models.workers import local
from models.workers.cluster import VARIABLE, named

_REPOSITORY = Path(__file__).parents[3]

pytestmark = pytest.mark.slow


def started(what: str, around: dict[str, str]) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.models.workers.keras_limits", what]
    around = {**os.environ, "CUDA_VISIBLE_DEVICES": "-1", **around}
    return subprocess.Popen(command, cwd=_REPOSITORY, env=around, stdout=subprocess.PIPE, text=True)


def told(process: subprocess.Popen[str]) -> str:
    said, _ = process.communicate(timeout=300)
    assert process.returncode == 0
    return said


def test_keras_does_not_fit_under_several_workers():
    places = local.addresses(2)
    for process in [started("mirrored", {VARIABLE: named(places, index)}) for index in range(2)]:
        found = told(process)
        assert "ValueError: Attempt to convert a value (PerReplica" in found
        assert "Keras: fit" not in found


def test_keras_takes_no_step_of_a_table_on_parameter_servers():
    found = told(started("sharded", {}))
    assert "by hand: 8.0" in found
    assert "Keras, of a ShardedVariable:" in found
    assert "'ShardedVariable' object has no attribute 'handle'" in found
