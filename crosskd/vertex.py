"""Starts a compiled pipeline on Vertex, by Google's own client."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from schema.errors import InputError

if TYPE_CHECKING:
    from google.cloud.aiplatform import gapic

_SCOPE = "https://www.googleapis.com/auth/cloud-platform"


@dataclass(frozen=True)
class VertexPlace:
    """Where a run is started.

    Attributes:
      project: The Google Cloud project.
      location: Its region.
      endpoint: Address of the API; None for the region's own.
      service_account: Of the containers; None for the project's own.
    """

    project: str
    location: str
    endpoint: str | None
    service_account: str | None


def check_place(
    project: str | None, location: str | None, host: str | None, service_account: str | None
) -> VertexPlace:
    """The place that the command line names.

    Raises:
      InputError: It names none.
    """
    missing = [name for name, value in (("--project", project), ("--location", location)) if not value]
    if missing:
        raise InputError(f"--vertex: expected {' and '.join(missing)}, too: where the run is to be")
    return VertexPlace(str(project), str(location), host, service_account)


def check_job(job: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """The specification in a PipelineJob.

    Raises:
      InputError: It is none.
    """
    if "pipelineSpec" not in job or "runtimeConfig" not in job:
        raise InputError(f"{path}: expected the PipelineJob that `crosskd compile --out ... .json` writes for Vertex")
    return dict(job["pipelineSpec"])


def start(path: Path, values: Mapping[str, str | int], name: str, root: str, place: VertexPlace) -> str:
    """Starts one run.

    Args:
      path: The PipelineJob.
      values: Values of run parameters.
      name: What the run is called.
      root: Where artifacts go.
      place: Where.

    Returns:
      The run's resource name.

    Raises:
      InputError: The root is not in gs://, nobody is logged in, or Vertex refuses the run.
    """
    if not root.startswith("gs://"):
        raise InputError(f"--pipeline-root: Vertex keeps artifacts in gs:// only, found {root!r}")
    import google.auth
    from google.api_core.exceptions import GoogleAPIError
    from google.auth.exceptions import GoogleAuthError
    from google.cloud.aiplatform import gapic

    try:
        credentials, _ = google.auth.default(scopes=[_SCOPE])
        # Not by `aiplatform.PipelineJob.submit`: it makes a bucket, and grants access to it, where the root names none.
        client = gapic.PipelineServiceClient(
            credentials=credentials,
            transport="rest",
            client_options={"api_endpoint": place.endpoint or f"{place.location}-aiplatform.googleapis.com"},
        )
        made = client.create_pipeline_job(
            parent=client.common_location_path(place.project, place.location),
            pipeline_job=_message(path, values, name, root, place.service_account),
            pipeline_job_id=f"{name.partition(' ')[0]}-{time.strftime('%Y%m%d%H%M%S', time.gmtime())}",
        )
    except (GoogleAPIError, GoogleAuthError) as error:
        raise InputError(f"Vertex, project {place.project}, {place.location}: {error}") from error
    return str(made.name)


def _message(
    path: Path, values: Mapping[str, str | int], name: str, root: str, service_account: str | None
) -> gapic.PipelineJob:
    """The PipelineJob of one run, as the published protocol has it.

    Raises:
      InputError: The compiled one is none.
    """
    from google.cloud.aiplatform import gapic
    from google.protobuf import json_format

    compiled = json.loads(path.read_text())
    runtime = compiled["runtimeConfig"]
    parameters = {**runtime.get("parameterValues", {}), **values}
    try:
        job = gapic.PipelineJob(
            display_name=name,
            pipeline_spec=compiled["pipelineSpec"],
            service_account=service_account,
        )
        json_format.ParseDict(
            {**runtime, "gcsOutputDirectory": root, "parameterValues": parameters}, job._pb.runtime_config
        )
    except json_format.ParseError as error:
        raise InputError(f"{path}: not a PipelineJob: {error}") from error
    return job
