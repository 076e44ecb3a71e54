"""Other teachers than the run's own, as candidates of the same experiment: what would each have taught?

A run's rows are read again as they were before Transform, sent through its graph, and each teacher answers them
beside.  What it says stands in columns of its own, as if the run's teacher had offered further tasks: so that
candidates, placebos and ceilings are those of any technique.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_transform as tft
from numpy.typing import NDArray

from evidence.arms import Arm, logits_as_inputs, technique
from evidence.data import RunData, comparable_columns, said_of
from evidence.paths import RunPaths
from models.scales import LabelStatistics
from records.examples import files_of
from records.record_files import records_of
from schema.distillation import Distillation
from schema.errors import InputError
from schema.surface import Surface, distilled, soft_label

# Of serialized examples what the teacher says, by its task: float [examples], or [examples, classes]; NaN where it
# says nothing.
Answer = Callable[[Sequence[bytes]], Mapping[str, NDArray[np.float32]]]

_READ_BATCH = 4096
_Columns = dict[str, NDArray[Any]]


def check_answerable(surface: Surface) -> None:
    """Finds that more of the teacher is read than what it says of examples, which other teachers then lack.

    Raises:
      InputError: It is.
    """
    reads = {
        "warm_start": surface.warm_start,
        "trust.known": surface.trust.known,
        "representations": surface.representations,
        "histories": surface.histories,
    }
    found = [name for name, asked in reads.items() if asked]
    if found:
        raise InputError(
            f"surface {surface.name!r}: {', '.join(found)} reads the run's own teacher; other teachers are compared "
            "by their soft labels alone. Leave it out of a copy of the surface, or make a run with each teacher"
        )


def candidate(surface: Surface, teacher: str) -> Arm:
    """The student of another teacher."""
    return technique(teacher, _taught_by(surface, teacher))


def ceiling(surface: Surface, teacher: str) -> Arm:
    """The reference that reads that teacher's logits as inputs."""
    arm = logits_as_inputs(_taught_by(surface, teacher))
    return replace(arm, name=f"{teacher}/{arm.name}", of=teacher)


def answered(loaded: RunData, surface: Surface, paths: RunPaths, teachers: Mapping[str, Answer]) -> RunData:
    """A run's data with what other teachers say of the same rows.

    Args:
      loaded: The run's data.
      surface: The surface.
      paths: The run.
      teachers: By name.

    Returns:
      The training rows, and pairs never shown, in the order in which they were before Transform.

    Raises:
      InputError: The run did not keep its labelled training examples, or a teacher says nothing of any of them.
    """
    if not paths.labelled_train:
        raise InputError(f"{paths.name}: other teachers answer the run's labelled training examples; it names none")
    reader = _Reader(surface, tft.TFTransformOutput(paths.transform_graph), teachers)
    training, said = reader.read(paths.labelled_train, [*loaded.training])
    _expect_words(said)
    scales = _scales(said)
    _, of_evaluation = reader.read([paths.labelled_eval], [])
    pairs = loaded.unlabelled
    if pairs is not None:
        pairs, of_pairs = reader.read(paths.labelled_unlabelled, [*pairs])
        pairs |= _learned(of_pairs, scales)
    return replace(
        loaded,
        training=training | _learned(said, scales),
        evaluation=loaded.evaluation | _learned(of_evaluation, scales),
        unlabelled=pairs,
        statistics=loaded.statistics | scales,
        other_teachers={name: _comparable(_taught_by(surface, name), of_evaluation) for name in teachers},
    )


def _task(teacher: str, task: str) -> str:
    """A teacher's task among those of several, as `crosskd join-teachers` calls it."""
    return f"{teacher}__{task}"


def _taught_by(surface: Surface, teacher: str) -> Surface:
    """The surface with another teacher's tasks in the place of those of the run's."""

    def other(distillation: Distillation) -> Distillation:
        return distillation.model_copy(update={"teacher_task": _task(teacher, distillation.teacher_task)})

    of = distilled(surface).teacher
    tasks = {
        name: task.model_copy(update={"distil": task.distil and other(task.distil)})
        for name, task in surface.tasks.items()
    }
    return surface.model_copy(
        update={
            "tasks": tasks,
            "non_serving_heads": {name: other(each) for name, each in surface.non_serving_heads.items()},
            "teacher": of.model_copy(update={"tasks": {_task(teacher, name): each for name, each in of.tasks.items()}}),
        }
    )


@dataclass(frozen=True)
class _Reader:
    """Reads examples as they were before Transform.

    Attributes:
      surface: The surface.
      transform: Transform's output.
      teachers: What is asked of the examples.
    """

    surface: Surface
    transform: tft.TFTransformOutput
    teachers: Mapping[str, Answer]

    def read(self, folders: Sequence[str], names: Sequence[str]) -> tuple[_Columns, _Columns]:
        """Some transformed columns of all examples, and what teachers say of them by soft-label column, as it is."""
        spec, layer = self.transform.raw_feature_spec(), self.transform.transform_features_layer()

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
        def transformed(records: tf.Tensor) -> dict[str, tf.Tensor]:
            found = layer(dict(tf.io.parse_example(records, spec)))
            return {name: found[name] for name in names}

        parts, told = [], []
        for folder in folders:
            for batch in records_of(files_of(folder)).batch(_READ_BATCH):
                parts.append({name: column.numpy() for name, column in transformed(batch).items()})
                told.append(dict(self._answers(batch.numpy().tolist())))
        return _whole(parts), _whole(told)

    def _answers(self, records: Sequence[bytes]) -> Iterator[tuple[str, NDArray[np.float32]]]:
        for teacher, answer in self.teachers.items():
            for task, values in answer(records).items():
                yield soft_label(_task(teacher, task)), values


def _whole(parts: Sequence[_Columns]) -> _Columns:
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]} if parts else {}


def _expect_words(said: _Columns) -> None:
    silent = [column for column, values in said.items() if not np.isfinite(values).any()]
    if silent:
        raise InputError(
            f"{', '.join(silent)}: expected the teacher's answers to the training examples, found none that is a "
            "finite number; try it with `crosskd check` first"
        )


def _scales(said: _Columns) -> dict[str, LabelStatistics]:
    """What z-scores each teacher's logits over the training rows, as Transform does with the run's own."""
    return {
        column: LabelStatistics(float(np.nanmean(values, dtype=np.float64)), float(np.nanstd(values, dtype=np.float64)))
        for column, values in said.items()
        if values.ndim == 1
    }


def _learned(said: _Columns, scales: Mapping[str, LabelStatistics]) -> _Columns:
    """Soft labels as students learn them: z-scored, and logits of classes as they are."""
    return {
        column: values if values.ndim > 1 else ((values - scales[column].mean) / _spread(scales[column])).astype("f4")
        for column, values in said.items()
    }


def _spread(scale: LabelStatistics) -> float:
    """A teacher that says the same of all rows has none, and nothing to teach."""
    return scale.std or 1.0


def _comparable(surface: Surface, said: _Columns) -> _Columns:
    """What a teacher says of the tasks whose labels it can be held against."""
    return {task: said_of(surface, task, said[column]) for task, column in comparable_columns(surface).items()}
