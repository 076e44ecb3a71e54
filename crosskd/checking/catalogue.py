"""Checks of a sample of a catalogue: what CandidateSampler would find later."""

from __future__ import annotations

from components.candidate_sampler.catalogue import expect_side
from components.candidate_sampler.records import Reader
from crosskd.checking.findings import CheckReport
from crosskd.checking.sample import Sample
from schema.candidates import CANDIDATES
from schema.errors import InputError
from schema.loader import SurfaceFolder
from schema.pairs import catalogue_columns, pair_plan


def check_catalogue(loaded: SurfaceFolder, sample: Sample, report: CheckReport) -> None:
    """Checks that people or items have the columns of their side.

    Args:
      loaded: The surface.
      sample: Rows of the catalogue; candidates, which are whole pairs, are passed over.
      report: Takes what is found.
    """
    if sample.split == CANDIDATES or loaded.surface.unlabelled is None:
        return
    plan = pair_plan(loaded.surface)
    try:
        batch = Reader(loaded.schema, catalogue_columns(plan, sample.split)).decode(sample.records, sample.folder)
        expect_side(batch, sample.split, plan, loaded.schema, sample.folder)
    except InputError as error:
        report.problem(str(error))
