"""`crosskd prune`: removes what no run, no rollback and no watching of the newest versions reads any more."""

from __future__ import annotations

import shutil
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from pydantic import BaseModel

from contracts import keys, nodes
from contracts.provenance import Provenance
from contracts.roles import ModelRole
from contracts.rollback_intent import RollbackIntent
from crosskd.launch import only_run_in
from crosskd.places import SERVING, in_root
from crosskd.terminal import TERMINAL
from records import documents
from records.training_states import unreferenced
from records.versions import PushedVersion, Versions
from schema.errors import InputError

if TYPE_CHECKING:
    from crosskd.runs import Run

_ARTIFACTS = "artifacts"
_DEPTH = 3
# Of a few thousand bytes each; later reports show what earlier runs came to.
_ALWAYS_KEPT = frozenset({keys.DECISION, keys.LABEL_REPORT})
# What labelling alone makes, too, for runs to come.
_OF_LABELLING = frozenset(
    {
        nodes.EXAMPLE_GEN,
        nodes.RAW_STATISTICS,
        nodes.RAW_GUARD,
        nodes.CANDIDATE_SAMPLER,
        nodes.TEACHER_LABELER,
        nodes.LABELLED_STATISTICS,
        nodes.LABELLED_GUARD,
    }
)
# What is on its way out has a name that neither TFX nor a model server takes for one of its own.
_EXPIRED = ".expired-"
_ALL_RUNS = 1_000_000


class Pruned(BaseModel):
    """What was removed, or would be; the shape of `--json`.

    Attributes:
      keep: How many runs and pushed versions of each surface were kept, the newest.
      versions: Folders of pushed versions.
      states: Folders of what runs left to continue from.
      artifacts: Folders of artifacts.
      bytes: The size of all of them.
      removed: Whether they were removed.
    """

    keep: int
    versions: list[str]
    states: list[str]
    artifacts: list[str]
    bytes: int
    removed: bool


def command(
    root: Annotated[Path, typer.Option(help="The --root that was given to `crosskd run`.")],
    keep: Annotated[
        int, typer.Option(min=2, help="Keep so many of each surface: the newest runs, and the newest pushed versions.")
    ],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be removed, and remove nothing.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> None:
    """Remove artifacts, versions and what runs left to continue from, of all runs but the newest.

    What is kept can be rolled back to, continued from and watched; the metadata and the decisions of all runs stay.
    """
    if not root.is_dir():
        raise InputError(f"{root}: no such folder. Expected the --root of a `crosskd run`.")
    with only_run_in(root), TERMINAL.quiet():
        found = prune(root, keep, remove=not dry_run)
    if as_json:
        TERMINAL.json(found.model_dump(mode="json"))
    else:
        done = "removed" if found.removed else "would be removed"
        TERMINAL.out.print(
            f"{done}: {len(found.artifacts)} artifacts, {len(found.versions)} versions, {len(found.states)} states to "
            f"continue from; {found.bytes / 1e6:,.1f} MB",
            highlight=False,
        )


def prune(root: Path, keep: int, *, remove: bool) -> Pruned:
    """Finds what has expired, and removes it.  Call it inside `only_run_in`.

    Args:
      root: The root.
      keep: How many runs and pushed versions of each surface are kept.
      remove: Whether it is removed.

    Raises:
      InputError: A rollback was stopped on its way, or what serves cannot be told.
    """
    from crosskd.runs import newest_runs

    runs = newest_runs(root, _ALL_RUNS)
    surfaces = [Versions(str(each)) for each in sorted((root / SERVING).glob("[!.]*")) if each.is_dir()]
    kept_versions = {served.base: _kept_versions(served, keep) for served in surfaces}
    pushing = {
        in_root(root, found.model).rstrip("/")
        for served in surfaces
        for found in _provenances(served, kept_versions[served.base])
    }
    newest = _newest(runs, keep)
    versions = [path for served in surfaces for path in _older(served, kept_versions[served.base])]
    states = [path for served in surfaces for path in _unreferenced(served, kept_versions[served.base])]
    artifacts = list(_expired_artifacts(root, newest, _made(root, runs, pushing)))
    everything = [*versions, *states, *artifacts]
    found = Pruned(
        keep=keep,
        versions=[str(each) for each in versions],
        states=[str(each) for each in states],
        artifacts=[str(each) for each in artifacts],
        bytes=sum(_size(each) for each in everything),
        removed=remove,
    )
    for folder in everything if remove else ():
        _remove(folder)
    return found


def _kept_versions(served: Versions, keep: int) -> list[int]:
    """The newest pushes, looking through rollbacks, and all that came after the oldest of them."""
    intent = documents.find(served.base, RollbackIntent)
    if intent is not None and not intent.completed:
        raise InputError(f"{served.base}: a rollback was stopped on its way; give `crosskd rollback` again first.")
    history = served.history(lambda version: _restored_by(served, version))
    pushes: list[PushedVersion] = [push for _, push in zip(range(keep), history, strict=False)]
    oldest = min((push.original for push in pushes), default=0)
    return [version for version in served.versions() if version >= oldest]


def _restored_by(served: Versions, version: int) -> int | None:
    found = documents.find_whole(served.path(version), Provenance)
    return found.restores if found else None


def _provenances(served: Versions, versions: Iterable[int]) -> Iterator[Provenance]:
    for version in versions:
        found = documents.find_whole(served.path(version), Provenance)
        if found is None:
            raise InputError(
                f"{served.path(version)}: expected a version that crosskd pushed, found one without provenance: what "
                "it needs cannot be told. Nothing was removed; move it away, or push or roll back to another version."
            )
        yield found


def _older(served: Versions, kept: list[int]) -> Iterator[Path]:
    yield from sorted(Path(served.base).glob(f"{_EXPIRED}*"))
    yield from (Path(served.path(version)) for version in served.versions() if version not in kept)


def _unreferenced(served: Versions, kept: list[int]) -> list[Path]:
    """What runs left to continue from of which no version that is kept knows."""
    digests = [found.training.digest for found in _provenances(served, kept) if found.training is not None]
    return unreferenced(served.base, digests)


def _newest(runs: Iterable[Run], keep: int) -> list[Run]:
    """The newest runs of each pipeline, those without an end among them."""
    counted = Counter[str]()
    found = []
    for run in runs:
        counted[run.pipeline] += 1
        found += [run] if counted[run.pipeline] <= keep else []
    return found


def _made(root: Path, runs: Iterable[Run], models: set[str]) -> Iterator[Run]:
    """The runs that trained one of these models."""
    for run in runs:
        made = run.output(nodes.trainer(ModelRole.STUDENT), keys.MODEL)
        if made and in_root(root, made[0]).rstrip("/") in models:
            yield run


def _expired_artifacts(root: Path, newest: Iterable[Run], others: Iterable[Run]) -> Iterator[Path]:
    """Folders that no run that is kept has made or read.

    What is made in labelling counts as expired when it is older than what the oldest of the newest runs read there:
    a newer one may be labels of a span that no run has trained on yet.
    """
    used = {folder for run in (*newest, *others) for folder in _folders_of(root, run)}
    oldest: dict[Path, int] = {}
    for folder in (folder for run in newest for folder in _folders_of(root, run)):
        if folder.name.isdecimal():
            oldest[folder.parent] = min(oldest.get(folder.parent, int(folder.name)), int(folder.name))
    for output in sorted((root.resolve() / _ARTIFACTS).glob("[!.]*/[!.]*")):
        if output.name in _ALWAYS_KEPT or not output.is_dir():
            continue
        labelling = nodes.of_any_span(output.parent.name) in _OF_LABELLING
        below = oldest.get(output, 0) if labelling else sys.maxsize
        yield from (folder for folder in sorted(output.iterdir()) if folder not in used and _is_old(folder, below))


def _is_old(folder: Path, below: int) -> bool:
    """Whether it is an artifact of before a number, or was on its way out."""
    return folder.name.startswith(_EXPIRED) or (folder.name.isdecimal() and int(folder.name) < below)


def _folders_of(root: Path, run: Run) -> Iterator[Path]:
    """The folders of all artifacts that a run made, or found in the cache or by a resolver: NODE/OUTPUT/EXECUTION.

    An output of several artifacts has a folder for each of them in there.
    """
    for node in run.nodes.values():
        for artifacts in node.outputs.values():
            for uri, _ in artifacts:
                parts = uri.rpartition(f"/{_ARTIFACTS}/")[2].split("/")
                yield root.resolve().joinpath(_ARTIFACTS, *parts[:_DEPTH])


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _remove(folder: Path) -> None:
    """Takes its name away first: whoever is killed on the way leaves nothing that looks like the whole."""
    expired = folder if folder.name.startswith(_EXPIRED) else folder.with_name(f"{_EXPIRED}{folder.name}")
    if expired != folder:
        folder.rename(expired)
    shutil.rmtree(expired)
