"""MLServer as a process of its own, from an environment of its own."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from schema.errors import InputError

ENVIRONMENT = Path(".cache/server")
HOST = "127.0.0.1"
_RUNTIME = Path(__file__).with_name("runtime.py")
_READY_WITHIN = 180.0  # seconds; TensorFlow alone takes some to be imported
_ANSWER_WITHIN = 120.0


class Server:
    """A running server of one model.

    Attributes:
      port: Where it listens.
      name: The name of its model.
    """

    def __init__(self, port: int, name: str) -> None:
        self.port, self.name = port, name

    def connect(self) -> http.client.HTTPConnection:
        """A connection of one's own, which stays open from request to request."""
        return http.client.HTTPConnection(HOST, self.port, timeout=_ANSWER_WITHIN)

    @property
    def infer_path(self) -> str:
        """Where requests go."""
        return f"/v2/models/{self.name}/infer"

    def load(self) -> None:
        """Has the newest version loaded, as after each push and rollback; returns when it serves.

        Raises:
          RuntimeError: The server could not load it; it goes on with what it has.
        """
        status, body = self._ask("POST", f"/v2/repository/models/{self.name}/load")
        if status != http.client.OK:
            raise RuntimeError(f"the server answered {status} when it was told to load: {body[:300]!r}")

    def is_ready(self) -> bool:
        """Whether the model answers."""
        try:
            return self._ask("GET", f"/v2/models/{self.name}/ready")[0] == http.client.OK
        except OSError:
            return False

    def _ask(self, method: str, path: str) -> tuple[int, bytes]:
        connection = self.connect()
        try:
            connection.request(method, path)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()


@contextmanager
def serving(versions: Path, folder: Path, environment: Path = ENVIRONMENT) -> Iterator[Server]:
    """Starts MLServer on a folder of pushed versions, and stops it at the end.

    Args:
      versions: The folder of pushed versions; the model is called after it.
      folder: An empty folder for the server's settings and its log.
      environment: Where requirements/server.txt is installed.

    Raises:
      InputError: The environment is not there.
      RuntimeError: The server did not become ready.
    """
    binary = environment / "bin" / "mlserver"
    if not binary.is_file():
        raise InputError(f"{binary}: expected MLServer, which `make bench-server` installs there")
    server = Server(_free_port(), versions.name)
    _write_settings(folder, server, versions)
    with (folder / "server.log").open("w") as log:
        process = subprocess.Popen(
            [str(binary.absolute()), "start", "."],
            cwd=folder,
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**os.environ, "PYTHONPATH": "", "TF_CPP_MIN_LOG_LEVEL": "2"},
        )
        try:
            _wait_until_ready(server, process, folder / "server.log")
            yield server
        finally:
            process.terminate()
            process.wait(timeout=60)


def _write_settings(folder: Path, server: Server, versions: Path) -> None:
    """One model, in the server's own process: requests are answered beside its event loop, not in worker processes."""
    model = folder / server.name
    model.mkdir(parents=True)
    shutil.copy(_RUNTIME, folder / "runtime.py")
    ports = {"http_port": server.port, "grpc_port": _free_port(), "metrics_port": _free_port()}
    settings = {"host": HOST, **ports, "parallel_workers": 0, "debug": False}
    (folder / "settings.json").write_text(json.dumps(settings))
    described = {
        "name": server.name,
        "implementation": "runtime.SavedModels",
        "parameters": {"uri": str(versions.absolute())},
    }
    (model / "model-settings.json").write_text(json.dumps(described))


def _wait_until_ready(server: Server, process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + _READY_WITHIN
    while not server.is_ready():
        if process.poll() is not None or time.monotonic() > until:
            raise RuntimeError(f"MLServer did not become ready; the end of {log}:\n{log.read_text()[-2000:]}")
        time.sleep(0.2)


def _free_port() -> int:
    with socket.socket() as listening:
        listening.bind((HOST, 0))
        return int(listening.getsockname()[1])
