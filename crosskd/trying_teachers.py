"""What `crosskd teachers` does: both teachers answer, and what they said is compared."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from tfx_bsl.coders import example_coder

from components.teacher_labeler.faults import find_fault
from components.teacher_labeler.program import TeacherProgram
from components.teacher_labeler.trial import ask, check_answers, load_for
from contracts.two_teachers import Compared
from crosskd.launch import surface_folder
from evidence.side_by_side import NEW, OLD, compare, finite_rows, named
from evidence.watch.scoring import Floats, ScoredPart, joined, part_of
from records.examples import files_of
from records.shards import read_batches
from schema.errors import InputError
from schema.loader import load_surface
from schema.surface import EVAL_SPLIT, TRAIN_SPLIT, DistilledSurface, distilled

_BATCH = 1024


def try_both(surface: str, folder: Path, teachers: Sequence[Path]) -> Compared:
    """Has two teachers answer all examples of a span, of both splits.

    Args:
      surface: Surface folder, or the name of a shipped surface.
      folder: With `train/` and `eval/`.
      teachers: The old one's SavedModel, and the new one's.

    Raises:
      InputError: A teacher does not fit the surface, or none of the examples can be answered.
    """
    loaded = load_surface(surface_folder(surface))
    of = distilled(loaded.surface)
    files = [file for split in (TRAIN_SPLIT, EVAL_SPLIT) for file in files_of(folder / split)]
    first = next(iter(read_batches(files[0], _BATCH)), [])
    programs = [load_for(of, str(each), first, files[0]) for each in teachers]
    for program in programs:
        check_answers(program, first)
    decoder = example_coder.ExamplesToRecordBatchDecoder(loaded.schema.SerializeToString())
    read, parts = 0, []
    for records in (batch for file in files for batch in read_batches(file, _BATCH)):
        read += len(records)
        parts += list(_answered(of, programs, decoder, records))
    if not parts:
        raise InputError(f"{folder}: expected examples that both teachers can answer, found none among {read:,}")
    scored = joined(of, parts)
    return Compared(examples=scored.rows, left_out=read - scored.rows, side_by_side=compare(of, scored))


def _answered(
    surface: DistilledSurface,
    programs: Sequence[TeacherProgram],
    decoder: example_coder.ExamplesToRecordBatchDecoder,
    records: Sequence[bytes],
) -> Iterator[ScoredPart]:
    """The records of a batch that both answer: nothing, or one part."""
    kinds = programs[0].plan.all_kinds()
    good = [record for record in records if find_fault(record, surface, kinds) is None]
    if not good:
        return
    answers = _logits(surface, programs, good)
    kept = finite_rows(answers)
    told = {name: values[kept] for name, values in answers.items()}
    fine = [record for record, keep in zip(good, kept, strict=True) if keep]
    if fine:
        yield part_of(surface, decoder.DecodeBatch(fine), fine, told)


def _logits(surface: DistilledSurface, programs: Sequence[TeacherProgram], records: list[bytes]) -> dict[str, Floats]:
    """Float [rows] by `named` task; NaN where the labeller would leave a record out."""
    found: dict[str, Floats] = {}
    for which, program in zip((OLD, NEW), programs, strict=True):
        scores = ask(program, records)
        logits = np.where(scores.unfit[:, np.newaxis], np.nan, scores.logits.astype(np.float64))
        found |= {named(which, task): logits[:, place] for place, task in enumerate(surface.teacher.tasks)}
    return found
