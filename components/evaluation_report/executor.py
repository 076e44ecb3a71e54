"""Reads what a run left, and writes the page."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from importlib.metadata import version
from typing import Any, TypeVar

from absl import logging
from tfx import types
from tfx.dsl.components.base import base_executor
from tfx.types import artifact_utils
from tfx.utils import io_utils

from components.evaluation_report import provenance, shifts, sources, spec, times
from components.evaluation_report.charts import CONTROL, LAST_BLESSED, STUDENT
from components.evaluation_report.configuration import NO_RUN_BEFORE
from components.evaluation_report.contents import compose
from components.evaluation_report.page import render
from components.evaluation_report.sources import Shift, Sources
from contracts import keys, properties
from contracts.continuation import Continued
from contracts.decision import Decision
from contracts.held_out import HeldOut
from contracts.label_report import LabelReport
from contracts.measurements import Measurements
from contracts.provenance import Origin
from contracts.serving_report import ServingReport
from evaluation import results as evaluations
from records import documents
from schema.errors import InputError
from schema.surface import Surface

Artifacts = dict[str, list[types.Artifact]]
Found = TypeVar("Found")


class Executor(base_executor.BaseExecutor):
    """Executor of EvaluationReport."""

    def Do(self, input_dict: Artifacts, output_dict: Artifacts, exec_properties: dict[str, Any]) -> None:
        """Writes the page.

        Whatever cannot be read is left out, and the page says so: the report matters most
        when something is wrong.

        Args:
          input_dict: As `spec.EvaluationReportSpec.INPUTS`.
          output_dict: page.
          exec_properties: surface and origin, as JSON.

        Raises:
          InputError: There is no decision to report.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        found = read_sources(input_dict, exec_properties)
        path = f"{artifact_utils.get_single_uri(output_dict[spec.PAGE_KEY]).rstrip('/')}/{keys.PAGE_FILE}"
        io_utils.write_string_file(path, render(compose(found)))
        logging.info("The report is %s", path)


def read_sources(input_dict: Artifacts, exec_properties: dict[str, Any]) -> Sources:
    """Everything that the page is made of, from the component's inputs."""
    surface = Surface.model_validate_json(exec_properties[spec.SURFACE_KEY])
    decision = input_dict[spec.DECISION_KEY][0]
    labels = input_dict[spec.LABEL_REPORT_KEY][0]
    against_last, against_control = (
        input_dict[key][0].uri for key in (spec.EVALUATION_KEY, spec.CONTROL_EVALUATION_KEY)
    )
    runs = {STUDENT: spec.STUDENT_RUN_KEY, CONTROL: spec.CONTROL_RUN_KEY}
    statistics = input_dict.get(spec.STATISTICS_KEY)
    curves = {
        **(_readable(sources.read_curves, against_last, LAST_BLESSED) or {}),
        **(_readable(sources.read_curves, against_control, CONTROL) or {}),
    }
    decisions = list(_dated(input_dict.get(spec.EARLIER_DECISIONS_KEY, []), decision, Decision))
    return Sources(
        surface=surface,
        decision=documents.read(decision.uri, Decision),
        when=_when(decision),
        against_last=_evaluation(against_last),
        against_control=_evaluation(against_control),
        labels=_readable(documents.read, labels.uri, LabelReport),
        serving=_readable(documents.read, input_dict[spec.SERVING_REPORT_KEY][0].uri, ServingReport),
        histories={model: _readable(sources.read_history, input_dict[key][0].uri) or {} for model, key in runs.items()},
        continued=_continued({model: input_dict[key][0].uri for model, key in runs.items()}),
        held_out=_readable(documents.find, input_dict[runs[CONTROL]][0].uri, HeldOut),
        curves=curves,
        hard_labels=(_readable(sources.read_hard_labels, statistics[0].uri, surface) or {}) if statistics else {},
        decisions=decisions,
        label_reports=list(_dated(input_dict.get(spec.EARLIER_LABEL_REPORTS_KEY, []), labels, LabelReport)),
        facts=_facts(input_dict, exec_properties),
        push=_push(input_dict),
        measurements=_measurements(exec_properties.get(spec.MEASUREMENTS_KEY) or ""),
        shifts=_shifts([each for _, each in decisions]),
        version=version("crosskd"),
    )


def _readable(read: Callable[..., Found], *arguments: Any) -> Found | None:
    """What `read` finds; None, and a line in the log, if it cannot be read."""
    try:
        return read(*arguments)
    except InputError as error:
        logging.warning("The report goes without it: %s", error)
        return None


def _continued(runs: Mapping[str, str]) -> dict[str, Continued]:
    """What went on from an earlier run, by model."""
    found = {model: _readable(documents.find, uri, Continued) for model, uri in runs.items()}
    return {model: each for model, each in found.items() if each}


def _measurements(folder: str) -> Measurements | str:
    """What the runner measured so far."""
    if not folder:
        return (
            "This backend runs each node in a container of its own, and no node sees what the others took: its own "
            "pages say how long each one ran and how much memory it held."
        )
    return documents.find_whole(folder, Measurements) or "The runner of this run did not measure its nodes."


def _shifts(decisions: list[Decision]) -> list[Shift] | str:
    """How features moved between the examples of the last two decisions, by the statistics that these name."""
    if len(decisions) < 2:
        return NO_RUN_BEFORE
    before, now = (each.made_of.statistics if each.made_of else None for each in decisions[-2:])
    if not before or not now:
        return "Which examples the last run trained on is not known: its version of crosskd did not note it."
    if before == now:
        return "The last run had the same examples."
    try:
        return shifts.shifts(*(shifts.read_statistics(uri) for uri in (before, now)))
    except InputError as error:
        return f"The features cannot be compared with those of the last run: {error}"


def _evaluation(uri: str) -> evaluations.Evaluation | str:
    try:
        return evaluations.read(uri)
    except InputError as error:
        return str(error)


def _dated(
    earlier: list[types.Artifact], own: types.Artifact, kind: type[documents.Read]
) -> Iterator[tuple[datetime | None, documents.Read]]:
    """Documents that can still be read, oldest first, each with when it was written."""
    for artifact in [*sorted(earlier, key=lambda each: (_milliseconds(each), int(each.id))), own]:
        found = _readable(documents.read, artifact.uri, kind)
        if found is not None:
            yield _when(artifact), found


def _when(artifact: types.Artifact) -> datetime | None:
    return times.from_milliseconds(_milliseconds(artifact))


def _milliseconds(artifact: types.Artifact) -> int:
    """When a document was written; 0 where nobody knows.

    Only local metadata say it of every artifact, and of one that stands for another run's, wrongly.
    """
    recorded = artifact.get_int_custom_property(properties.RECORDED_AT)
    return int(recorded or artifact.mlmd_artifact.create_time_since_epoch)


def _push(input_dict: Artifacts) -> str:
    """What the pusher says of the student."""
    pushed = input_dict.get(spec.PUSHED_MODEL_KEY)
    return str(pushed[0].get_string_custom_property(properties.SENTENCE)) if pushed else ""


def _facts(input_dict: Artifacts, exec_properties: dict[str, Any]) -> dict[str, str]:
    origin = Origin.model_validate_json(exec_properties[spec.ORIGIN_KEY]).model_dump(exclude={"task_kinds"})
    folders = {
        name.replace("_", " "): artifacts[0].uri for name, artifacts in input_dict.items() if len(artifacts) == 1
    }
    return {
        **{name.replace("_", " "): str(value) for name, value in origin.items() if value},
        **folders,
        **provenance.versions(),
    }
