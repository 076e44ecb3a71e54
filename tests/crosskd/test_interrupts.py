"""Signals end a command within seconds, whatever it is doing: programs that do not want to end."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

pytestmark = pytest.mark.usefixtures("interruptible")

START = """
import os, signal, subprocess, sys, threading, time
import typer
from crosskd import interrupts
from crosskd.main import _Commands
from crosskd.terminal import TERMINAL

app = typer.Typer(cls=_Commands, pretty_exceptions_enable=False)

@app.callback()
def options() -> None: ...

@app.command()
def work() -> None:
    print("ready", flush=True)
    {body}

interrupts.listen(lambda: TERMINAL.err.file.fileno())
app(["work"])
"""
SLEEP = "time.sleep(60)"
# Beam raises its own exception from within, or in place of, an interrupt.
NESTED = """try:
        time.sleep(60)
    except BaseException as error:
        raise RuntimeError("a node failed") from error"""
INPUT = """try:
        time.sleep(60)
    except BaseException as error:
        from schema.errors import InputError
        raise InputError("a worker was lost") from None"""
SWALLOWED = """while True:
        try:
            time.sleep(60)
        except BaseException:
            pass"""
IN_C = """import hashlib
    hashlib.pbkdf2_hmac("sha256", b"", b"", 2**31 - 1)"""
THREAD = """threading.Thread(target=time.sleep, args=(60,)).start()
    time.sleep(60)"""
CHILD = """import_and_sleep = "import signal, time; signal.signal(2, signal.SIG_IGN); time.sleep(60)"
    child = subprocess.Popen([sys.executable, "-c", import_and_sleep])
    print(child.pid, flush=True)
    while True:
        try:
            time.sleep(60)
        except BaseException:
            pass"""
BODIES = {
    "asleep": SLEEP,
    "nested": NESTED,
    "of the user": INPUT,
    "swallowed": SWALLOWED,
    "in C": IN_C,
    "thread": THREAD,
    "child": CHILD,
}
MESSAGE = "error: interrupted. Give the same command again to go on from the last finished step.\n"


def start(tmp_path: Path, body: str, **more: object) -> subprocess.Popen:
    program = tmp_path / "program.py"
    program.write_text(START.replace("{body}", body))
    running = subprocess.Popen(
        [sys.executable, str(program)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **more
    )
    assert running.stdout.readline() == "ready\n"
    return running


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize("doing", BODIES)
def test_a_signal_ends_it_within_seconds(tmp_path: Path, doing: str, number: int, code: int) -> None:
    running = start(tmp_path, BODIES[doing])
    child = int(running.stdout.readline()) if doing == "child" else None
    time.sleep(0.1)
    sent = time.monotonic()
    running.send_signal(number)
    said = running.communicate(timeout=30)[1]
    assert time.monotonic() - sent < 5
    assert (running.returncode, said) == (code, MESSAGE)
    assert child is None or not psutil.pid_exists(child) or psutil.Process(child).status() == psutil.STATUS_ZOMBIE


def test_impatience_ends_it_at_once(tmp_path: Path) -> None:
    running = start(tmp_path, SWALLOWED)
    sent = time.monotonic()
    running.send_signal(signal.SIGINT)
    time.sleep(0.2)
    running.send_signal(signal.SIGINT)
    said = running.communicate(timeout=30)[1]
    assert time.monotonic() - sent < 1.5
    assert (running.returncode, said) == (130, MESSAGE)


def test_in_the_background_an_interrupt_stays_ignored(tmp_path: Path) -> None:
    running = start(tmp_path, "time.sleep(1)", preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN))
    running.send_signal(signal.SIGINT)
    assert running.wait(timeout=30) == 0


def test_a_forked_child_is_ended_alone(tmp_path: Path) -> None:
    body = """child = os.fork()
    if child == 0:
        time.sleep(60)
        os._exit(0)
    os.kill(child, signal.SIGTERM)
    os.waitpid(child, 0)
    time.sleep(3)"""
    running = start(tmp_path, body)
    assert running.wait(timeout=30) == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_after_the_end_leaves_the_command_as_it_ended(number: int) -> None:
    code = f"""if True:
        import atexit, os, sys
        from crosskd import start
        atexit.register(os.kill, os.getpid(), {int(number)})
        sys.argv = ["crosskd", "summary", "--root", "nowhere"]
        start.main()
    """
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "nowhere" in done.stderr
