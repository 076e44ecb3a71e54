"""A real Kubernetes API server over a real etcd, on loopback: what manifests are applied to.

There are no nodes and no controllers: objects are checked, completed and kept, and nothing runs.
Built from its module, k8s.io/kubernetes at v1.31.4, with its staging modules replaced by their
releases (v0.31.4): `GOWORK=off go build ./cmd/kube-apiserver`.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import socket
import subprocess
import time
from pathlib import Path
from typing import Any

API_SERVER_VARIABLE = "CROSSKD_KUBE_APISERVER"
ETCD_VARIABLE = "CROSSKD_ETCD"
_STARTING = 120.0


class RefusedError(Exception):
    """What kubectl wrote when the API server, or kubectl itself, refused."""


class Cluster:
    """An API server with RBAC, and `kubectl` as its administrator.

    Args:
      folder: For data, keys and logs.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._token = secrets.token_hex()
        self._port = _free_port()
        self._running: list[subprocess.Popen[bytes]] = []
        store = f"http://127.0.0.1:{_free_port()}"
        key = folder / "accounts.key"
        subprocess.run(["openssl", "genrsa", "-out", key, "2048"], check=True, capture_output=True)
        (folder / "tokens.csv").write_text(f'{self._token},administrator,administrator,"system:masters"\n')
        self._start(
            os.environ[ETCD_VARIABLE],
            *("--data-dir", folder / "etcd", "--listen-client-urls", store, "--advertise-client-urls", store),
            *("--listen-peer-urls", f"http://127.0.0.1:{_free_port()}"),
        )
        self._start(
            os.environ[API_SERVER_VARIABLE],
            *("--etcd-servers", store, "--bind-address", "127.0.0.1", "--secure-port", self._port),
            *("--cert-dir", folder / "certificates", "--token-auth-file", folder / "tokens.csv"),
            *("--authorization-mode", "RBAC", "--service-cluster-ip-range", "10.0.0.0/24"),
            *("--service-account-issuer", "https://cluster", "--service-account-key-file", key),
            *("--service-account-signing-key-file", key),
        )
        self._wait()

    def close(self) -> None:
        for each in reversed(self._running):
            each.terminate()
            each.wait()

    def kubectl(self, *arguments: object) -> str:
        """What a command printed.

        Raises:
          RefusedError: It failed.
        """
        server = ["--server", f"https://127.0.0.1:{self._port}", "--token", self._token, "--insecure-skip-tls-verify"]
        words = [shutil.which("kubectl") or "kubectl", *server, *map(str, arguments)]
        done = subprocess.run(words, capture_output=True, text=True, env={"HOME": str(self._folder)}, check=False)
        if done.returncode:
            raise RefusedError(done.stderr or done.stdout)
        return done.stdout

    def objects(self, namespace: str, kind: str) -> dict[str, dict[str, Any]]:
        """The objects of a kind, by name."""
        items = json.loads(self.kubectl("get", kind, "--namespace", namespace, "--output", "json"))["items"]
        return {each["metadata"]["name"]: each for each in items}

    def may(self, account: str, verb: str, resource: str) -> bool:
        """Whether a service account may do something in its namespace, as RBAC says.

        Args:
          account: `NAMESPACE:NAME`.
          verb: As in a role.
          resource: `RESOURCE[.GROUP][/NAME]`; a subresource, `pods/log`, is `pods//log`.
        """
        kind, name, subresource = (*resource.split("/"), "", "")[:3]
        kind, _, group = kind.partition(".")
        what = {"verb": verb, "group": group, "resource": kind, "name": name, "subresource": subresource}
        user = f"system:serviceaccount:{account}"
        spec = {"user": user, "resourceAttributes": {"namespace": account.partition(":")[0], **what}}
        review = {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": spec}
        file = self._folder / "review.json"
        file.write_text(json.dumps(review))
        return bool(json.loads(self.kubectl("create", "--filename", file, "--output", "json"))["status"]["allowed"])

    def _start(self, program: str, *arguments: object) -> None:
        with (self._folder / f"{Path(program).name}.log").open("wb") as log:
            self._running.append(subprocess.Popen([program, *map(str, arguments)], stdout=log, stderr=log))

    def _wait(self) -> None:
        until = time.monotonic() + _STARTING
        while True:
            try:
                assert self.kubectl("get", "--raw", "/readyz") == "ok"
            except RefusedError as reason:
                if time.monotonic() > until or any(each.poll() is not None for each in self._running):
                    self.close()
                    raise AssertionError(f"the API server did not start: {reason}; see {self._folder}") from reason
                time.sleep(0.5)
            else:
                return


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
