"""Checks all that a run is given, one thing after the other, and keeps going whatever is found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from crosskd.checking.clients import check_clients
from crosskd.checking.continuing import check_continuing
from crosskd.checking.findings import CheckReport, SampledSplit
from crosskd.checking.sample import Sample, read_sample
from crosskd.launch import check_own_code, choose_window, expect_saved_model, surface_folder, with_bound
from records.examples import files_of
from schema.candidates import ITEMS, PAIRS_FROM, PEOPLE
from schema.checks import Problems
from schema.errors import InputError
from schema.loader import SurfaceFolder, load_surface
from schema.pairs import check_pairs_from
from schema.surface import EVAL_SPLIT, TRAIN_SPLIT, distilled

SAMPLED_RECORDS = 2_000


@dataclass(frozen=True)
class RunInputs:
    """What a run is given; the arguments of `crosskd run`.

    Attributes:
      surface: Surface folder, or the name of a shipped surface.
      examples: Folder of examples, or of spans, or a path with placeholders.
      teacher: The teacher's SavedModel.
      span: As `records.spans.choose` takes it, like `window`.
      window: Spans in the window.
      pairs_from: Folders that unlabelled pairs are made of, by `schema.candidates.PAIRS_FROM`.
      beam_args: Arguments for Beam.
      max_bad_fraction: In place of the surface's own; None keeps that.
      counts: Examples by split, where somebody has counted them.
      root: Of the runs, whose clients must be able to go on; None where it is not known.
    """

    surface: str
    examples: Path
    teacher: Path
    span: str | None = None
    window: int | None = None
    pairs_from: Mapping[str, Path] = field(default_factory=dict)
    beam_args: Sequence[str] = ()
    max_bad_fraction: float | None = None
    counts: Mapping[str, int] | None = None
    root: Path | None = None


def inspect_inputs(given: RunInputs, rows: int = SAMPLED_RECORDS) -> CheckReport:
    """Checks surface, schema, files, a sample of the examples, teacher and Beam's arguments.

    Args:
      given: What a run would be given.
      rows: Records of each split to look at.

    Returns:
      All that was found.
    """
    report, problems = CheckReport(surface=given.surface), Problems()
    loaded: SurfaceFolder | None = None
    with problems.noted():
        loaded = load_surface(surface_folder(given.surface))
        distilled(loaded.surface)
    has_teacher = False
    with problems.noted():
        expect_saved_model(given.teacher)
        has_teacher = True
    if loaded is not None and given.root is not None:
        with problems.noted():
            check_clients(loaded, given.root, report)
    listed = _files(_folders(given, loaded, problems), problems)
    if loaded is not None:
        with problems.noted():
            newest = {split: listed.get(split, []) for split in (TRAIN_SPLIT, EVAL_SPLIT)}
            check_continuing(loaded.surface, given.root, _data_span(given), newest, report)
            _check_teacher_age(loaded, given)
    if loaded is None or not any(listed.values()):  # there is nothing that TensorFlow need be imported for
        report.problem(*problems.found)
        return report
    samples = _look_inside(given, loaded, listed, rows, problems, report)
    if loaded.surface.teacher is not None and has_teacher:
        from crosskd.checking.teacher import check_teacher

        surface = with_bound(loaded.surface, given.max_bad_fraction)
        check_teacher(distilled(surface), str(given.teacher), samples, report)
    return report


def _check_teacher_age(loaded: SurfaceFolder, given: RunInputs) -> None:
    if loaded.surface.teacher_age is not None and _data_span(given) is None:
        raise InputError(
            f"{given.surface}: teacher_age: a teacher ages by spans; expected examples in spans (a folder for each "
            f"day, say: docs/daily.md), found {given.examples} without. Take `teacher_age` out, or give spans."
        )


def _data_span(given: RunInputs) -> str | None:
    window = choose_window(given.examples, given.span, given.window)
    return str(window) if window else None


def _folders(given: RunInputs, loaded: SurfaceFolder | None, problems: Problems) -> dict[str, Path]:
    """The folder of each split."""
    folders: dict[str, Path] = {}
    with problems.noted():
        if not given.examples.is_dir() and "{" not in str(given.examples):
            raise InputError(
                f"{given.examples}: no such folder. Expected a folder with {TRAIN_SPLIT}/ and {EVAL_SPLIT}/ in it."
            )
        window = choose_window(given.examples, given.span, given.window)
        newest = window.folders.folder(window.last) if window else given.examples
        folders = {split: Path(newest) / split for split in (TRAIN_SPLIT, EVAL_SPLIT)}
    if loaded is not None:
        with problems.noted():
            check_pairs_from(loaded.surface, given.pairs_from)
    return {**folders, **given.pairs_from}


def _files(folders: Mapping[str, Path], problems: Problems) -> dict[str, list[str]]:
    """The files of each split; none where there are none, or others among them."""
    listed: dict[str, list[str]] = {split: [] for split in folders}
    for split, folder in folders.items():
        with problems.noted():
            listed[split] = files_of(folder)
    return listed


def _look_inside(
    given: RunInputs,
    loaded: SurfaceFolder,
    listed: Mapping[str, list[str]],
    rows: int,
    problems: Problems,
    report: CheckReport,
) -> list[Sample]:
    """Checks the arguments for Beam, and a sample of each split against surface and schema; those of whole examples."""
    from crosskd.checking import data
    from crosskd.checking.beam import check_arguments
    from crosskd.checking.catalogue import check_catalogue

    samples = [read_sample(split, files, rows, problems) for split, files in listed.items() if files]
    with problems.noted():
        check_own_code(loaded)
    report.problem(*problems.found)
    check_arguments(given.beam_args, report)
    surface = loaded.surface
    for sample in samples:
        report.splits.append(
            SampledSplit(split=sample.split, files=len(sample.files), rows=len(sample.records), whole=sample.whole)
        )
        if sample.split in PAIRS_FROM:
            check_catalogue(loaded, sample, report)
        if not sample.records or sample.split in PAIRS_FROM:
            continue
        batch = data.check_split(loaded, sample, report)
        if batch is None:
            continue
        data.check_labels(surface, sample, batch, report)
        data.check_several(surface, sample, batch, report)
        if sample.split == TRAIN_SPLIT:
            data.check_batches(surface, sample, (given.counts or {}).get(TRAIN_SPLIT), report)
        else:
            data.check_gates(surface, sample, batch, report)
    return [sample for sample in samples if sample.split not in (PEOPLE, ITEMS)]
