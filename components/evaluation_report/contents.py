"""Puts the whole page together."""

from __future__ import annotations

from collections import Counter

from components.evaluation_report import (
    calibration,
    configuration,
    drift,
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
from contracts.decision import Verdict

_SECTIONS = (tasks, gates, slices, calibration, labels, drift, training, serving, history, configuration, provenance)


def compose(sources: Sources) -> ReportPage:
    """The page about a run."""
    return ReportPage(
        surface=sources.decision.surface,
        blessed=sources.decision.blessed,
        sentence=sources.decision.sentence,
        push=sources.push,
        when=when_text(sources.when),
        facts=_facts(sources),
        sections=tuple(module.section(sources) for module in _SECTIONS),
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
            Fact("p99 latency", f"{worst.p99_ratio:.2f} times", f"the {against}'s; at most {worst.limit:g} is allowed")
        )
    return tuple(facts)


def _gates_fact(sources: Sources) -> Fact:
    found = Counter(gate.verdict for gate in sources.decision.gates)
    detail = f"{found[Verdict.FAIL]} failed, {found[Verdict.NOT_JUDGED]} not judged"
    return Fact("Gates passed", f"{found[Verdict.PASS]} of {found.total()}", detail)


def _control_fact(sources: Sources) -> Fact:
    """In how many tasks the student is better or worse than the control by more than chance."""
    changes = [sources.change(task, CONTROL) for task in sources.judged]
    better = sum(each is not None and each.lower is not None and each.lower > 0 for each in changes)
    worse = sum(each is not None and each.upper is not None and each.upper < 0 for each in changes)
    detail = f"beyond the 95% interval; {worse} worse"
    return Fact("Tasks better than the control", f"{better} of {len(changes)}", detail)
