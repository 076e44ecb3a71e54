"""Executor of TeacherLabeler: checks, runs the Beam job, and publishes all of its results or none."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from absl import logging
from tfx.dsl.components.base import base_beam_executor
from tfx.types import Artifact, artifact_utils

from components.teacher_labeler import spec
from components.teacher_labeler.examples import describe_outputs, list_shards
from components.teacher_labeler.job import run_job
from components.teacher_labeler.options import LabelOptions
from components.teacher_labeler.plan import LabelPlan, LabelShard
from components.teacher_labeler.preflight import probe_kinds
from components.teacher_labeler.signature import read_signature
from components.teacher_labeler.staging import Staging
from components.teacher_labeler.verdict import check_summary
from records import documents
from records.example_artifacts import one_for_each
from records.fingerprint import fingerprint
from schema.errors import InputError
from schema.surface import DistilledSurface

Artifacts = dict[str, list[Artifact]]


class Executor(base_beam_executor.BaseBeamExecutor):
    """Labels examples with a teacher."""

    def Do(self, input_dict: Artifacts, output_dict: Artifacts, exec_properties: dict[str, Any]) -> None:
        """Labels every split of every input artifact.

        Args:
          input_dict:
            - examples: One or more Examples artifacts.
            - teacher: The teacher, a Model artifact.
          output_dict:
            - labelled_examples: Examples; becomes one artifact for each of the input.
            - label_report: LabelReport.
            - dead_letters: DeadLetters.
          exec_properties: The keys of `TeacherLabelerSpec.PARAMETERS`.

        Raises:
          InputError: The teacher does not fit the surface, the examples cannot be labelled, or
            too many of them.  Then no shard has its final name.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        examples = input_dict[spec.EXAMPLES_KEY]
        teacher = artifact_utils.get_single_uri(input_dict[spec.TEACHER_KEY])
        labelled = artifact_utils.get_single_instance(output_dict[spec.LABELLED_EXAMPLES_KEY])
        dead_letters = artifact_utils.get_single_uri(output_dict[spec.DEAD_LETTERS_KEY])
        report_uri = artifact_utils.get_single_uri(output_dict[spec.LABEL_REPORT_KEY])

        staging = Staging(labelled.uri, dead_letters)
        outputs = one_for_each(labelled, examples)
        shards = list_shards(examples, outputs, staging)
        plan = _make_plan(teacher, exec_properties, shards)
        with staging.expect(shards):
            run_job(self._make_beam_pipeline(), plan, shards, staging.marker, staging.summary)
            summary = staging.read_summary()
            label_report = check_summary(summary, plan, len(shards))
            _check_fingerprint(teacher, plan.teacher_fingerprint)  # it may have changed while it labelled
            staging.commit(summary.files)
        describe_outputs(outputs, examples, plan.teacher_fingerprint, plan.options.key_column)
        output_dict[spec.LABELLED_EXAMPLES_KEY] = outputs
        documents.write(report_uri, label_report)
        logging.info(
            "Labelled %d of %d examples, %.0f a second.",
            label_report.overall.labelled,
            label_report.overall.read,
            label_report.examples_per_second,
        )


def _make_plan(teacher_uri: str, exec_properties: dict[str, Any], shards: Sequence[LabelShard]) -> LabelPlan:
    """Checks all that can be checked before the job starts."""
    surface = DistilledSurface.model_validate_json(exec_properties[spec.SURFACE_KEY])
    options = LabelOptions(
        exec_properties[spec.BATCH_SIZE_KEY],
        exec_properties[spec.COMPRESSION_LEVEL_KEY],
        exec_properties[spec.MAX_BAD_FRACTION_KEY],
        exec_properties.get(spec.KEY_COLUMN_KEY) or "",
    )
    signature = read_signature(teacher_uri, surface.teacher)
    _check_fingerprint(teacher_uri, exec_properties[spec.TEACHER_FINGERPRINT_KEY])
    kinds = probe_kinds(shards, surface)
    return LabelPlan(surface, signature, exec_properties[spec.TEACHER_FINGERPRINT_KEY], kinds, options)


def _check_fingerprint(teacher_uri: str, expected: str) -> None:
    found = fingerprint(teacher_uri)
    if found != expected:
        raise InputError(
            f"{teacher_uri}: the teacher is not the one this run was set up with: expected fingerprint {expected!r}, "
            f"found {found!r}. Start the run again, so that it is set up with the teacher as it is."
        )
