"""`crosskd run`: the whole pipeline, from examples and a teacher to a pushed student."""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from crosskd.terminal import TERMINAL, Exit, seconds
from schema.errors import InputError

if TYPE_CHECKING:
    from pipeline.settings import Settings

_SAVED_MODEL = "saved_model.pb"


class RunnerName(StrEnum):
    """Which local runner orchestrates; the same names as `pipeline.runners.Runner`."""

    BEAM = "beam"
    LOCAL = "local"


def command(
    surface: Annotated[str, typer.Option(help="Surface folder, or the name of a surface that crosskd ships.")],
    examples: Annotated[Path, typer.Option(help="Folder with train/ and eval/, gzipped TFRecords of tf.Example.")],
    teacher: Annotated[Path, typer.Option(help="The teacher's SavedModel.")],
    root: Annotated[Path, typer.Option(help="Folder for artifacts, metadata, logs and pushed models.")],
    runner: Annotated[RunnerName, typer.Option(help="Orchestrator.")] = RunnerName.BEAM,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
    beam_args: Annotated[list[str] | None, typer.Argument(help="Arguments for Beam, after `--`.")] = None,
) -> None:
    """Run the pipeline: label, train student and control, evaluate, gate, push."""
    raise typer.Exit(run(surface, examples, teacher, root, runner, as_json=as_json, beam_args=beam_args or []))


def run(
    surface: str,
    examples: Path,
    teacher: Path,
    root: Path,
    runner: RunnerName = RunnerName.BEAM,
    *,
    as_json: bool = False,
    beam_args: list[str] | None = None,
) -> Exit:
    """Runs the pipeline, shows its progress, and prints the summary."""
    started = time.monotonic()
    counts = _check(surface, examples, teacher)
    log = root / "logs" / f"{time.strftime('%Y%m%d-%H%M%S')}.log"
    with _only_run_in(root), TERMINAL.noise_to(log):
        TERMINAL.say(f"running {surface}: {counts['train']:,} train and {counts['eval']:,} eval examples (log: {log})")
        _run_pipeline(_settings(surface, examples, teacher, root, beam_args or []), runner, log)
        TERMINAL.say(f"finished in {seconds(started)}")
    return _summarize(root, as_json)


def surface_folder(name: str) -> Path:
    """The folder of a surface: a path, or the name of one that crosskd ships."""
    path = Path(name)
    if path.exists() or path.parent != Path():
        return path
    import schema

    shipped = Path(schema.__path__[0]) / name
    if not shipped.is_dir():
        names = sorted(each.parent.name for each in shipped.parent.glob("*/surface.yaml"))
        raise InputError(f"--surface {name}: no such folder, and no shipped surface; those are {', '.join(names)}")
    return shipped


def _check(surface: str, examples: Path, teacher: Path) -> dict[str, int]:
    """What can be known to be wrong before TFX is imported."""
    from schema.examples import check_examples
    from schema.loader import load_surface

    loaded = load_surface(surface_folder(surface))
    if loaded.surface.teacher is None:
        raise InputError(
            f"{loaded.path}: the surface has no `teacher:` section, so there is nothing to distil. "
            "A source domain is trained with `crosskd train-teacher`."
        )
    if not any((teacher / folder / _SAVED_MODEL).is_file() for folder in ("", "Format-Serving")):
        raise InputError(f"{teacher}: expected the folder of a SavedModel ({_SAVED_MODEL} in it), found none")
    return check_examples(examples)


@contextmanager
def _only_run_in(root: Path) -> Iterator[None]:
    root.mkdir(parents=True, exist_ok=True)
    with (root / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise InputError(f"{root}: another run uses this root; wait for it, or choose another --root") from error
        yield


def _settings(surface: str, examples: Path, teacher: Path, root: Path, extra: list[str]) -> Settings:
    from components.teacher_labeler.fingerprint import fingerprint
    from crosskd.runs import METADATA_FILE
    from pipeline.runners import beam_args
    from pipeline.settings import Settings
    from schema.loader import load_surface

    loaded = load_surface(surface_folder(surface))
    return Settings(
        surface=loaded.surface,
        schema_path=str(_keep_schema(loaded.schema_path, root.resolve())),
        examples=str(examples.resolve()),
        teacher=str(teacher.resolve()),
        teacher_fingerprint=fingerprint(str(teacher.resolve())),
        root=str(root.resolve() / "artifacts"),
        serving=str(root.resolve() / "serving" / loaded.surface.name),
        metadata=str(root.resolve() / METADATA_FILE),
        beam_args=beam_args(extra),
        code_revision=revision(),
    )


def revision() -> str | None:
    """The git revision of the code that runs; None where it does not run from a checkout."""
    here = Path(__file__).parent
    git = ["git", "-C", str(here), "describe", "--always", "--abbrev=40", "--dirty", "--exclude=*"]
    if not (here.parent / ".git").exists() or shutil.which("git") is None:
        return None
    return subprocess.run(git, capture_output=True, text=True, check=False).stdout.strip() or None


def _keep_schema(path: Path, root: Path) -> Path:
    """Copies the schema to a path that changes with its content, as TFX's cache needs."""
    content = path.read_bytes()
    kept = root / "schema" / hashlib.sha256(content).hexdigest()[:16] / path.name
    kept.parent.mkdir(parents=True, exist_ok=True)
    kept.write_bytes(content)
    return kept


def _run_pipeline(settings: Settings, runner: RunnerName, log: Path) -> None:
    from crosskd.failures import input_error, last_line
    from crosskd.progress import follow
    from pipeline.pipeline import create_pipeline
    from pipeline.runners import Runner
    from pipeline.runners import run as run_with

    pipeline = create_pipeline(settings)
    with follow(TERMINAL, len(pipeline.components)) as progress:
        try:
            run_with(pipeline, Runner(runner.value))
        except Exception as error:
            known = input_error(error)
            where = f"{progress.current or 'the pipeline'} failed; nothing was pushed."
            if known is not None:
                raise InputError(f"{where}\n{known}") from error
            TERMINAL.complain(f"{where}\n{last_line(error)}\nThe whole story is in {log}")
            raise typer.Exit(Exit.FAILED) from error


def _summarize(root: Path, as_json: bool) -> Exit:
    from crosskd.summary import print_summary, summarize

    summary = summarize(root)
    print_summary(summary, as_json)
    return Exit.OK if summary.decision.blessed else Exit.NOT_BLESSED
