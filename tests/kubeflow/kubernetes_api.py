"""The few objects of a namespace that Kubeflow's driver and launcher read, over the API of Kubernetes.

Their client takes address, certificate and token from fixed places of a pod, so whoever starts
them writes those files: only where nothing lies there, and as root.
"""

from __future__ import annotations

import base64
import json
import shutil
import ssl
import subprocess
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

NAMESPACE = "team"
SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")


class KubernetesApi:
    """A server on loopback, over TLS.

    Attributes:
      environment: The variables by which a pod finds it.
    """

    def __init__(self, folder: Path, config_maps: Mapping[str, Any], secrets: Mapping[str, Mapping[str, str]]) -> None:
        objects = {f"configmaps/{name}": {"data": data} for name, data in config_maps.items()}
        for name, data in secrets.items():
            encoded = {key: base64.b64encode(value.encode()).decode() for key, value in data.items()}
            objects[f"secrets/{name}"] = {"data": encoded}

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                found = objects.get(self.path.partition(f"/api/v1/namespaces/{NAMESPACE}/")[2])
                missing = {"kind": "Status", "status": "Failure", "reason": "NotFound", "code": 404}
                content = json.dumps(found if found is not None else missing).encode()
                self.send_response(404 if found is None else 200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: Any) -> None:
                """Says nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*_certificate(folder))
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        # Fails where there is one: then this machine is a pod.
        SERVICE_ACCOUNT.parent.mkdir(parents=True)
        SERVICE_ACCOUNT.mkdir()
        (SERVICE_ACCOUNT / "namespace").write_text(NAMESPACE)
        (SERVICE_ACCOUNT / "token").write_text("token")
        shutil.copyfile(folder / "certificate.pem", SERVICE_ACCOUNT / "ca.crt")
        port = str(self._server.server_port)
        self.environment = {"KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": port}

    def close(self) -> None:
        self._server.shutdown()
        shutil.rmtree(SERVICE_ACCOUNT.parent)


def _certificate(folder: Path) -> tuple[Path, Path]:
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=kubernetes"),
            *("-addext", "subjectAltName=IP:127.0.0.1", "-out", str(certificate), "-keyout", str(key)),
        ],
        check=True,
        capture_output=True,
    )
    return certificate, key
