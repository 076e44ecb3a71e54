"""Checks of a teacher on a sample: what TeacherLabeler would find later, or never."""

from __future__ import annotations

from collections.abc import Sequence

from components.teacher_labeler.faults import Reason
from components.teacher_labeler.inspection import Inspection, inspect
from components.teacher_labeler.preflight import how_to_fill
from components.teacher_labeler.program import TeacherProgram
from components.teacher_labeler.trial import TRIED_RECORDS, check_answers, load_for
from crosskd.checking.findings import CheckReport, InputRates, surely_above
from crosskd.checking.sample import Sample
from schema.checks import Problems
from schema.surface import DistilledSurface

# Of ids that are hardly known, there is nothing to learn: they are numbered otherwise.
_FEW_KNOWN = 0.1


def check_teacher(surface: DistilledSurface, teacher: str, samples: Sequence[Sample], report: CheckReport) -> None:
    """Loads the teacher and tries it on samples.

    Args:
      surface: The surface.
      teacher: The teacher's SavedModel.
      samples: The samples of all splits; those without a record are passed over.
      report: Takes rates and findings.
    """
    tried = [sample for sample in samples if sample.records]
    if not tried:
        return
    problems = Problems()
    with problems.noted():
        everything = [record for sample in tried for record in sample.records]
        program = load_for(surface, teacher, everything, tried[0].folder)
        for sample in tried:
            _check_inputs(sample, inspect(program, sample.records), program, report)
        check_answers(program, tried[0].records[:TRIED_RECORDS])
    report.problem(*problems.found)


def _check_inputs(sample: Sample, found: Inspection, program: TeacherProgram, report: CheckReport) -> None:
    for name, each in found.inputs.items():
        with_value = found.adapted - each.filled
        known = None if each.unknown is None or not with_value else 1 - each.unknown / with_value
        rates = InputRates(
            split=sample.split,
            name=name,
            fill_rate=each.filled / found.adapted,
            unmapped_rate=each.unmapped / found.adapted,
            known_rate=known,
        )
        report.inputs.append(rates)
        if known is not None and known < _FEW_KNOWN:
            report.warning(
                f"split {sample.split}: teacher.features.{name}: the teacher knows {known:.1%} of the ids in the "
                "sample. Do teacher and target number them alike? If not, give `vocabulary:`, a file of both"
            )
    _check_fill_rates(sample, found, program.plan.surface, report)
    _check_faults(sample, found, program.plan.surface, report)


def _check_fill_rates(sample: Sample, found: Inspection, surface: DistilledSurface, report: CheckReport) -> None:
    for name, each in found.inputs.items():
        limit = surface.teacher.features[name].max_fill_rate
        if limit is not None and surely_above(each.filled, found.adapted, limit, whole=sample.whole):
            report.problem(
                f"split {sample.split}: teacher.features.{name}: {each.filled:,} of {found.adapted:,} examples have no "
                f"value for it, more than its max_fill_rate allows ({limit:.2%})"
            )
    rates = [each.filled / found.adapted for each in found.inputs.values()]
    limit, mean = surface.teacher.max_fill_rate, sum(rates) / len(rates) if rates else 0.0
    if limit is not None and mean > limit:
        report.add(
            f"split {sample.split}: teacher.max_fill_rate: {mean:.2%} of the values of the teacher's inputs are "
            f"filled, more than is allowed ({limit:.2%})",
            certain=sample.whole,
        )


def _check_faults(sample: Sample, found: Inspection, surface: DistilledSurface, report: CheckReport) -> None:
    """Records that would be dead letters; a label that is none fails labelling however rare it is."""
    rows, bound = len(sample.records), surface.teacher.max_bad_fraction
    surely = surely_above(sum(found.faults.values()), rows, bound, whole=sample.whole)
    for (reason, column), count in found.faults.most_common():
        remedy = how_to_fill(column, surface) if reason is Reason.MISSING_FEATURE else ""
        report.add(
            f"split {sample.split}: {count:,} of {rows:,} sampled records cannot be labelled: "
            f"{found.examples[reason, column].detail}. {remedy}".rstrip(),
            certain=surely or reason is Reason.BAD_LABEL,
        )
