"""`crosskd rollback`: serves again what was served before the newest push.

A model server takes the highest version number, and one that was told of a version may hold
on to it.  So nothing is removed or renamed: the earlier content is published once more,
under a number higher than all others, with a provenance that says what it restores and
what it took the place of.  Rolling back again goes further back, never forth to what was
rolled back.  The newest push stays where it is; the pipeline does not push that content a
second time, and compares no later student with it.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from contracts.rollback_intent import RollbackIntent
from crosskd.launch import only_run_in
from crosskd.places import SERVING
from crosskd.terminal import TERMINAL
from schema.errors import InputError

if TYPE_CHECKING:
    from crosskd.rolling_back import Rollback


def command(
    root: Annotated[Path | None, typer.Option(help="The --root that was given to `crosskd run`.")] = None,
    serving: Annotated[
        str | None,
        typer.Option(help="Instead, for runs on Kubeflow or Vertex: their `serving`, a folder or a URI of a bucket."),
    ] = None,
    surface: Annotated[str | None, typer.Option(help="Which surface, if several were pushed under --root.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> None:
    """Serve again what was served before the newest push."""
    announce = _print_as_json if as_json else _print
    if root is None:
        _of_deployment(serving, surface, announce)
    else:
        _of_root(root, serving, surface, announce)


def _print_as_json(done: Rollback) -> None:
    TERMINAL.json(done.model_dump(mode="json"))


def _print(done: Rollback) -> None:
    TERMINAL.out.print(
        f"{done.surface}: version {done.restores} is served again, as version {done.version}, "
        f"in place of version {done.rollback_of}: {done.destination}",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )


def _of_root(root: Path, serving: str | None, surface: str | None, announce: Callable[[Rollback], None]) -> None:
    if serving is not None:
        raise InputError(f"--serving {serving}: expected it without --root, which says itself where its models serve")
    folder = _serving_folder(root, surface)
    with only_run_in(root), TERMINAL.noise_to(root / "logs" / "rollback.log"):
        from crosskd.rolling_back import roll_back

        roll_back(root, folder, announce)


def _of_deployment(serving: str | None, surface: str | None, announce: Callable[[Rollback], None]) -> None:
    if serving is None:
        raise InputError("expected --root, of a `crosskd run`, or --serving, as of runs on Kubeflow or Vertex")
    if surface is not None:
        raise InputError(f"--surface {surface}: expected with --root; --serving {serving} is of one surface")
    with tempfile.TemporaryDirectory() as folder, TERMINAL.noise_to(Path(folder) / "rollback.log"):
        # The last import makes TFX read buckets.
        from crosskd.rolling_back import roll_back
        from records import buckets

        if not serving.startswith(("/", *buckets.SCHEMES, "gs://")):
            raise InputError(f"--serving: expected an absolute path or a bucket, found {serving!r}")
        roll_back(None, serving, announce)


def finish_pending(root: Path) -> list[Rollback]:
    """Completes the rollbacks under `root` that were stopped on their way.  Call it inside `only_run_in`.

    Raises:
      InputError: As `crosskd.rolling_back.roll_back`.
    """
    pending = sorted((root / SERVING).glob(f"*/{RollbackIntent.FILE}"))
    if not pending:
        return []
    from crosskd.rolling_back import finish

    return [done for path in pending if (done := finish(root, path.parent)) is not None]


def _serving_folder(root: Path, surface: str | None) -> Path:
    """The one folder of pushed versions that is meant."""
    serving = root / SERVING
    found = sorted(path.name for path in serving.iterdir() if path.is_dir()) if serving.is_dir() else []
    if not found:
        from crosskd.runs import metadata_of

        metadata_of(root)
        raise InputError(
            f"{serving}: nothing was pushed here yet, so there is nothing to roll back. "
            f"`crosskd summary --root {root}` says what the newest run came to."
        )
    if surface is None and len(found) > 1:
        raise InputError(f"{serving}: several surfaces were pushed ({', '.join(found)}); choose one with --surface")
    if surface is not None and surface not in found:
        raise InputError(f"--surface {surface}: nothing was pushed for it; surfaces here: {', '.join(found)}")
    return serving / (surface or found[0])
