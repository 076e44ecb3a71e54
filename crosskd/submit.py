"""`crosskd submit`: runs a compiled pipeline on Kubeflow Pipelines 2, once or by a schedule, or on Vertex."""

from __future__ import annotations

import gzip
import json
import os
import tempfile
from pathlib import Path
from typing import Annotated, Any

import typer

from crosskd.terminal import TERMINAL
from crosskd.vertex import check_job, check_place, start
from schema.candidates import PAIRS_FROM, fingerprint_key
from schema.errors import InputError

_FIELDS_OF_CRON = 6
# Run parameters that name a folder whose content another one tells.
_CONTENTS = ("teacher", *PAIRS_FROM)


def command(
    pipeline: Annotated[
        Path, typer.Argument(help="What `crosskd compile` wrote: .yaml or .yaml.gz, or .json with --vertex.")
    ],
    host: Annotated[
        str | None, typer.Option(help="Address of the Kubeflow Pipelines API; of Vertex's, if not the region's own.")
    ] = None,
    parameter: Annotated[list[str] | None, typer.Option(help="Value of a run parameter: name=value.")] = None,
    gates: Annotated[Path | None, typer.Option(help="YAML with gates by task; checked here.")] = None,
    surface: Annotated[str | None, typer.Option(help="The surface that --gates is checked against.")] = None,
    experiment: Annotated[str, typer.Option(help="Experiment that the runs belong to; made if need be.")] = "crosskd",
    namespace: Annotated[str | None, typer.Option(help="Of the experiment, where Kubeflow has many users.")] = None,
    service_account: Annotated[str | None, typer.Option(help="Of the pods.")] = None,
    cron: Annotated[str | None, typer.Option(help="Run by this schedule: six fields, seconds first.")] = None,
    pipeline_root: Annotated[str | None, typer.Option(help="Where artifacts go, if not as compiled.")] = None,
    vertex: Annotated[bool, typer.Option("--vertex", help="Start a run on Vertex, not on Kubeflow.")] = False,
    project: Annotated[str | None, typer.Option(help="Google Cloud project, with --vertex.")] = None,
    location: Annotated[str | None, typer.Option(help="Region, with --vertex.")] = None,
    version: Annotated[str | None, typer.Option(help="Name of the uploaded version; by default its content's.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the ids as JSON.")] = False,
) -> None:
    """Upload a compiled pipeline and run it."""
    if cron is not None:
        _check_cron(cron, vertex)
    specification, content = _read(pipeline, vertex)
    values = _values(specification, parameter or [], gates, surface)
    root = _root(specification, pipeline_root)
    named = version or _content_name(content)
    name = specification["pipelineInfo"]["name"]
    # Not beside the pipeline, which may lie on a volume that is only read.
    with tempfile.TemporaryDirectory() as folder, TERMINAL.noise_to(Path(folder) / "submit.log"):
        if vertex:
            place = check_place(project, location, host, service_account)
            ids = {"job": start(pipeline, values, f"{name} {named}", root, place)}
        else:
            run: dict[str, Any] = {"job_name": f"{name} {named}", "params": values, "pipeline_root": root}
            plain = Path(folder) / "pipeline.yaml"
            plain.write_bytes(content)
            client = _connect(host, namespace)
            pipeline_id, version_id = _upload(client, name, named, plain, namespace)
            run.update(pipeline_id=pipeline_id, version_id=version_id, service_account=service_account)
            run.update(experiment_id=client.create_experiment(experiment, namespace=namespace).experiment_id)
            ids = {"pipeline_id": pipeline_id, "version_id": version_id, **_start(client, run, cron)}
    TERMINAL.say(f"{name}: {', '.join(f'{_spoken(kind)} {value}' for kind, value in ids.items())}")
    if as_json:
        TERMINAL.json(ids)


def _spoken(kind: str) -> str:
    return kind.removesuffix("_id").replace("_", " ")


def _check_cron(cron: str, vertex: bool) -> None:
    if vertex:
        raise InputError(
            "--cron: expected without --vertex: a schedule there knows no day before. Give the same command each day, "
            "by any scheduler"
        )
    if len(cron.split()) != _FIELDS_OF_CRON:
        raise InputError(f"--cron: expected six fields (second minute hour day month weekday), found {cron!r}")


def _start(client: Any, run: dict[str, Any], cron: str | None) -> dict[str, str]:
    """Starts one run, or runs by a schedule; the id of it."""
    if cron is None:
        return {"run_id": client.run_pipeline(**run).run_id}
    made = client.create_recurring_run(cron_expression=cron, no_catchup=True, max_concurrency=1, **run)
    return {"recurring_run_id": made.recurring_run_id}


def _read(path: Path, vertex: bool) -> tuple[dict[str, Any], bytes]:
    """What was compiled: the pipeline's specification, and the file's content."""
    import yaml

    if not path.is_file():
        raise InputError(f"{path}: expected the YAML that `crosskd compile` wrote, found no such file")
    content = path.read_bytes()
    try:
        if path.suffix == ".gz":
            content = gzip.decompress(content)
        first = next(yaml.safe_load_all(content))
    except (yaml.YAMLError, StopIteration, OSError, EOFError) as error:
        raise InputError(f"{path}: expected the YAML that `crosskd compile` wrote: {error}") from error
    if vertex:
        first = check_job(first if isinstance(first, dict) else {}, path)
    if not isinstance(first, dict) or "pipelineInfo" not in first:
        raise InputError(f"{path}: expected a pipeline specification, found no `pipelineInfo`")
    return first, content


def _root(specification: dict[str, Any], given: str | None) -> str:
    """Where the run's artifacts go: a field of the run, which the backend does not take from the pipeline.

    Raises:
      InputError: Neither the command line nor the pipeline names a bucket.
    """
    from pipeline.kfp.storage import check_bucket

    root = given or specification.get("defaultPipelineRoot", "")
    check_bucket(root, "--pipeline-root")
    return str(root)


def _content_name(content: bytes) -> str:
    """The name of a version: the same content is uploaded once."""
    import hashlib

    return hashlib.sha256(content).hexdigest()[:12]


def _values(
    specification: dict[str, Any], given: list[str], gates: Path | None, surface: str | None
) -> dict[str, str | int]:
    """Run parameters, checked against what the pipeline takes and needs."""
    from pipeline.kfp.parameters import checked

    known = specification["root"].get("inputDefinitions", {}).get("parameters", {})
    values: dict[str, str | int] = {}
    for each in given:
        name, equals, value = each.partition("=")
        if not equals or name not in known:
            raise InputError(f"--parameter: expected name=value of one of {', '.join(known)}, found {each!r}")
        values[name] = checked(name, value)
    if gates is not None:
        values["gates"] = _gates(gates, surface)
    values.update(_earlier_spans(known, values))
    for name in _CONTENTS:
        values.update(_fingerprint(known, values, name))
    missing = [name for name, each in known.items() if "defaultValue" not in each and name not in values]
    if missing:
        raise InputError(f"--parameter: the pipeline needs values of {', '.join(missing)}; give each as name=value")
    return values


def _gates(gates: Path, surface: str | None) -> str:
    from crosskd.compile import gates_of
    from crosskd.launch import surface_folder
    from schema.loader import load_surface

    if surface is None:
        raise InputError("--gates: give --surface, too: gates are checked against its tasks and slices")
    return gates_of(gates, load_surface(surface_folder(surface)).surface)


def _earlier_spans(known: dict[str, Any], values: dict[str, str | int]) -> dict[str, str]:
    """The spans of the window before the run's own one, which follow from it.

    Raises:
      InputError: The run's own is none that can be counted back from, or others were given than follow from it.
    """
    from pipeline.kfp.spans import SPAN, check_window, earlier, spans_before

    if SPAN not in values:
        return {}
    span = str(values[SPAN])
    asked = {name: spans_before(name) for name in known if spans_before(name)}
    if asked and "[[" in span:
        raise InputError(
            f"--parameter span={span}: Kubeflow puts its own time in when a run starts, and the window's earlier spans "
            "are computed before; start runs by `crosskd submit` each day, as the CronJob does, or compile without "
            "--window"
        )
    check_window(values)
    return {name: earlier(span, before) for name, before in asked.items()}


def _fingerprint(known: dict[str, Any], values: dict[str, str | int], name: str) -> dict[str, str]:
    """The fingerprint of what a run parameter names, if nobody has given it: as it is now, where it can be read here.

    What it was when the pipeline was compiled stands in where it cannot.

    Args:
      known: The parameters of the pipeline.
      values: Those that are given.
      name: The parameter: the teacher's, or that of what pairs are made of.

    Raises:
      InputError: It is not known at all.
    """
    fingerprint = fingerprint_key(name)
    parameter = known.get(fingerprint)
    if parameter is None or fingerprint in values:
        return {}
    folder = values.get(name, known[name].get("defaultValue"))
    if folder is None:
        return {}
    from crosskd.compile import fingerprint_of

    found = fingerprint_of(str(folder), name)
    if found is not None:
        return {fingerprint: found}
    if name not in values and "defaultValue" in parameter:
        return {}
    raise InputError(
        f"{name} {folder}: cannot be read from here, so the fingerprint is not known. Submit where it can be read "
        "(`kubectl create job --from=cronjob/crosskd-daily NAME` does it in the cluster), or give "
        f"--parameter {fingerprint}=..., as `crosskd fingerprint` prints it there"
    )


def _connect(host: str | None, namespace: str | None) -> Any:
    if host is None:
        raise InputError("--host: expected the address of the Kubeflow Pipelines API, or --vertex")
    import kfp
    from kfp_server_api.exceptions import ApiException
    from urllib3.exceptions import HTTPError

    try:
        client = kfp.Client(host=host, namespace=namespace or "kubeflow", credentials=_credentials())
        client.list_experiments(page_size=1, namespace=namespace)
    except (ApiException, HTTPError, TimeoutError) as error:
        raise InputError(
            f"--host {host}: expected the API of Kubeflow Pipelines 2 (where it has many users, with --namespace, and "
            f"a token in {_token_path()}); it says: {error}"
        ) from error
    return client


def _token_path() -> Path:
    """Where a pod finds the token that its service account shows to an installation with many users."""
    from kfp import client

    return Path(os.environ.get(client.KF_PIPELINES_SA_TOKEN_ENV) or client.KF_PIPELINES_SA_TOKEN_PATH)


def _credentials() -> Any:
    """The projected token; None where there is none, as an installation with one user asks for none."""
    from kfp.client.set_volume_credentials import ServiceAccountTokenVolumeCredentials

    path = _token_path()
    return ServiceAccountTokenVolumeCredentials(str(path)) if path.is_file() else None


def _upload(client: Any, name: str, version: str, path: Path, namespace: str | None) -> tuple[str, str]:
    """The ids of pipeline and version; uploads what is not there yet."""
    found = client.list_pipelines(filter=_named(name), namespace=namespace).pipelines
    if found:
        pipeline_id = found[0].pipeline_id
    else:
        pipeline_id = client.upload_pipeline(str(path), pipeline_name=name, namespace=namespace).pipeline_id
    versions = client.list_pipeline_versions(pipeline_id, filter=_named(version)).pipeline_versions
    if versions:
        return pipeline_id, versions[0].pipeline_version_id
    uploaded = client.upload_pipeline_version(str(path), pipeline_version_name=version, pipeline_id=pipeline_id)
    return pipeline_id, uploaded.pipeline_version_id


def _named(name: str) -> str:
    """A filter of the API."""
    return json.dumps({"predicates": [{"operation": "EQUALS", "key": "display_name", "stringValue": name}]})
