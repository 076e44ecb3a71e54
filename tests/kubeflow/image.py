"""Runs container commands in the built image, by runc, as the image's user.

It is no kubelet, and stricter than one is by default: the root file system is read-only, and
there are no capabilities.  The network is the host's, since the object store of the tests is on it.
"""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from tests.kubeflow.scripts import script

ROOT_VARIABLE = "CROSSKD_IMAGE_ROOT"
_SECONDS = 1200


class InImage:
    """Takes the place of `tests.kubeflow.containers.Containers`."""

    def __init__(self, root: Path, shared: Path):
        """Commands run in the root file system `root`, and may write under /tmp and in `shared`."""
        rehearse = script("rehearse")
        _, last = rehearse.read_stages(rehearse.DOCKERFILE.read_text())
        self._root, self._shared = root, shared
        self._user, self._group = map(int, rehearse.one(last, "USER").split(":"))
        self._folder = rehearse.one(last, "WORKDIR")
        self._variables = rehearse.environment_of(last)
        self._variables["PATH"] = self._variables["PATH"].replace("$PATH", "/usr/local/bin:/usr/bin:/bin")
        self._numbers = itertools.count()

    def run(self, command: list[str], env: dict[str, str], log: Path) -> int:
        """Runs a command and returns its exit code; its output goes to `log`."""
        # The launcher makes folders as the container's user; here the tests made them.
        subprocess.run(["chmod", "-R", "a+rwX", str(self._shared)], check=True)
        with tempfile.TemporaryDirectory() as bundle, log.open("ab") as said:
            Path(bundle, "config.json").write_text(json.dumps(self._config(command, {**self._variables, **env})))
            name = f"crosskd-{os.getpid()}-{next(self._numbers)}"
            done = subprocess.run(
                ["runc", "run", "--bundle", bundle, name], stdout=said, stderr=said, timeout=_SECONDS, check=False
            )
        return done.returncode

    def _config(self, command: list[str], variables: dict[str, str]) -> dict[str, Any]:
        """A bundle of the Open Container Initiative's runtime specification 1.0."""
        shared = str(self._shared)
        return {
            "ociVersion": "1.0.2",
            "process": {
                "user": {"uid": self._user, "gid": self._group},
                "args": command,
                "env": [f"{name}={value}" for name, value in variables.items()],
                "cwd": self._folder,
                "noNewPrivileges": True,
            },
            "root": {"path": str(self._root), "readonly": True},
            "mounts": [
                {"destination": "/proc", "type": "proc", "source": "proc"},
                {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=755"]},
                {"destination": "/dev/shm", "type": "tmpfs", "source": "shm", "options": ["mode=1777"]},
                {"destination": "/tmp", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=1777"]},
                {"destination": shared, "type": "bind", "source": shared, "options": ["rbind", "rw"]},
            ],
            "linux": {"namespaces": [{"type": each} for each in ("pid", "ipc", "uts", "mount")]},
        }
