"""Runs container commands, each in a process of its own, without importing TFX each time.

One server process imports the libraries and forks for every command: the child has the
command's own arguments, environment and output, runs the module as `python -m` would, and
ends.  `tests.kubeflow.test_conformance` also runs a command as a process from the start.
"""

from __future__ import annotations

import importlib
import json
import os
import runpy
import select
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import asdict
from pathlib import Path

from tests.kubeflow.mutations import Edit, applied, changed

PREFIX = ["python", "-m"]
SECONDS = 1200
# What the containers of a pipeline import before they do anything.
LIBRARIES = (
    "tensorflow_model_analysis",
    "tensorflow_transform",
    "models.preprocessing",
    "models.trainer",
    "pipeline.kfp.compiler",
    "pipeline.kfp.entrypoint",
    "tests.beam_memory",
)


class Containers:
    """The client: gives commands to the server and waits for them.

    Attributes:
      edits: Changes of the product that commands are run with.
    """

    def __init__(self) -> None:
        self.edits: tuple[Edit, ...] = ()
        self._waiting: dict[int, Future[int]] = {}
        self._lock = threading.Lock()
        self._server = subprocess.Popen(
            [sys.executable, "-m", __name__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        threading.Thread(target=self._read_results, daemon=True).start()

    def run(self, command: list[str], env: dict[str, str], log: Path) -> int:
        """Runs a command and returns its exit code; its output goes to `log`."""
        if command[:2] != PREFIX:
            raise ValueError(f"expected {' '.join(PREFIX)} MODULE, found {command}")
        done: Future[int] = Future()
        with self._lock:
            number = len(self._waiting)
            self._waiting[number] = done
            edits = [asdict(each) for each in self.edits]
            request = {"number": number, "command": command[2:], "env": env, "log": str(log), "edits": edits}
            assert self._server.stdin is not None
            self._server.stdin.write(json.dumps(request) + "\n")
            self._server.stdin.flush()
        return done.result(timeout=SECONDS)

    def close(self) -> None:
        assert self._server.stdin is not None
        self._server.stdin.close()
        self._server.wait(timeout=60)

    def _read_results(self) -> None:
        assert self._server.stdout is not None
        for line in self._server.stdout:
            answer = json.loads(line)
            self._waiting[answer["number"]].set_result(answer["code"])


def _serve() -> None:
    requests, answers = os.dup(0), os.dup(1)
    os.dup2(2, 1)
    _import_libraries()
    running: dict[int, int] = {}
    buffer, is_open = b"", True
    while is_open or running:
        if is_open and select.select([requests], [], [], 0.02)[0]:
            received = os.read(requests, 1 << 20)
            is_open = bool(received)
            *lines, buffer = (buffer + received).split(b"\n")
            for line in lines:
                request = json.loads(line)
                running[_start(request)] = request["number"]
        child, status = os.waitpid(-1, os.WNOHANG) if running else (0, 0)
        if child:
            answer = {"number": running.pop(child), "code": os.waitstatus_to_exitcode(status)}
            os.write(answers, (json.dumps(answer) + "\n").encode())


def _import_libraries() -> None:
    for name in LIBRARIES:
        importlib.import_module(name)


def _start(request: dict) -> int:
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        log = os.open(request["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(log, 1)
        os.dup2(log, 2)
        os.environ.update(request["env"])
        code = _run_module(request["command"], tuple(Edit(**each) for each in request["edits"]))
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _run_module(command: list[str], edits: tuple[Edit, ...]) -> int:
    """Runs a module as `python -m` would, with changes of the product, which may be of the module itself."""
    sys.argv = ["", *command[1:]]
    with applied(tuple(each for each in edits if each.module != command[0])):
        if any(each.module == command[0] for each in edits):
            source = compile(changed(command[0], edits), command[0], "exec")
            return _ended(lambda: exec(source, {"__name__": "__main__"}))
        return _ended(lambda: runpy.run_module(command[0], run_name="__main__", alter_sys=True))


def _ended(run: Callable[[], object]) -> int:
    """The exit code of what a process does."""
    try:
        run()
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


if __name__ == "__main__":
    _serve()
