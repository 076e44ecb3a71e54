"""The part of Vertex's API that its client uses here, over HTTP on loopback, and stricter than the client.

Paths are those of the client's own REST transport (`google.cloud.aiplatform_v1`), messages the
published protos.  What is asked for and is not there answers 404, so that a client that calls
something else fails.
"""

from __future__ import annotations

import json
import re
import secrets
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from google.auth import jwt
from google.auth.exceptions import GoogleAuthError
from google.cloud.aiplatform_v1.types import PipelineJob
from google.protobuf import json_format
from kfp.pipeline_spec import pipeline_spec_pb2

PROJECT, LOCATION = "team", "europe-west4"
ACCOUNT = "submitter@team.iam.gserviceaccount.com"
_PARENT = f"projects/{PROJECT}/locations/{LOCATION}"
_JOB_ID = re.compile(r"[a-z][-a-z0-9]{0,127}")
_KINDS = {"STRING": str, "NUMBER_INTEGER": (int, float), "NUMBER_DOUBLE": (int, float), "BOOLEAN": bool}


class InvalidArgumentError(Exception):
    """Vertex answers 400."""


class VertexApi:
    """What the server holds.

    Attributes:
      host: Its address.
      jobs: The jobs that were made, by id.
      key_file: Credentials of a service account, as the variable GOOGLE_APPLICATION_CREDENTIALS names them.
    """

    def __init__(self, folder: Path) -> None:
        self.jobs: dict[str, dict[str, Any]] = {}
        self._tokens: set[str] = set()
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self._public = key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        state = self

        class Handler(_Handler):
            api = state

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.host = f"http://127.0.0.1:{self._server.server_port}"
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        self.key_file = folder / "account.json"
        self.key_file.write_text(
            json.dumps(
                {
                    "type": "service_account",
                    "project_id": PROJECT,
                    "private_key_id": "1",
                    "private_key": private.decode(),
                    "client_email": ACCOUNT,
                    "token_uri": f"{self.host}/token",
                }
            )
        )

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def create(self, parent: str, query: dict[str, str], content: bytes) -> dict[str, Any]:
        """`PipelineService.CreatePipelineJob`."""
        if parent != _PARENT:
            raise LookupError(parent)
        job_id = query.pop("pipelineJobId")
        if query not in ({}, {"$alt": "json;enum-encoding=int"}):
            raise InvalidArgumentError(f"unknown query {query}")
        if not _JOB_ID.fullmatch(job_id) or job_id in self.jobs:
            raise InvalidArgumentError(f"job id {job_id!r}")
        job = PipelineJob.pb()()
        json_format.Parse(content, job)
        check(json_format.MessageToDict(job))
        job.name = f"{_PARENT}/pipelineJobs/{job_id}"
        self.jobs[job_id] = dict(json_format.MessageToDict(job))
        return {**self.jobs[job_id], "state": "PIPELINE_STATE_PENDING"}

    def grant(self, form: dict[str, str]) -> dict[str, Any]:
        """The token endpoint: an access token for an assertion that the account's key signed (RFC 7523)."""
        if form["grant_type"] != "urn:ietf:params:oauth:grant-type:jwt-bearer":
            raise PermissionError(form["grant_type"])
        self._check_assertion(form["assertion"])
        token = secrets.token_hex()
        self._tokens.add(token)
        return {"access_token": token, "expires_in": 3600, "token_type": "Bearer"}

    def authenticate(self, authorization: str | None) -> None:
        """A token that was granted, or an assertion in its place, as the client's own messages show it."""
        kind, _, token = (authorization or "").partition(" ")
        if kind != "Bearer":
            raise PermissionError("no bearer token")
        if token not in self._tokens:
            self._check_assertion(token)

    def _check_assertion(self, token: str) -> None:
        try:
            claims = jwt.decode(token, certs=self._public)
        except (ValueError, GoogleAuthError) as error:
            raise PermissionError(str(error)) from error
        if claims["iss"] != ACCOUNT:
            raise PermissionError(claims["iss"])


def check(job: dict[str, Any]) -> None:
    """What Vertex would refuse of a job: against the published specification, without any unknown field."""
    spec = pipeline_spec_pb2.PipelineSpec()
    try:
        json_format.ParseDict(job["pipelineSpec"], spec)
        deployment = pipeline_spec_pb2.PipelineDeploymentConfig()
        json_format.ParseDict(json_format.MessageToDict(spec.deployment_spec), deployment)
    except json_format.ParseError as error:
        raise InvalidArgumentError(str(error)) from error
    if spec.schema_version != "2.1.0" or not spec.pipeline_info.name:
        raise InvalidArgumentError("schemaVersion or pipelineInfo")
    _check_graph(spec, deployment)
    _check_runtime(spec, job["runtimeConfig"])


def _check_graph(spec: pipeline_spec_pb2.PipelineSpec, deployment: pipeline_spec_pb2.PipelineDeploymentConfig) -> None:
    for name, task in spec.root.dag.tasks.items():
        component = spec.components.get(task.component_ref.name)
        if component is None or not deployment.executors[component.executor_label].container.image:
            raise InvalidArgumentError(f"{name}: no component {task.component_ref.name}, or no container of it")
        for side in ("parameters", "artifacts"):
            given, known = set(getattr(task.inputs, side)), set(getattr(component.input_definitions, side))
            if given != known:
                raise InvalidArgumentError(f"{name}: {side} {sorted(given ^ known)}")
        for key in task.inputs.artifacts:
            _check_source(spec, name, key)


def _check_source(spec: pipeline_spec_pb2.PipelineSpec, name: str, key: str) -> None:
    tasks = spec.root.dag.tasks
    made = tasks[name].inputs.artifacts[key].task_output_artifact
    if made.producer_task not in tasks or made.producer_task not in tasks[name].dependent_tasks:
        raise InvalidArgumentError(f"{name}: {key} is of {made.producer_task}, which does not come before")
    outputs = spec.components[tasks[made.producer_task].component_ref.name].output_definitions.artifacts
    expected = spec.components[tasks[name].component_ref.name].input_definitions.artifacts[key].artifact_type
    if made.output_artifact_key not in outputs:
        raise InvalidArgumentError(f"{name}: {made.producer_task} has no {made.output_artifact_key}")
    if outputs[made.output_artifact_key].artifact_type.schema_title != expected.schema_title:
        raise InvalidArgumentError(f"{name}: {key} is of another type")


def _check_runtime(spec: pipeline_spec_pb2.PipelineSpec, runtime: dict[str, Any]) -> None:
    if not runtime["gcsOutputDirectory"].startswith("gs://"):
        raise InvalidArgumentError("gcsOutputDirectory")
    values = runtime.get("parameterValues", {})
    definitions = spec.root.input_definitions.parameters
    unknown = set(values) - set(definitions)
    missing = {name for name, each in definitions.items() if not each.HasField("default_value")} - set(values)
    if unknown or missing:
        raise InvalidArgumentError(f"parameters: unknown {sorted(unknown)}, missing {sorted(missing)}")
    for name, value in values.items():
        kind = pipeline_spec_pb2.ParameterType.ParameterTypeEnum.Name(definitions[name].parameter_type)
        if not isinstance(value, _KINDS[kind]):
            raise InvalidArgumentError(f"parameter {name}: expected {kind}, found {value!r}")


class _Handler(BaseHTTPRequestHandler):
    api: VertexApi

    def do_POST(self) -> None:
        parts = urlsplit(self.path)
        content = self.rfile.read(int(self.headers["Content-Length"]))
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        path = re.fullmatch(r"/v1/(projects/[^/]+/locations/[^/]+)/pipelineJobs", parts.path)
        try:
            if parts.path == "/token":
                form = {name: values[0] for name, values in parse_qs(content.decode()).items()}
                self._answer(200, self.api.grant(form))
                return
            self.api.authenticate(self.headers["Authorization"])
            if path is None:
                raise LookupError(parts.path)
            self._answer(200, self.api.create(path[1], query, content))
        except PermissionError as error:
            self._refuse(401, "UNAUTHENTICATED", error)
        except LookupError as error:
            self._refuse(404, "NOT_FOUND", error)
        except (InvalidArgumentError, json_format.ParseError) as error:
            self._refuse(400, "INVALID_ARGUMENT", error)

    def log_message(self, *_: Any) -> None:
        """Says nothing."""

    def _refuse(self, code: int, status: str, error: Exception) -> None:
        self._answer(code, {"error": {"code": code, "status": status, "message": str(error)}})

    def _answer(self, code: int, content: dict[str, Any]) -> None:
        encoded = json.dumps(content).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(encoded)))
        self.end_headers()
        self.wfile.write(encoded)
