"""A `python` for PATH whose commands run in processes forked from one that has imported TFX.

The launcher starts the command of a container by name; a start from nothing takes most of a
minute where several tests share two cores.  The forked process has the arguments and the
environment that the launcher gave.
"""

from __future__ import annotations

import json
import socketserver
import sys
import threading
from pathlib import Path

from tests.kubeflow.containers import PREFIX, Containers

_CLIENT = """#!{python} -IS
import json, os, socket, sys
with socket.socket(socket.AF_UNIX) as connection:
    connection.connect({address!r})
    log = {logs!r} + "/" + str(os.getpid())
    request = {{"command": sys.argv[1:], "env": dict(os.environ), "log": log}}
    connection.sendall(json.dumps(request).encode() + b"\\n")
    code = int(connection.makefile().readline())
sys.stdout.write(open(log).read())
sys.exit(code)
"""


class ForkedPython:
    """A folder with such a `python`.

    Attributes:
      folder: Belongs first on PATH.
    """

    def __init__(self, folder: Path, containers: Containers) -> None:
        self.folder = folder / "bin"
        self.folder.mkdir()
        address = str(folder / "socket")

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                request = json.loads(self.rfile.readline())
                command = [PREFIX[0], *request["command"]]
                code = containers.run(command, request["env"], Path(request["log"]))
                self.wfile.write(f"{code}\n".encode())

        self._server = socketserver.ThreadingUnixStreamServer(address, Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        client = self.folder / "python"
        client.write_text(_CLIENT.format(python=sys.executable, address=address, logs=str(folder)))
        client.chmod(0o755)

    def close(self) -> None:
        self._server.shutdown()
