"""Executor of CandidateSampler."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

from absl import logging
from tfx.dsl.components.base import base_beam_executor
from tfx.dsl.io import fileio
from tfx.types import Artifact, artifact_utils
from tfx.utils import io_utils

from components.candidate_sampler import files, spec
from components.candidate_sampler.job import PairSummary, run_job
from contracts.candidate_report import CandidateReport
from records import documents
from records.buckets import locally
from records.example_artifacts import one_for_each
from records.fingerprint import fingerprint
from schema.candidates import CANDIDATES, PAIRS_FROM, UNLABELLED_SPLIT, fingerprint_key
from schema.errors import InputError
from schema.pairs import PairPlan

_SUMMARY_FILE = ".summary.json"

Artifacts = dict[str, list[Artifact]]


class Executor(base_beam_executor.BaseBeamExecutor):
    """Adds pairs that were never shown to examples."""

    def Do(self, input_dict: Artifacts, output_dict: Artifacts, exec_properties: dict[str, Any]) -> None:
        """Writes the split `unlabelled` beside the splits of every input artifact.

        Args:
          input_dict:
            - examples: One or more Examples artifacts with the splits `train` and `eval`.
            - schema: Their TFDV schema.
          output_dict:
            - extended_examples: Examples; becomes one artifact for each of the input.
            - candidate_report: CandidateReport.
          exec_properties: The keys of `CandidateSamplerSpec.PARAMETERS`.

        Raises:
          InputError: The examples, the candidates or a catalogue cannot be used, or no pair is left.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        plan = PairPlan.model_validate_json(exec_properties[spec.PLAN_KEY])
        given = {name: uri for name in PAIRS_FROM if (uri := exec_properties.get(name))}
        examples = input_dict[spec.EXAMPLES_KEY]
        schema_uri = artifact_utils.get_single_uri(input_dict[spec.SCHEMA_KEY])
        schema = io_utils.SchemaReader().read(io_utils.get_only_uri_in_dir(schema_uri))
        extended = artifact_utils.get_single_instance(output_dict[spec.EXTENDED_EXAMPLES_KEY])
        report_uri = artifact_utils.get_single_uri(output_dict[spec.REPORT_KEY])

        outputs = one_for_each(extended, examples)
        files.describe(outputs, examples)
        sources = files.list_sources(examples)
        files.pass_through(examples, outputs)
        fileio.makedirs(report_uri)
        summary = f"{report_uri}/{_SUMMARY_FILE}"
        with _at_hand(given) as at_hand:
            for name, uri in given.items():
                _check_unchanged(name, uri, exec_properties[fingerprint_key(name)])
            catalogues = files.list_catalogues(given, at_hand)
            if CANDIDATES in given:
                shards = files.shards_of_logs(at_hand[CANDIDATES], outputs)
            else:
                shards = files.shards_of_examples(examples, outputs, catalogues)
            logs = given.get(CANDIDATES)
            run_job(self._make_beam_pipeline(), plan, schema, sources, catalogues, shards, logs, summary)
        found = _checked(summary)
        documents.write(report_uri, found)
        output_dict[spec.EXTENDED_EXAMPLES_KEY] = outputs
        logging.info("Kept %d of %d pairs as the split %s.", found.kept, found.drawn, UNLABELLED_SPLIT)


@contextmanager
def _at_hand(given: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """The folders that pairs are made of, where Beam reads them."""
    with ExitStack() as stack:
        yield {name: stack.enter_context(locally(uri)) for name, uri in given.items()}


def _check_unchanged(name: str, uri: str, expected: str) -> None:
    """Checks that what pairs are made of is what a cache knows this run by.

    Raises:
      InputError: It is something else.
    """
    found = fingerprint(uri)
    if found != expected:
        raise InputError(
            f"{name} {uri}: expected the fingerprint {expected}, found {found}: they have changed since the run "
            "was asked for. Start the run again; `crosskd fingerprint` prints it."
        )


def _checked(path: str) -> CandidateReport:
    with fileio.open(path, "r") as file:
        summary = PairSummary.model_validate_json(file.read())
    fileio.remove(path)
    found = summary.report
    if summary.failures or found is None:
        raise InputError("\n".join(summary.failures))
    if not found.kept:
        raise InputError(
            f"unlabelled: none of {found.drawn} pairs from {found.source} can be used: {found.shown} are in the "
            f"training split, {found.evaluated} in the evaluation split, {found.labelled} have a label. Leave "
            "`unlabelled:` out of surface.yaml if everything was shown to everyone."
        )
    return found
