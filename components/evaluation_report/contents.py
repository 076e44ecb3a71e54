"""Puts the whole page together."""

from __future__ import annotations

from collections import Counter

from components.evaluation_report import (
    calibration,
    configuration,
    drift,
    durations,
    explore,
    feature_drift,
    gates,
    history,
    labels,
    provenance,
    serving,
    slices,
    tasks,
    training,
)
from components.evaluation_report.charts import CONTROL
from components.evaluation_report.page import Fact, ReportPage
from components.evaluation_report.sources import Sources
from components.evaluation_report.times import when_text
from contracts.decision import BoundKind, Verdict

_SECTIONS = (
    *(tasks, gates, slices, explore, calibration, labels, drift, feature_drift, training, serving, history),
    *(durations, configuration, provenance),
)


def compose(sources: Sources) -> ReportPage:
    """The page about a run."""
    return ReportPage(
        surface=sources.decision.surface,
        blessed=sources.decision.blessed,
        sentence=sources.decision.sentence,
        push=sources.push,
        when=when_text(sources.when),
        version=sources.version,
        caution=_caution(sources),
        facts=_facts(sources),
        sections=tuple(module.section(sources) for module in _SECTIONS),
    )


def _caution(sources: Sources) -> str:
    """What one run does not tell, and what a weak teacher may do."""
    weak = [name for name in sources.surface.tasks if tasks.teacher_is_worse(sources, name)]
    warned = (
        f" The teacher is worse than the control on {', '.join(weak)}: there its labels may do harm." if weak else ""
    )
    return (
        "One run is one draw: its intervals are of the evaluation rows, and another seed moves the models themselves. "
        f"Whether distillation helps says crosskd experiment --surface {sources.decision.surface} --root ROOT --out "
        f"OUT, over seeds and against placebos.{warned}"
    )


def _facts(sources: Sources) -> tuple[Fact, ...]:
    facts = [_gates_fact(sources), _control_fact(sources)]
    if sources.labels is not None:
        overall = sources.labels.overall
        filled = "" if overall.fill_rate is None else f"{overall.fill_rate:.0%} of the teacher's inputs are filled"
        share = f"{overall.labelled / overall.read:.1%}".replace(".0%", "%") if overall.read else "none"
        facts.append(Fact("Labelled by the teacher", share, filled))
    if sources.serving is not None and sources.serving.latencies:
        worst = max(sources.serving.latencies, key=lambda each: each.p99_ratio / each.limit)
        against = worst.against.replace("_", " ")
        facts.append(
            Fact(
                "p99 latency",
                f"{worst.p99_ratio:.2f} times",
                f"the {against}'s ({worst.student_p99_ms:.2g} ms and {worst.other_p99_ms:.2g} ms); at most "
                f"{worst.limit:g} times is allowed",
            )
        )
    return tuple(facts)


def _gates_fact(sources: Sources) -> Fact:
    """What a first run cannot be asked, for want of a model that serves, does not count as not passed."""
    first = bool(sources.decision.first_run)
    asked = [gate for gate in sources.decision.gates if not (first and gate.kind is BoundKind.LAST_BLESSED)]
    found = Counter(gate.verdict for gate in asked)
    detail = f"{found[Verdict.FAIL]} failed, {found[Verdict.NOT_JUDGED]} not judged"
    left = len(sources.decision.gates) - len(asked)
    if left:
        detail += f"; no baseline yet for {left} more"
    return Fact("Gates passed", f"{found[Verdict.PASS]} of {found.total()}", detail)


def _control_fact(sources: Sources) -> Fact:
    """In how many tasks the student is better or worse than the control by more than chance."""
    changes = [sources.change(task, CONTROL) for task in sources.judged]
    better = sum(each is not None and each.lower is not None and each.lower > 0 for each in changes)
    worse = sum(each is not None and each.upper is not None and each.upper < 0 for each in changes)
    detail = f"beyond the 95% interval; {worse} worse"
    return Fact("Tasks better than the control", f"{better} of {len(changes)}", detail)
