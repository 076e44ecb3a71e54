"""Whether the job's results may be published."""

from __future__ import annotations

from components.teacher_labeler.faults import Reason
from components.teacher_labeler.job import JobSummary, SplitFinding
from components.teacher_labeler.plan import LabelPlan
from components.teacher_labeler.preflight import how_to_fill
from contracts.label_report import LabelReport, SplitReport
from schema.errors import InputError

_SHOWN = 3
_FATAL = (Reason.BAD_LABEL,)
_REMEDIES = {
    Reason.UNPARSABLE: "Write the files again.",
    Reason.WRONG_TYPE: "One column has one type; mend the examples.",
    Reason.WRONG_SIZE: "Set the feature's `size:` as the examples have it.",
    Reason.UNCASTABLE: "Check the feature's `dtype:` and its values.",
    Reason.BAD_LABEL: "The label of a binary task is 0 or 1, that of a multiclass task one of its classes, or it is "
    "absent; mend the examples, or the task's `kind:` or `classes:`.",
    Reason.TEACHER_FAILED: "Check that the values are such as the teacher was trained on.",
    Reason.NON_FINITE: "Check the teacher on these records, and the `default:` of its absent features.",
}


def check_summary(summary: JobSummary, plan: LabelPlan, shards: int) -> LabelReport:
    """The report, if the results are complete and good enough.

    Args:
      summary: What the workers handed back.
      plan: What was asked.
      shards: How many shards there are.

    Raises:
      InputError: A shard failed, a label is none, more than
        `max_bad_fraction` of a split's records are dead letters, or a `max_fill_rate` is exceeded.
      RuntimeError: The runner lost a shard.
    """
    if summary.failures:
        more = len(summary.failures) - _SHOWN
        tail = [f"and {more} more shards"] if more > 0 else []
        raise InputError("\n".join(sorted(summary.failures)[:_SHOWN] + tail))
    if summary.report is None or summary.shards != shards:
        raise RuntimeError(f"expected {shards} labelled shards, the Beam runner handed back {summary.shards}")
    splits = sorted(summary.report.splits)
    problems = [problem for split in splits for problem in _problems(split, summary.report, summary, plan)]
    if problems:
        raise InputError("\n".join(problems))
    return summary.report


def _problems(split: str, report: LabelReport, summary: JobSummary, plan: LabelPlan) -> list[str]:
    counted, findings = report.splits[split], summary.findings[split]
    fatal = [finding for finding in findings if finding.reason in _FATAL]
    if fatal:
        return [_describe_fatal(split, finding, counted) for finding in fatal[:_SHOWN]]
    bad, bound = sum(counted.bad.values()), plan.options.max_bad_fraction
    if bad > bound * counted.read or not counted.labelled:
        return [_describe_bound(split, counted, findings, plan, summary.examples[split])]
    return _fill_problems(split, counted, plan)


def _fill_problems(split: str, counted: SplitReport, plan: LabelPlan) -> list[str]:
    """Which limits on fill rates do not hold."""
    teacher = plan.surface.teacher
    limits = {name: feature.max_fill_rate for name, feature in teacher.features.items()}
    problems = [
        f"split {split!r}: teacher.features.{name}: {report.filled} of {report.filled + report.present} examples have "
        f"no value for it ({report.fill_rate:.2%}), more than its max_fill_rate allows ({limits[name]:.2%}). "
        "Check `from:` and the examples, or raise the limit."
        for name, report in counted.features.items()
        if _above(report.fill_rate, limits[name])
    ]
    if _above(counted.mean_fill_rate, teacher.max_fill_rate):
        most = sorted(counted.features, key=lambda name: -(counted.features[name].fill_rate or 0))[:_SHOWN]
        problems.append(
            f"split {split!r}: the teacher's features are filled in {counted.mean_fill_rate:.2%} of the examples on "
            f"average, more than teacher.max_fill_rate allows ({teacher.max_fill_rate:.2%}); most often "
            f"{', '.join(most)}. Check `from:` and the examples, or raise the limit."
        )
    return problems


def _above(rate: float | None, limit: float | None) -> bool:
    return rate is not None and limit is not None and rate > limit


def _describe_fatal(split: str, finding: SplitFinding, counted: SplitReport) -> str:
    remedy = _REMEDIES[Reason.BAD_LABEL]
    return (
        f"split {split!r}: label {finding.column!r} is not one in {finding.count} of {counted.read} examples. {remedy}"
    )


def _describe_bound(
    split: str, counted: SplitReport, findings: list[SplitFinding], plan: LabelPlan, examples: list[str]
) -> str:
    bad, bound = sum(counted.bad.values()), plan.options.max_bad_fraction
    listed = ", ".join(f"{finding.reason} {finding.column}: {finding.count}".replace(" :", ":") for finding in findings)
    remedies = dict.fromkeys(_remedy(finding, plan) for finding in findings)
    return (
        f"split {split!r}: {bad} of {counted.read} records could not be labelled ({bad / counted.read:.2%}), more than "
        f"max_bad_fraction allows ({bound:.2%}): {listed}.\nFor instance {'; '.join(examples)}.\n{' '.join(remedies)} "
        "Or raise the bound: `max_bad_fraction:` under `teacher:` in surface.yaml, or --max-bad-fraction."
    )


def _remedy(finding: SplitFinding, plan: LabelPlan) -> str:
    if finding.reason == Reason.MISSING_FEATURE:
        return how_to_fill(finding.column, plan.surface)
    return _REMEDIES[Reason(finding.reason)]
