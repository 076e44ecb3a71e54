"""Validates a student by serving it, and writes report and blessing."""

from __future__ import annotations

from typing import Any

from absl import logging
from tfx import types
from tfx.dsl.components.base import base_executor
from tfx.types import artifact_utils
from tfx.utils import io_utils, path_utils

from components.serving_validator import judge, spec, warm_up
from components.serving_validator.clients import clients_check
from components.serving_validator.graph import ModelGraph, read_graph
from components.serving_validator.requests import Requests, read_requests
from components.serving_validator.requirements import Requirements
from components.serving_validator.trial import Other, Trial, serve
from components.serving_validator.worker import Loaded
from contracts import keys, properties
from contracts.blessings import INFRA_BLESSING
from contracts.decision import Check, Verdict
from contracts.provenance import Provenance
from contracts.roles import ModelRole
from contracts.serving_report import Cost, ServingBudget, ServingReport
from records import documents
from records.content import content_fingerprint
from records.served import ServedModel, read_served
from records.sessions import SIGNATURE
from schema.errors import InputError

Artifacts = dict[str, list[types.Artifact]]


class Executor(base_executor.BaseExecutor):
    """Executor of ServingValidator."""

    def Do(self, input_dict: Artifacts, output_dict: Artifacts, exec_properties: dict[str, Any]) -> None:
        """Validates the student.

        A student that cannot be served fails its checks instead of raising, so that there is
        a report to read; nothing is blessed then.

        Args:
          input_dict: model, control, examples, and optionally baseline_model.
          output_dict: blessing and report.
          exec_properties: requirements, as JSON.

        Raises:
          InputError: The control cannot be read, or there is no example to make a request of.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        requirements = Requirements.model_validate_json(exec_properties[spec.REQUIREMENTS_KEY])
        model = artifact_utils.get_single_instance(input_dict[spec.MODEL_KEY])
        model_dirs: dict[str, str] = {
            ModelRole.STUDENT: _model_dir(model),
            ModelRole.CONTROL: _model_dir(input_dict[spec.CONTROL_KEY][0]),
        }
        version = 0
        for last_blessed in input_dict.get(spec.BASELINE_KEY, []):
            model_dirs[ModelRole.LAST_BLESSED] = _model_dir(last_blessed)
            version = last_blessed.get_int_custom_property(properties.SERVED_VERSION)
        example_uris = [artifact.uri for artifact in input_dict[spec.EXAMPLES_KEY]]
        report = validate(model_dirs, example_uris, requirements, model.uri, version)
        logging.info(report.sentence)
        documents.write(artifact_utils.get_single_uri(output_dict[spec.REPORT_KEY]), report)
        blessing = artifact_utils.get_single_instance(output_dict[spec.BLESSING_KEY])
        write_blessing(blessing, model, report)
        if report.blessed:
            _write_warm_up(blessing.uri, model_dirs[ModelRole.STUDENT], example_uris, requirements)


def validate(
    model_dirs: dict[str, str], example_uris: list[str], requirements: Requirements, model_uri: str, version: int = 0
) -> ServingReport:
    """Checks the student's files, has it served, and judges.

    Args:
      model_dirs: SavedModels: `student`, `control`, and `last_blessed` where there is one.
      example_uris: Folders of Examples artifacts.
      requirements: What the surface asks.
      model_uri: The student's artifact, for the report.
      version: As which the last blessed model serves; 0 where that is not known.

    Raises:
      InputError: The control cannot be read, or there is no example to make a request of.
    """
    requests = read_requests(example_uris, requirements)
    others = {name: read_graph(path) for name, path in model_dirs.items() if name != ModelRole.STUDENT}
    checks: list[Check] = []
    budgets: list[ServingBudget] = []
    trial, graphs, fingerprint = Trial(), others, ""
    try:
        student = read_graph(model_dirs[ModelRole.STUDENT])
        fingerprint = content_fingerprint(model_dirs[ModelRole.STUDENT])
        graphs = {ModelRole.STUDENT: student, **others}
        checks += judge.graph_checks(student, others[ModelRole.CONTROL], requirements)
        if ModelRole.LAST_BLESSED in others:
            served = _served(model_dirs[ModelRole.LAST_BLESSED], version)
            checks.append(clients_check(student, served, requirements))
        trial = serve(
            model_dirs[ModelRole.STUDENT], _others(model_dirs, others, requests, requirements), requests, requirements
        )
        checks += judge.trial_checks(trial, requirements)
        budgets += judge.budgets(student, trial, requirements)
        checks += map(judge.budget_check, budgets)
    except InputError as error:
        checks.append(Check(name="files", verdict=Verdict.FAIL, sentence=str(error)))
    return ServingReport(
        surface=requirements.surface,
        blessed=all(check.verdict is Verdict.PASS for check in checks),
        sentence=judge.sentence(checks),
        model=model_uri,
        model_fingerprint=fingerprint,
        requests=len(requests.stripped),
        checks=tuple(checks),
        models=_costs(graphs, trial),
        latencies=tuple(judge.latencies(trial, requirements)),
        budgets=tuple(budgets),
    )


def write_blessing(blessing: types.Artifact, model: types.Artifact, report: ServingReport) -> None:
    """Writes a blessing as TFX's InfraValidator does, and of which model it is.

    Args:
      blessing: The InfraBlessing to fill.
      model: The model it is about.
      report: What was found.
    """
    blessing.set_string_custom_property(properties.BLESSED_MODEL, model.uri)
    blessing.set_int_custom_property(properties.BLESSED_MODEL_ID, model.id)
    blessing.set_string_custom_property(properties.MODEL_FINGERPRINT, report.model_fingerprint)
    blessing.set_string_custom_property(properties.SENTENCE, report.sentence)
    io_utils.write_string_file(f"{blessing.uri.rstrip('/')}/{INFRA_BLESSING.named(blessed=report.blessed)}", "")
    blessing.set_int_custom_property(properties.BLESSED, int(report.blessed))


def _write_warm_up(blessing: str, student: str, example_uris: list[str], requirements: Requirements) -> None:
    """Writes the requests that servers warm up with beside the blessing, from where they are pushed along."""
    (input_name,) = read_graph(student).signatures[SIGNATURE].inputs
    requests = read_requests(example_uris, requirements)
    made = warm_up.warm_up_requests(
        requirements.surface, input_name, requests.stripped, requirements.serving.batch_sizes
    )
    warm_up.write(f"{blessing.rstrip('/')}/{keys.WARM_UP_FILE}", made)


def _served(model_dir: str, version: int) -> ServedModel:
    provenance = documents.find_whole(model_dir, Provenance)
    return read_served(model_dir, version, provenance.origin.task_kinds if provenance else None)


def _others(
    model_dirs: dict[str, str], graphs: dict[str, ModelGraph], requests: Requests, requirements: Requirements
) -> list[Other]:
    """The models to compare latency with; what serves is sent the columns that it takes, which may be others."""
    limits = judge.latency_limits(requirements)
    return [
        Other(
            role=name,
            folder=path,
            limit=limits[name],
            requests=requests.with_columns(graphs[name].columns)
            if name == ModelRole.LAST_BLESSED
            else requests.stripped,
            may_refuse=name == ModelRole.LAST_BLESSED,
        )
        for name, path in model_dirs.items()
        if name in limits
    ]


def _costs(graphs: dict[str, ModelGraph], trial: Trial) -> dict[str, Cost]:
    loaded: dict[str, Loaded] = {
        **(trial.others.models if trial.others else {}),
        **({ModelRole.STUDENT: trial.loaded} if trial.loaded else {}),
    }
    return {
        name: Cost(
            megabytes=graph.megabytes,
            load_seconds=loaded[name].load_seconds if name in loaded else None,
            first_request_seconds=loaded[name].first_request_seconds if name in loaded else None,
        )
        for name, graph in graphs.items()
    }


def _model_dir(model: types.Artifact) -> str:
    return str(path_utils.serving_model_path(model.uri, path_utils.is_old_model_artifact(model)))
