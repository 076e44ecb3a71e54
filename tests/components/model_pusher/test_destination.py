"""What a server sees of a push, also of one that did not come to its end."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from components.model_pusher import destination as destination_module
from components.model_pusher.destination import Destination
from contracts.provenance import Origin, Provenance
from schema.errors import InputError
from tests.components.model_pusher.handmade import write_model

# A push whose disk is very slow: every file takes a quarter of a second.
_SLOW_PUSH = """
import sys, time
from components.model_pusher import destination
from contracts.provenance import Origin, Provenance
copy = destination._copy_file
def slowly(*args):
    copy(*args)
    time.sleep(0.25)
destination._copy_file = slowly
to = destination.Destination(sys.argv[2])
with to.locked():
    print("pushing", flush=True)
    to.publish(sys.argv[1], lambda version: Provenance(
        version=version, pushed_at="", model="", model_fingerprint="", decision="", origin=Origin(surface="tiny")))
"""


def describe(version: int) -> Provenance:
    return Provenance(
        version=version, pushed_at="", model="", model_fingerprint="", decision="", origin=Origin(surface="tiny")
    )


def publish(destination: Destination, model: Path) -> int:
    with destination.locked():
        return destination.publish(str(model), describe).version


@pytest.fixture
def model(tmp_path: Path) -> Path:
    write_model(tmp_path / "model", "content")
    return tmp_path / "model"


def served(base: Path) -> list[Path]:
    """What a server would try to load."""
    return [path for path in base.iterdir() if path.name.isdigit()] if base.is_dir() else []


@pytest.fixture
def slow_push(tmp_path: Path, model: Path):
    process = subprocess.Popen(
        [sys.executable, "-c", _SLOW_PUSH, str(model), str(tmp_path / "serving")], stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    process.stdout.readline()
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def test_a_server_never_sees_half_a_model(tmp_path: Path, slow_push: subprocess.Popen[bytes]) -> None:
    looks = 0
    while slow_push.poll() is None:
        for version in served(tmp_path / "serving"):
            assert len([path for path in version.rglob("*") if path.is_file()]) == 6
        looks += 1
        time.sleep(0.01)
    assert looks > 10
    assert slow_push.returncode == 0
    assert len(served(tmp_path / "serving")) == 1


def test_a_push_that_was_killed_leaves_nothing_to_serve_and_does_not_stand_in_the_way(
    tmp_path: Path, model: Path, slow_push: subprocess.Popen[bytes]
) -> None:
    base = tmp_path / "serving"
    while not list(base.glob(".pushing-*")):
        time.sleep(0.01)
    os.kill(slow_push.pid, signal.SIGKILL)
    slow_push.wait()
    assert served(base) == []
    assert len(list(base.glob(".pushing-*"))) == 1
    version = publish(Destination(str(base)), model)
    assert [path.name for path in served(base)] == [str(version)]
    assert list(base.glob(".pushing-*")) == []


def test_two_pushes_wait_for_each_other(tmp_path: Path, model: Path, slow_push: subprocess.Popen[bytes]) -> None:
    version = publish(Destination(str(tmp_path / "serving")), model)
    slow_push.wait(timeout=60)
    assert slow_push.returncode == 0
    first, second = Destination(str(tmp_path / "serving")).versions()
    assert first < second == version


def test_a_push_that_fails_leaves_nothing_behind(tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("components.model_pusher.destination._write_through", full)
    with pytest.raises(OSError, match="No space left"):
        publish(Destination(str(tmp_path / "serving")), model)
    assert [path.name for path in (tmp_path / "serving").iterdir()] == [".lock"]


def test_a_copy_that_is_not_whole_is_never_published(
    tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = destination_module._copy_file

    def lossy(source: str, target: str, name: str) -> None:
        copy(source, target, name)
        path = Path(target, name)
        path.write_bytes(path.read_bytes()[:-1])

    monkeypatch.setattr(destination_module, "_copy_file", lossy)
    with pytest.raises(InputError, match=r"the copy of .* is not whole: .* bytes, and .* were pushed"):
        publish(Destination(str(tmp_path / "serving")), model)
    assert served(tmp_path / "serving") == []


def test_versions_are_numbers_and_rise(tmp_path: Path, model: Path) -> None:
    destination = Destination(str(tmp_path / "serving"))
    assert destination.versions() == []
    for name in ("9", "10", "notes", ".pushing-11"):
        (tmp_path / "serving" / name).mkdir(parents=True)
    assert destination.versions() == [9, 10]
    before = int(time.time())
    first = publish(destination, model)
    assert before <= first <= before + 60
    (tmp_path / "serving" / "99999999999").mkdir()  # the clock was wrong once
    assert publish(destination, model) == 100000000000
