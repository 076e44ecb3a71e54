"""The whole of it: search on the training split, then one comparison on the evaluation split."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path

from evidence import data, experiment
from evidence.arms import STUDENT, technique
from evidence.choosing import Progress
from evidence.experiment import Plan
from evidence.paths import RunPaths
from evidence.result import ExperimentResult
from evidence.search.memory import RememberingFitter
from evidence.search.result import Outcome, TuneResult
from evidence.search.search import Found, Limits, search
from evidence.search.space import AS_IT_IS, Change, Facts, Load, ways
from models.warm_start import offered_ids

CHOSEN = "chosen"
_SEARCH, _COMPARISON = "search", "comparison"


@dataclass(frozen=True)
class Ask:
    """What is asked.

    Attributes:
      plan: The comparison; its surface is the one as it is.
      limits: What the search may take.
      own: Changes of the user's own, to try beside the listed ones.
    """

    plan: Plan
    limits: Limits
    own: tuple[Change, ...] = ()


def tune(ask: Ask, paths: RunPaths, load: Load, memory: Path, progress: Progress) -> TuneResult:
    """Chooses, and compares what was chosen once.

    Args:
      ask: What is asked.
      paths: A finished run.
      load: Reads the surface with changes.
      memory: Folder that keeps what was trained, for an interrupted call that is made again.
      progress: Told one line for each way, rung, arm and seed.

    Raises:
      InputError: The plan, a change or the run cannot be used.
    """
    started = time.monotonic()
    experiment.check(ask.plan, 1)
    found = choose(ask, paths, load, memory, progress)
    plan = comparison_of(ask.plan, found)
    progress(f"comparison on the evaluation split: {told(plan)}")
    weights = memory / _COMPARISON
    compared = experiment.run(plan, [paths], progress, lambda loaded: RememberingFitter(loaded, weights, weights=True))
    for file in weights.iterdir():  # of a search that ended only the losses are kept, which are small
        file.unlink()
    weights.rmdir()
    outcome = outcome_of(found, compared)
    better = outcome is Outcome.BETTER
    return TuneResult(
        surface=ask.plan.surface.name,
        search=found.result,
        comparison=compared,
        outcome=outcome,
        written=[*found.student.sets] if better else [],
        against_control=gains(compared, CHOSEN if better else STUDENT),
        seconds=time.monotonic() - started,
    )


def choose(ask: Ask, paths: RunPaths, load: Load, memory: Path, progress: Progress) -> Found:
    """The search alone; the evaluation split's files are not opened.

    Raises:
      InputError: A change or the run cannot be used.
    """
    ask.limits.check()
    facts = Facts(
        surface=ask.plan.surface,
        columns=data.columns_of(paths),
        pairs=bool(paths.unlabelled),
        ids=offered_ids(paths.teacher) if paths.teacher else frozenset(),
        trust=data.has_what_trust_reads(ask.plan.surface, paths),
    )
    tried = ways(facts, load, ask.own)
    others = [way.surface for way in tried.students[1:]]
    loaded = data.load(ask.plan.surface, paths, techniques=others, evaluation=False)
    minutes = "" if ask.limits.minutes is None else f" or {ask.limits.minutes:g} minutes"
    progress(
        f"search on {len(loaded.fitted) + len(loaded.held_out):,} training rows: {len(others)} changes, at most "
        f"{ask.limits.trainings} trainings{minutes}; then the comparison, {told(comparison_of(ask.plan, None))}"
    )
    folder = memory / _SEARCH
    return search(tried, load, loaded, ask.limits, lambda run: RememberingFitter(run, folder, weights=False), progress)


def comparison_of(plan: Plan, found: Found | None) -> Plan:
    """The comparison of what was found; before it is known, the largest one that there may be."""
    if found is None:
        return replace(plan, techniques=(technique(CHOSEN, plan.surface),), as_written=True)
    chosen = () if found.student.name == AS_IT_IS else (technique(CHOSEN, found.student.surface),)
    return replace(plan, techniques=chosen, control=found.control.surface, as_written=True)


def told(plan: Plan) -> str:
    """How much a comparison trains, in words."""
    arms = plan.arms()
    settled = 1 + len(plan.techniques)
    most = plan.seeds * (settled + (len(arms) - settled) * (plan.tuning.settings + plan.tuning.widen))
    return f"{len(arms)} arms, at most {most} trainings"


def outcome_of(found: Found, compared: ExperimentResult) -> Outcome:
    """What the comparison says of what was chosen."""
    if found.student.name == AS_IT_IS:
        return Outcome.AS_IT_IS
    differences = [
        each.difference for each in compared.comparisons if (each.candidate, each.difference.arm) == (CHOSEN, STUDENT)
    ]
    if any(each.high < 0 for each in differences):
        return Outcome.WORSE
    return Outcome.BETTER if any(each.low > 0 for each in differences) else Outcome.NOT_SHOWN


def gains(compared: ExperimentResult, candidate: str) -> list[str]:
    """The tasks on which a candidate is shown to be better than the control."""
    return [
        each.task
        for each in compared.findings
        if each.slice is None and each.candidate == candidate and each.control is not None and each.control.low > 0
    ]
