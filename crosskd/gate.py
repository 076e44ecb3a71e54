"""`crosskd gate`: why the newest student may serve, or may not, and which gates the runs so far suggest."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from contracts.outcome import Exit
from crosskd.terminal import TERMINAL, VERDICT_MARKS
from schema.score import SCORE

if TYPE_CHECKING:
    from crosskd.suggestions import PastRun, Suggestion

_RUNS_READ = 50


def command(
    root: Annotated[Path, typer.Option(help="The --root that was given to `crosskd run`.")],
    explain: Annotated[bool, typer.Option("--explain", help="Say for every gate what was asked and found.")] = False,
    suggest: Annotated[
        bool, typer.Option("--suggest", help="Propose bounds from the runs so far; writes nothing.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the whole decision as JSON.")] = False,
) -> None:
    """Show the decision about the newest student: blessed or not, and by which gates."""
    if suggest:
        _suggest(root, as_json)
        return
    from crosskd.summary import quiet_summary

    decision = quiet_summary(root, as_json).decision
    if as_json:
        TERMINAL.json(decision.model_dump(mode="json"))
    else:
        TERMINAL.out.print(decision.sentence, markup=False, highlight=False, soft_wrap=True)
        for part in (*decision.gates, *decision.checks) if explain else ():
            TERMINAL.out.print(VERDICT_MARKS[part.verdict.value], end="  ")
            TERMINAL.out.print(part.sentence, markup=False, highlight=False, soft_wrap=True)
    raise typer.Exit(Exit.OK if decision.blessed else Exit.NOT_BLESSED)


def _suggest(root: Path, as_json: bool) -> None:
    from crosskd.suggestions import suggest

    runs = past_runs(root)
    found = list(suggest(runs))
    if as_json:
        TERMINAL.json([_as_json(each) for each in found])
        return
    blessed = sum(run.decision.blessed for run in runs)
    TERMINAL.out.print(f"From {len(runs)} runs, {blessed} of them blessed. Nothing was written.", highlight=False)
    for task in dict.fromkeys(each.task for each in found):
        of = SCORE if task == SCORE else f"tasks.{task}"
        TERMINAL.out.print(f"{of}.gates:", markup=False, highlight=False)
        for each in (one for one in found if one.task == task):
            TERMINAL.out.print(f"  {each.as_yaml()}  # {_told(each)}", markup=False, highlight=False, soft_wrap=True)


def _as_json(found: Suggestion) -> dict[str, object]:
    gate = found.gate.model_dump(mode="json", exclude_defaults=True)
    return {"task": found.task, "gate": gate, "passed": found.passed, "failed": list(found.failed)}


def _told(found: Suggestion) -> str:
    of = found.passed + len(found.failed)
    failed = f"; not {', '.join(found.failed)}" if found.failed else ""
    return f"{found.passed} of {of} runs would have passed{failed}"


def past_runs(root: Path) -> list[PastRun]:
    """The runs under a root that came to a decision, the newest first.

    Raises:
      InputError: There is none.
    """
    from contracts import keys, nodes
    from contracts.decision import Decision
    from crosskd.runs import newest_runs
    from crosskd.suggestions import PastRun
    from records import documents
    from schema.errors import InputError

    uris = {run.run_id: run.output(nodes.BLESSING_GATE, keys.DECISION) for run in newest_runs(root, _RUNS_READ)}
    found = [PastRun(run_id, documents.read(uri[0], Decision)) for run_id, uri in uris.items() if uri is not None]
    if not found:
        raise InputError(f"{root}: no run came to a decision yet, so that there is nothing to go by.")
    return found
