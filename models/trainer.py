"""The `run_fn` that TFX Trainer calls, for the student and for its control."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import tensorflow as tf
import tensorflow_transform as tft
from absl import logging
from numpy.typing import NDArray

from contracts import keys
from contracts.held_out import HeldOut, HeldOutRows
from contracts.history import HISTORY_FILE
from contracts.roles import ModelRole
from models import continuing, histories, inputs, pretrained, training, trust, warm_start, without_row
from models.backup import Backup
from models.batching import split
from models.columns import (
    PERIOD_COLUMN,
    hard_label_columns,
    history_shapes,
    history_sources,
    sampling_columns,
    training_columns,
    trust_shapes,
    written_columns,
)
from models.devices import device_of
from models.export import export_student
from models.progress import LogEpochs
from models.ranker import Ranker, build
from models.scales import LabelStatistics, label_statistics, soft_statistics
from models.store import Store
from models.terms import head_losses, scaled_columns
from models.vocabulary import known_values, sizes
from models.workers import local
from models.workers.cluster import cluster_of
from models.workers.job import Job
from models.workers.replicas import ALONE, Replicas, Workers
from records import documents
from records.record_files import by_numbers
from schema.candidates import UNLABELLED_SPLIT
from schema.errors import InputError
from schema.surface import Surface

if TYPE_CHECKING:
    # It takes seconds to import, and a worker does without.
    from tfx.components.trainer.fn_args_utils import FnArgs


def run_fn(fn_args: FnArgs) -> None:
    """Trains one arm on Transform's output and exports its serving heads.

    Args:
      fn_args: TFX's arguments; `custom_config` holds `surface` (JSON of a
        `schema.surface.Surface`), `arm` (an `ModelRole`) and, if it is more than one, `trainer_workers`, the
        number of processes of this machine that train together; `eval_files` are read by a surface with
        histories alone, to see that they are not earlier than what serves; `base_model` is the teacher if the
        surface has a warm start, and what Continuation found if it continues; `train_files` may
        have patterns of the split `unlabelled`.  If `TF_CONFIG` names workers, this process is one of them,
        and every other one is given the same arguments.

    Raises:
      InputError: `TF_CONFIG` is not as it should be, or names workers where some are to be started here; or as
        `train` says.
    """
    job = Job.of(fn_args)
    count = job.config.get(keys.TRAINER_WORKERS, 1)
    if count == 1:
        run_job(job)
        return
    if cluster_of() is not None:
        raise InputError(
            f"TF_CONFIG names the workers of this training, and {count} are to be started on this machine besides; "
            "expected one of the two: leave out `--trainer-workers`, or TF_CONFIG"
        )
    local.run(job, count)


def run_job(job: Job) -> None:
    """Trains one arm in this process, as one of the workers that `TF_CONFIG` names, if it names any.

    All workers train the same model; the chief alone writes.

    Raises:
      InputError: `TF_CONFIG` is not as it should be, or as `train` says.
    """
    cluster = cluster_of()
    # Before anything else: TensorFlow joins workers only in a process that has not used it yet.
    replicas = ALONE if cluster is None else Workers(cluster)
    surface = Surface.model_validate_json(job.config[keys.SURFACE])
    arm = ModelRole(job.config["arm"])
    distil = arm == ModelRole.STUDENT  # Not `is`: TFX reloads this module.
    of_arm = surface.of_arm(distil=distil)
    _expect_later(of_arm, job)
    start = continuing.read_start(job.base_model, arm) if surface.training.continue_from else None
    backup = backup_of(job) if replicas.several else None
    ranker, history = train(
        surface,
        arm,
        job.transform_output,
        job.train_files,
        job.model_run_dir,
        job.base_model,
        start,
        # Both arms hold out the same rows, and one of them says so.
        eval_files=job.eval_files if replicas.chief and not distil else (),
        replicas=replicas,
        backup=backup,
    )
    if replicas.chief:
        export_student(ranker, of_arm, job.transform_output, job.serving_model_dir)
        _write_history(history, job.model_run_dir)
        if backup is not None:
            backup.remove()
    replicas.wait()


def backup_of(job: Job) -> Backup:
    """Where a training on several workers keeps its last whole epoch, beside its logs."""
    said = json.dumps([job.config[keys.SURFACE], job.config["arm"], job.transform_output, sorted(job.train_files)])
    return Backup(f"{job.model_run_dir}/backup", hashlib.sha256(said.encode()).hexdigest())


def train(
    surface: Surface,
    arm: ModelRole,
    transform_dir: str,
    train_files: list[str],
    log_dir: str,
    teacher: str | None = None,
    start: continuing.Start | None = None,
    *,
    eval_files: Sequence[str] = (),
    replicas: Replicas = ALONE,
    backup: Backup | None = None,
) -> tuple[Ranker, dict[str, list[float]]]:
    """Trains one arm.

    Args:
      surface: The surface.
      arm: Student or control; everything else is equal between the two.
      transform_dir: Transform's output (the `transform_graph` artifact).
      train_files: File patterns of the transformed training split, and of the split
        `unlabelled`, which the control does not read.
      log_dir: Where TensorBoard's event files go.
      teacher: The teacher's SavedModel, for a student with a warm start.
      start: What an earlier run's arm left, or why there is none: for a surface that continues, whose
        arms leave in `log_dir` what later runs continue from, and what continued here.
      eval_files: File patterns of the transformed evaluation split, of which ids alone are read: how new users and
        items are to the newest span's rows, and to those that choose the epoch, is noted in `log_dir`.  None for
        those who do not note it.
      replicas: The other workers, which call this with the same arguments; the chief alone writes.
      backup: Keeps the last whole epoch.

    Returns:
      The trained ranker, settled if it has histories (see `models.histories`), and the history of its losses per
      epoch.

    Raises:
      InputError: There are no examples; the surface asks for unlabelled pairs or a warm
        start, and there are no such files or no teacher; the teacher offers no such
        embeddings; or a loss is not finite.
    """
    # Before the data are set up, too: tf.data derives the order of shuffling from it.
    keras.utils.set_random_seed(surface.training.seed)
    transform = tft.TFTransformOutput(transform_dir)
    spec = transform.transformed_feature_spec()
    labelled, unlabelled = _by_split(train_files)
    distil = arm == ModelRole.STUDENT  # Not `is`: TFX reloads this module before it calls `run_fn`.
    surface = surface.of_arm(distil=distil)
    names = [*written_columns(surface), *training_columns(surface, distil=distil)]
    read = trust.read_columns(surface, spec) if distil else []
    reserved = history_shapes(surface) | (trust_shapes(surface) if distil else {})
    wanted = {name: spec[name] for name in [*names, *read]}
    store = Store(labelled, wanted, reserved)
    if not store.rows:
        raise InputError(f"{', '.join(labelled)}: expected the transformed training split, found no examples")
    of_labels = [*hard_label_columns(surface).values(), *sampling_columns(surface).values()]
    statistics = label_statistics(surface, store.columns(of_labels))
    if distil:
        statistics |= soft_statistics(scaled_columns(surface), transform)
    if start is not None:
        statistics = continuing.scales(surface, start, statistics)
    known = known_values(surface, transform)
    _note_held_out(surface, store, eval_files, spec, known, log_dir)
    with device_of(surface.training):
        ranker = build(surface, sizes(surface, transform), statistics, distil=distil)
    pretrained.apply(ranker, surface, known)
    if distil and surface.warm_start:
        warm_start.apply(ranker, surface, warm_start.read(surface, _expect_teacher(teacher)), known)
    mixed_in = _mixed_in(surface, unlabelled, wanted, reserved) if distil else None
    if distil and surface.trusted:
        _fill(surface, statistics, _known_rows(surface, transform, teacher, known), store, mixed_in, read)
    past = _remember(surface, transform, (labelled, unlabelled), store, mixed_in)
    data = inputs.transformed(store, surface.training, unlabelled=mixed_in)
    loop = training.Loop(ranker, surface, head_losses(surface, statistics, distil=distil), replicas)
    callbacks = [keras.callbacks.TensorBoard(log_dir, write_graph=False), LogEpochs()] if replicas.chief else []
    if start is None:
        losses = loop.fit(surface.training, data, callbacks, backup=backup).history
        histories.settle(ranker, past.tables)
        return ranker, losses
    goes_on = continuing.Continuing(surface, ranker, known, start)
    continued = goes_on.apply()
    logging.info("%s: %s", arm, continued.sentence)
    resumed = goes_on.resumed(str(surface.training.optimizer))
    fitted = loop.fit(surface.training, data, callbacks, resumed, backup)
    if replicas.chief:
        goes_on.leave(log_dir, statistics, loop.optimizer)
        documents.write(log_dir, continued)
    return ranker, fitted.history


def _note_held_out(
    surface: Surface,
    store: Store,
    eval_files: Sequence[str],
    spec: Mapping[str, Any],
    known: Mapping[str, Sequence[bytes]],
    folder: str,
) -> None:
    """Writes how new users and items are to the rows that choose the epoch, and to those of the newest span."""
    if not eval_files:
        return
    sides = without_row.id_columns(surface, dict.fromkeys(written_columns(surface)))
    ids = [name for columns in sides.values() for name in columns]
    evaluation = inputs.transformed_columns(by_numbers(eval_files)[-1:], spec, ids) if ids else {}
    found: list[HeldOutRows] = []
    if evaluation:
        with_rows = {name: len(values) for name, values in known.items()}
        parts = split(store.rows, surface.training)
        found = without_row.compared_as_read(surface, store.columns(ids), parts, evaluation, with_rows)
    documents.write(folder, HeldOut(rows=tuple(found)))


def _by_split(patterns: list[str]) -> tuple[list[str], list[str]]:
    """The patterns of labelled and of unlabelled files; TFX hands them over as one list."""
    folder = f"Split-{UNLABELLED_SPLIT}"
    unlabelled = [each for each in patterns if folder in PurePosixPath(each).parts]
    return [each for each in patterns if each not in unlabelled], unlabelled


def _known_rows(
    surface: Surface, transform: tft.TFTransformOutput, teacher: str | None, known: Mapping[str, Sequence[bytes]]
) -> dict[str, NDArray[np.bool_]]:
    """Which values the teacher knows, where that has a part in how far it can be trusted."""
    if not surface.trust.known:
        return {}
    return trust.known_rows(surface, _expect_teacher(teacher), known, sizes(surface, transform))


def _fill(
    surface: Surface,
    statistics: Mapping[str, LabelStatistics],
    known: Mapping[str, NDArray[np.bool_]],
    store: Store,
    pairs: inputs.UnlabelledPairs | None,
    read: list[str],
) -> None:
    """Writes what is known of how far the teacher can be trusted beside the labels."""
    fitted, _ = split(store.rows, surface.training)
    of_pairs = None if pairs is None else pairs.store.columns(read)
    found, found_of_pairs = trust.columns(surface, statistics, known, store.columns(read), fitted, of_pairs)
    store.fill(found)
    if pairs is not None:
        pairs.store.fill(found_of_pairs)


def _remember(
    surface: Surface,
    transform: tft.TFTransformOutput,
    files: tuple[list[str], list[str]],
    store: Store,
    pairs: inputs.UnlabelledPairs | None,
) -> histories.Histories:
    """Makes the histories of labelled rows and pairs, and writes them beside the features; nothing without any."""
    if not surface.histories:
        return histories.Histories()
    spec = transform.transformed_feature_spec()
    known = {name: len(values) for name, values in known_values(surface, transform).items()}
    of_rows = inputs.transformed_columns(files[0], spec, history_sources(surface))
    asked = [PERIOD_COLUMN, *surface.histories]
    of_pairs = None if pairs is None else inputs.transformed_columns(files[1], spec, asked)
    found = histories.make(surface, sizes(surface, transform), known, of_rows, of_pairs)
    store.fill(found.rows)
    if pairs is not None:
        pairs.store.fill(found.pairs)
    return found


def _expect_later(surface: Surface, job: Job) -> None:
    """Checks that the rows which judge what serves are not earlier than what it knows: those of the newest span."""
    if not surface.histories:
        return
    spec = tft.TFTransformOutput(job.transform_output).transformed_feature_spec()
    labelled, _ = _by_split(job.train_files)
    of_eval = [inputs.transformed_columns([each], spec, [PERIOD_COLUMN])[PERIOD_COLUMN] for each in job.eval_files]
    if of_eval:
        periods = inputs.transformed_columns(labelled, spec, [PERIOD_COLUMN])[PERIOD_COLUMN]
        histories.expect_later("eval", periods, max(of_eval, key=histories.oldest_period))


def _mixed_in(
    surface: Surface, patterns: list[str], spec: Mapping[str, Any], reserved: Mapping[str, tuple[int, ...]]
) -> inputs.UnlabelledPairs | None:
    if surface.unlabelled is None:
        return None
    if not patterns:
        raise InputError(
            f"surface {surface.name!r} has an `unlabelled:` section; expected files of the split {UNLABELLED_SPLIT!r}, "
            "which CandidateSampler makes, among the Trainer's training files, found none"
        )
    return inputs.UnlabelledPairs(Store(patterns, spec, reserved), surface.unlabelled.per_row)


def _expect_teacher(teacher: str | None) -> str:
    if teacher is None:
        raise InputError(
            "a warm start needs the teacher, as `trust.known` does: give the Trainer its SavedModel as `base_model`"
        )
    return teacher


def _write_history(history: dict[str, list[float]], folder: str) -> None:
    tf.io.gfile.makedirs(folder)
    with tf.io.gfile.GFile(str(PurePosixPath(folder) / HISTORY_FILE), "w") as file:
        json.dump(history, file, indent=1)
