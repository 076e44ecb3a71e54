"""Reads the evidence, has it judged, and writes decision and blessing."""

from __future__ import annotations

import json
import time
from importlib.metadata import version
from typing import Any

from absl import logging
from tfx import types
from tfx.dsl.components.base import base_executor
from tfx.types import artifact_utils
from tfx.utils import io_utils, path_utils

from components.blessing_gate import spec
from components.blessing_gate.checks import Evidence
from components.blessing_gate.judge import decide
from components.blessing_gate.teacher import age_check, age_of
from contracts import properties
from contracts.blessings import MODEL_BLESSING
from contracts.decision import Check, Decision, MadeOf, Verdict
from contracts.label_report import LabelReport
from contracts.provenance import Provenance
from evaluation import results
from records import documents
from records.served import ServedModel, read_served
from schema.errors import InputError
from schema.surface import Surface

Artifacts = dict[str, list[types.Artifact]]


class Executor(base_executor.BaseExecutor):
    """Executor of BlessingGate."""

    def Do(self, input_dict: Artifacts, output_dict: Artifacts, exec_properties: dict[str, Any]) -> None:
        """Judges the gates.

        An evaluation or report that cannot be read fails the gate instead of raising, so
        that there is a decision to read; nothing is blessed then.

        Args:
          input_dict: model, evaluation, control_evaluation, and optionally label_report,
            infra_blessing, baseline_model and statistics, one artifact each.
          output_dict: blessing and decision.
          exec_properties: surface, as JSON; serving, teacher and data_span, for the teacher's age.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        surface = Surface.model_validate_json(exec_properties[spec.SURFACE_KEY])
        model = artifact_utils.get_single_instance(input_dict[spec.MODEL_KEY])
        age = age_of(
            *(exec_properties.get(key) or "" for key in (spec.SERVING_KEY, spec.TEACHER_KEY, spec.DATA_SPAN_KEY))
        )
        evidence = Evidence(
            last_blessed=read_evaluation(_uri(input_dict, spec.EVALUATION_KEY), model.uri),
            control=read_evaluation(_uri(input_dict, spec.CONTROL_EVALUATION_KEY), model.uri),
            checks=(*_label_checks(input_dict), *_serving_checks(input_dict), *age_check(surface.teacher_age, age)),
            served=_served(input_dict),
        )
        noted = {"made_of": _made_of(input_dict, surface), "teacher_age": age}
        decision = decide(surface, evidence).model_copy(update=noted)
        logging.info(decision.sentence)
        decided = artifact_utils.get_single_instance(output_dict[spec.DECISION_KEY])
        documents.write(decided.uri, decision)
        decided.set_int_custom_property(properties.RECORDED_AT, time.time_ns() // 1_000_000)
        blessing = artifact_utils.get_single_instance(output_dict[spec.BLESSING_KEY])
        write_blessing(blessing, model, decision, exec_properties.get("current_component_id"))


def read_evaluation(uri: str, model_uri: str) -> results.Evaluation | str:
    """Reads an evaluation of the model at `model_uri`.

    Returns:
      The evaluation, or why there is none.
    """
    try:
        found = results.read(uri)
    except InputError as error:
        return str(error)
    if not found.model.startswith(model_uri.rstrip("/") + "/"):
        return f"{uri}: it evaluates {found.model}, which is not the student at {model_uri}. Run the Evaluator again."
    return found


def write_blessing(
    blessing: types.Artifact, model: types.Artifact, decision: Decision, component_id: str | None = None
) -> None:
    """Writes a blessing as TFX's Evaluator does, for Pusher and LatestBlessedModelStrategy.

    Args:
      blessing: The ModelBlessing to fill.
      model: The model it is about.
      decision: The decision.
      component_id: Id of the component that blesses.
    """
    blessing.set_string_custom_property(properties.BLESSED_MODEL, model.uri)
    blessing.set_int_custom_property(properties.BLESSED_MODEL_ID, model.id)
    if component_id:
        blessing.set_string_custom_property("component_id", component_id)
    io_utils.write_string_file(f"{blessing.uri.rstrip('/')}/{MODEL_BLESSING.named(blessed=decision.blessed)}", "")
    blessing.set_int_custom_property(properties.BLESSED, int(decision.blessed))


def _uri(input_dict: Artifacts, key: str) -> str:
    return str(artifact_utils.get_single_uri(input_dict[key]))


def _served(input_dict: Artifacts) -> ServedModel | None:
    """The model that serves; None where there is none."""
    artifacts = input_dict.get(spec.BASELINE_KEY)
    if not artifacts:
        return None
    model = artifact_utils.get_single_instance(artifacts)
    folder = path_utils.serving_model_path(model.uri, path_utils.is_old_model_artifact(model))
    provenance = documents.find_whole(folder, Provenance)
    version = model.get_int_custom_property(properties.SERVED_VERSION)
    return read_served(folder, version, provenance.origin.task_kinds if provenance else None)


def _made_of(input_dict: Artifacts, surface: Surface) -> MadeOf:
    has_statistics = input_dict.get(spec.STATISTICS_KEY)
    return MadeOf(
        version=version("crosskd"),
        configuration=json.loads(surface.model_dump_json(by_alias=True)),
        statistics=_uri(input_dict, spec.STATISTICS_KEY) if has_statistics else None,
    )


def _label_checks(input_dict: Artifacts) -> list[Check]:
    if not input_dict.get(spec.LABEL_REPORT_KEY):
        return []
    try:
        labels = documents.read(_uri(input_dict, spec.LABEL_REPORT_KEY), LabelReport).overall
    except InputError as error:
        return [Check(name="soft labels", verdict=Verdict.FAIL, sentence=str(error))]
    verdict = Verdict.PASS if labels.labelled else Verdict.FAIL
    text = f"Soft labels: {labels.labelled:,} of {labels.read:,} examples are labelled."
    return [Check(name="soft labels", verdict=verdict, sentence=text)]


def _serving_checks(input_dict: Artifacts) -> list[Check]:
    artifacts = input_dict.get(spec.INFRA_BLESSING_KEY)
    if not artifacts:
        return []
    blessing = artifact_utils.get_single_instance(artifacts)
    blessed = blessing.get_int_custom_property(properties.BLESSED) == 1
    text = "The student can be served." if blessed else "The student failed the serving validation."
    # ServingValidator says which of its checks failed; TFX's InfraValidator says nothing.
    text = blessing.get_string_custom_property(properties.SENTENCE) or text
    return [Check(name="serving", verdict=Verdict.PASS if blessed else Verdict.FAIL, sentence=text)]
