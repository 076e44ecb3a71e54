"""The part of Kubeflow Pipelines' v2beta1 API that its client uses here, over HTTP on loopback.

Paths, methods and names of fields are those of `kfp_server_api`; what is asked for and is not
there answers 404, so that a client that calls something else fails.
"""

from __future__ import annotations

import email
import json
import re
import threading
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import yaml

ROOT = "/apis/v2beta1"


class ApiServer:
    """What the server holds; lists of objects as the API returns them.

    With many users it does as `resource_manager.go` and `authorization.go` of the API server
    (2.17.0) do: who shows no token for the audience of Kubeflow Pipelines is refused, and
    experiments are asked for and made in a namespace.

    Attributes:
      uploads: Contents of the uploaded files.
      broken: Every request but that for its health is answered 500.
      token: What a request must show, where there are many users.
    """

    def __init__(self, token: str | None = None) -> None:
        self.token = token
        self.experiments: list[dict[str, Any]] = []
        self.pipelines: list[dict[str, Any]] = []
        self.versions: list[dict[str, Any]] = []
        self.runs: list[dict[str, Any]] = []
        self.recurring_runs: list[dict[str, Any]] = []
        self.uploads: list[bytes] = []
        self.broken = False
        state = self

        class Handler(_Handler):
            api = state

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.host = f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        self._server.shutdown()

    def upload(self, content: bytes, query: dict[str, str], *, as_version: bool) -> dict[str, Any]:
        if "pipelineInfo" not in next(yaml.safe_load_all(content)):
            raise LookupError("not a pipeline")
        self.uploads.append(content)
        if as_version:
            version = {"display_name": query["name"], "pipeline_id": query["pipelineid"]}
            return _add(self.versions, "pipeline_version_id", version)
        content_of = {"display_name": query["name"], "namespace": query.get("namespace", "")}
        pipeline = _add(self.pipelines, "pipeline_id", content_of)
        _add(
            self.versions,
            "pipeline_version_id",
            {"display_name": query["name"], "pipeline_id": pipeline["pipeline_id"]},
        )
        return pipeline

    def get(self, path: str, query: dict[str, str]) -> dict[str, Any]:
        versions = re.fullmatch(r"/pipelines/([^/]+)/versions", path)
        if versions:
            of_pipeline = [each for each in self.versions if each["pipeline_id"] == versions[1]]
            return {"pipeline_versions": _filtered(of_pipeline, query.get("filter"))}
        listed = {"/pipelines": self.pipelines, "/experiments": self.experiments}
        if path in listed:
            self._check_namespace(path, query.get("namespace"))
            inside = [each for each in listed[path] if each.get("namespace", "") == query.get("namespace", "")]
            return {path.strip("/"): _filtered(inside, query.get("filter"))}
        if path == "/healthz":
            return {"multi_user": self.token is not None}
        raise LookupError(path)

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        if path == "/experiments":
            self._check_namespace(path, body.get("namespace"))
            return _add(self.experiments, "experiment_id", body)
        if path == "/runs":
            return _add(self.runs, "run_id", body)
        if path == "/recurringruns":
            return _add(self.recurring_runs, "recurring_run_id", body)
        raise LookupError(path)

    def _check_namespace(self, path: str, namespace: str | None) -> None:
        if self.token is not None and path == "/experiments" and not namespace:
            raise LookupError("in multi-user mode, an experiment needs a namespace")


class _Handler(BaseHTTPRequestHandler):
    api: ApiServer

    def do_GET(self) -> None:
        path, query = self._target()
        self._answer(lambda: self.api.get(path, query))

    def do_POST(self) -> None:
        path, query = self._target()
        content = self.rfile.read(int(self.headers["Content-Length"]))
        if path.startswith("/pipelines/upload"):
            file = _uploaded_file(self.headers["Content-Type"], content)
            self._answer(lambda: self.api.upload(file, query, as_version=path.endswith("_version")))
        else:
            self._answer(lambda: self.api.post(path, json.loads(content)))

    def log_message(self, *_: Any) -> None:
        """Says nothing."""

    def _target(self) -> tuple[str, dict[str, str]]:
        parts = urlsplit(self.path)
        return parts.path.removeprefix(ROOT), {name: values[0] for name, values in parse_qs(parts.query).items()}

    def _answer(self, act: Any) -> None:
        code = 500 if self.api.broken and not self.path.endswith("/healthz") else 200
        content = {"error": "broken"}
        if self.api.token is not None and self.headers["Authorization"] != f"Bearer {self.api.token}":
            code, content = 401, {"error": "there is no user identity header"}
        if code == 200:
            try:
                content = act()
            except (LookupError, yaml.YAMLError) as error:
                code, content = 404, {"error": str(error)}
        encoded = json.dumps(content).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(encoded)))
        self.end_headers()
        self.wfile.write(encoded)


def _uploaded_file(content_type: str, content: bytes) -> bytes:
    message = email.message_from_bytes(b"Content-Type: " + content_type.encode() + b"\r\n\r\n" + content)
    (part,) = message.get_payload()
    assert isinstance(part, Message)
    assert part.get_param("name", header="content-disposition") == "uploadfile"
    payload = part.get_payload(decode=True)
    assert isinstance(payload, bytes)
    return payload


def _add(kept: list[dict[str, Any]], identity: str, content: dict[str, Any]) -> dict[str, Any]:
    kept.append({**content, identity: f"{identity.removesuffix('_id')}-{len(kept) + 1}"})
    return kept[-1]


def _filtered(kept: list[dict[str, Any]], predicate: str | None) -> list[dict[str, Any]]:
    for each in json.loads(predicate)["predicates"] if predicate else []:
        assert each["operation"] in ("EQUALS", 1)
        value = each.get("stringValue", each.get("string_value"))
        kept = [other for other in kept if other[{"name": "display_name"}.get(each["key"], each["key"])] == value]
    return kept
