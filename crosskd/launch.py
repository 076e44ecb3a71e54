"""What commands that run a pipeline have in common: checks, settings, the lock, the run itself."""

from __future__ import annotations

import errno
import fcntl
import glob
import hashlib
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Any

import typer

from contracts.outcome import Exit
from crosskd import interrupts
from crosskd.places import expect_here, serving_folder
from crosskd.terminal import TERMINAL
from crosskd.troubles import explain
from schema.errors import InputError

if TYPE_CHECKING:
    from pipeline.settings import Settings
    from records.spans import Window
    from schema.loader import SurfaceFolder
    from schema.surface import Surface

_SAVED_MODEL = "saved_model.pb"
LOGS = "logs"
# Held by the run or rollback that is at work under a root.
_LOCK = ".lock"
_USED = "{root}: another run uses this root, or a rollback; wait for it, or choose another --root"
_TRIES, _BETWEEN_TRIES = 4, 0.05


class RunnerName(StrEnum):
    """Which local runner orchestrates; the same names as `pipeline.runners.Runner`."""

    BEAM = "beam"
    LOCAL = "local"


SurfaceOption = Annotated[str, typer.Option(help="Surface folder, or the name of a surface that crosskd ships.")]
TeacherOption = Annotated[Path, typer.Option(help="The teacher's SavedModel.")]
EXAMPLES_HELP = (
    "Parquet, CSV or gzipped TFRecords of tf.Example: a folder, a file or a bucket's URI, with train/ and eval/ in it "
    "or divided by `split:` of surface.yaml"
)
ExamplesOption = Annotated[
    Path,
    typer.Option(
        help=f"{EXAMPLES_HELP}; or a folder with one such folder per span (span-1, span-2, ...), or a path with "
        "{SPAN} or {YYYY}-{MM}-{DD} in it."
    ),
]
SpanOption = Annotated[
    str | None, typer.Option(help="Newest span: `latest` (the default) or a span; or all spans, A:B.")
]
WindowOption = Annotated[int | None, typer.Option(min=1, help="Spans to train on, the newest included; 1.")]
CandidatesOption = Annotated[
    Path | None,
    typer.Option(
        help="Folder of candidates, Parquet, CSV or gzipped TFRecords without labels, that the pairs of "
        "`unlabelled:` are read from; without it they are put together from the examples."
    ),
]
PeopleOption = Annotated[
    Path | None,
    typer.Option(
        help="Catalogue of people, Parquet, CSV or gzipped TFRecords with the columns of their side, or a "
        "teacher whose ids they are: the pairs of `unlabelled:` are drawn for those without a training row, too."
    ),
]
ItemsOption = Annotated[
    Path | None, typer.Option(help="Catalogue of items, likewise: those without a training row are drawn, too.")
]
TrainerWorkersOption = Annotated[
    int, typer.Option(min=1, help="Processes of a Trainer's machine that train a model together.")
]
RunnerOption = Annotated[RunnerName, typer.Option(help="Orchestrator.")]
BeamArguments = Annotated[list[str] | None, typer.Argument(help="Arguments for Beam, after `--`.")]


BadFractionOption = Annotated[
    float | None,
    typer.Option(
        min=0, max=1, help="Part of a split's records that may be without soft labels; else `teacher.max_bad_fraction`."
    ),
]


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


def check_surface_and_teacher(surface: str, teacher: Path) -> None:
    """What can be known to be wrong with them before TFX is imported."""
    from schema.loader import load_surface
    from schema.surface import distilled

    loaded = load_surface(surface_folder(surface))
    distilled(loaded.surface)
    expect_saved_model(teacher)


def is_saved_model(folder: Path) -> bool:
    """Whether a folder holds a SavedModel, or an artifact with one."""
    return any((folder / inside / _SAVED_MODEL).is_file() for inside in ("", "Format-Serving"))


def expect_saved_model(teacher: Path) -> None:
    """Raises InputError if a folder holds no SavedModel, or artifact with one."""
    if not is_saved_model(teacher):
        raise InputError(f"{teacher}: expected the folder of a SavedModel ({_SAVED_MODEL} in it), found none")


def choose_window(examples: Path, span: str | None, length: int | None) -> Window | None:
    """The spans asked for; None where the examples are one folder.

    Raises:
      InputError: There are no such spans, or spans are asked for and there are none.
    """
    from records.spans import choose, span_folders

    folders = span_folders(examples)
    if folders is not None:
        return choose(folders, span, length)
    if span is not None or length is not None:
        raise InputError(
            f"{examples}: --span and --window are for examples in spans: a folder that holds span-1/, span-2/ and so "
            "on, or a path with {SPAN} or {YYYY}-{MM}-{DD} in it"
        )
    return None


@contextmanager
def only_run_in(root: Path) -> Iterator[None]:
    """Keeps every other run, and every rollback, out of `root` for the time being.

    Raises:
      InputError: Another one is in it, its path reads as a pattern, or it was moved.
    """
    with lock(root):
        expect_here(root)
        yield


@contextmanager
def lock(root: Path) -> Iterator[None]:
    """The same, wherever the root was made.

    Raises:
      InputError: Another one is in it, or its path reads as a pattern.
    """
    expect_plain(root)
    try:
        root.mkdir(parents=True, exist_ok=True)
    except FileNotFoundError as error:
        raise InputError(f"--root {root}: no folder can be made here. Choose another path.") from error
    with (root / _LOCK).open("w") as lock:
        if not _lock(lock):
            raise InputError(_USED.format(root=root))
        yield


def expect_free(root: Path) -> None:
    """Raises InputError if no run can begin under a root now, before anything is looked at for long."""
    expect_plain(root)
    there = next(path for path in (root, *root.parents) if path.exists())
    if not there.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(there))
    expect_here(root)
    if in_use(root):
        raise InputError(_USED.format(root=root))


def expect_plain(root: Path) -> None:
    """Raises InputError if a root's path reads as a pattern."""
    if glob.has_magic(str(root.resolve())):
        raise InputError(
            f"--root {root.resolve()}: expected a path without *, ? and brackets: TFX takes the paths of artifacts for "
            "patterns. Choose another folder."
        )


def _lock(lock: IO[str]) -> bool:
    """Takes the lock; it is tried again, since whoever asks whether it is taken holds it for a moment."""
    for _ in range(_TRIES):
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(_BETWEEN_TRIES)
        else:
            return True
    return False


def in_use(root: Path) -> bool:
    """Whether a run, or a rollback, is at work under a root now."""
    if not (root / _LOCK).is_file():
        return False
    with (root / _LOCK).open() as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        return False


def make_settings(
    surface: str,
    examples: Path,
    teacher: Path,
    root: Path,
    extra: list[str],
    window: Window | None = None,
    max_bad_fraction: float | None = None,
) -> Settings:
    """Binds a run to its folders.

    Args:
      surface: Surface folder, or the name of a shipped surface.
      examples: Folder of examples; not looked at where there is a window.
      teacher: The teacher's SavedModel.
      root: Folder for everything that the run makes.
      extra: Beam arguments.
      window: The spans.
      max_bad_fraction: In place of the surface's own; None keeps that.
    """
    from crosskd.runs import metadata_for
    from pipeline.beam_options import beam_args
    from pipeline.settings import Settings
    from records.fingerprint import fingerprint
    from schema.loader import load_surface

    loaded = load_surface(surface_folder(surface))
    check_own_code(loaded)
    return Settings(
        surface=with_bound(loaded.surface, max_bad_fraction),
        schema_path=str(_keep_schema(loaded.schema_path, root.resolve())),
        examples=str((examples if window is None else window.folders.base).resolve()),
        teacher=str(teacher.resolve()),
        teacher_fingerprint=fingerprint(str(teacher.resolve())),
        root=str(root.resolve() / "artifacts"),
        serving=str(serving_folder(root.resolve(), loaded.surface.name)),
        measurements=str(root.resolve() / LOGS),
        metadata=metadata_for(root.resolve()),
        beam_args=beam_args(extra),
        code_revision=revision(),
        window=window,
    )


def check_own_code(loaded: SurfaceFolder) -> None:
    """Calls code of the user's own once, before anything else takes its time.

    Raises:
      InputError: It is not to be found, fails, or gives something else than is expected.
    """
    from models import own_check, own_code

    if any(own_code.modules(loaded.surface).values()):
        own_check.check(loaded.surface, loaded.schema)


def try_teacher_on(settings: Settings, folder: Path) -> None:
    """Tries the teacher on a few examples, before anything else takes its time.

    Raises:
      InputError: It does not fit the surface, or its answers are not what labels are made of.
    """
    from components.teacher_labeler.trial import try_teacher
    from records.examples import files_of
    from schema.surface import TRAIN_SPLIT, distilled

    try_teacher(distilled(settings.surface), settings.teacher, files_of(folder / TRAIN_SPLIT)[0])


def with_bound(surface: Surface, max_bad_fraction: float | None) -> Surface:
    """The surface with another bound on records without soft labels; the same one for None."""
    if max_bad_fraction is None or surface.teacher is None:
        return surface
    teacher = surface.teacher.model_copy(update={"max_bad_fraction": max_bad_fraction})
    return surface.model_copy(update={"teacher": teacher})


def execute(pipeline: Any, runner: RunnerName, log: Path) -> None:
    """Runs a TFX pipeline and shows its progress.

    Raises:
      InputError: A node found something that the user can mend.
      typer.Exit: A node failed otherwise; what is known was said.
    """
    from crosskd.progress import follow
    from crosskd.runs import note_peak_memory
    from pipeline.failures import input_error, last_line
    from pipeline.runners import Runner
    from pipeline.runners import run as run_with

    with follow(TERMINAL, len(pipeline.components), log.parent) as progress:
        try:
            run_with(pipeline, Runner(runner.value))
        except Exception as error:
            if interrupts.received():
                raise interrupts.Interrupted from error
            known = input_error(error) or explain(error, log.parents[1])
            where = f"{progress.current or 'the pipeline'} failed; nothing was pushed."
            if known is not None:
                raise InputError(f"{where}\n{known}") from error
            TERMINAL.complain(f"{where}\n{last_line(error)}\nThe whole story is in {log}")
            raise typer.Exit(Exit.FAILED) from error
        note_peak_memory(pipeline.metadata_connection_config, progress.measured)


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
