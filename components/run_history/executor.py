"""Finds what earlier runs left, and leaves what this one came to."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Sequence
from typing import Any

from absl import logging
from tfx import types
from tfx.dsl.components.base import base_executor
from tfx.types import artifact_utils

from components.run_history import spec
from components.run_history.records import RunRecord, RunRecords, read_decision, read_labels
from contracts import properties
from contracts.decision import Decision
from contracts.label_report import LabelReport
from records import documents

Artifacts = dict[str, list[types.Artifact]]
_KEY_DIGITS = 16


class Executor(base_executor.BaseExecutor):
    """Executor of RunHistory."""

    def Do(self, input_dict: Artifacts, output_dict: Artifacts, exec_properties: dict[str, Any]) -> None:
        """Copies what earlier runs left to this run's outputs, and leaves this run's own beside it.

        A repetition of a run that comes to the same is the same run: it leaves nothing, and finds
        what came before it.

        Args:
          input_dict: decision, label_report, model_blessing.
          output_dict: earlier_decisions, earlier_label_reports; become one artifact for each run.
          exec_properties: serving, most.

        Raises:
          InputError: This run's own documents cannot be read.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        decision = documents.read(artifact_utils.get_single_uri(input_dict[spec.DECISION_KEY]), Decision)
        labels = documents.read(artifact_utils.get_single_uri(input_dict[spec.LABEL_REPORT_KEY]), LabelReport)
        key = run_key(artifact_utils.get_single_instance(input_dict[spec.BLESSING_KEY]), decision)
        records = RunRecords(exec_properties[spec.SERVING_KEY])
        earlier, is_known = before(records.all(), key)
        newest = earlier[-exec_properties[spec.MOST_KEY] :]
        output_dict[spec.DECISIONS_KEY] = _copies(output_dict[spec.DECISIONS_KEY], newest, read_decision)
        output_dict[spec.LABEL_REPORTS_KEY] = _copies(output_dict[spec.LABEL_REPORTS_KEY], newest, read_labels)
        if not is_known:
            records.leave(time.time_ns() // 1_000_000, key, decision, labels)
        logging.info("Found %d earlier runs at %s.", len(newest), exec_properties[spec.SERVING_KEY])


def run_key(blessing: types.Artifact, decision: Decision) -> str:
    """Which run it is: the model that was judged, and what was asked and decided."""
    asked = [
        [gate.task, gate.metric, gate.kind, gate.slice, gate.bound, gate.at_most, gate.verdict]
        for gate in decision.gates
    ]
    model = blessing.get_string_custom_property(properties.BLESSED_MODEL)
    content = json.dumps([model, decision.blessed, asked])
    return hashlib.sha256(content.encode()).hexdigest()[:_KEY_DIGITS]


def before(records: Sequence[RunRecord], key: str) -> tuple[list[RunRecord], bool]:
    """The runs before this one, and whether it left its record already."""
    place = next((place for place, each in enumerate(records) if each.key == key), None)
    return list(records[:place]), place is not None


def _copies(
    outputs: list[types.Artifact], records: Sequence[RunRecord], read: Callable[[RunRecord], Any]
) -> list[types.Artifact]:
    """One output for each record that can be read; else the one output, which stands for none."""
    output = artifact_utils.get_single_instance(outputs)
    found = [(record, document) for record in records if (document := read(record)) is not None]
    if not found:
        output.set_int_custom_property(properties.ABSENT, 1)
        return [output]
    copies = list(artifact_utils.replicate_artifacts(output, len(found)))
    for copy, (record, document) in zip(copies, found, strict=True):
        documents.write(copy.uri, document)
        copy.set_int_custom_property(properties.RECORDED_AT, record.recorded_at)
    return copies
