"""The reference that trains on source and target rows together, where the data allow it.

Many companies may not pool their products' logs, and nobody can who only has the teacher;
where one can, this is what distillation would replace.  It has no distillation heads.  A
source row gives the columns that both domains have, and a label where the target distils
the source task of that label; whatever else the target reads is at its mean, or out of
vocabulary, and an extra input says where the row comes from.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_transform as tft
from numpy.typing import NDArray
from tensorflow_transform.saved import saved_transform_io_v2

from evidence.arms import POOLED, Arm, Role
from evidence.data import RunData
from models import inputs
from models.columns import LABEL_PREFIX, hard_label_column, hard_label_columns, input_columns, sampling_columns
from models.feature_columns import PADDING
from models.scales import label_statistics
from records.labels import label_of_array
from schema.errors import InputError
from schema.loader import SurfaceFolder, load_surface
from schema.surface import TRAIN_SPLIT, Feature, FeatureKind, Surface, Task

FROM_SOURCE = "from_source"
_LEAST_EPOCHS = 3
_BATCH = 65_536

_Columns = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Pool:
    """The reference, and the data that it alone is trained and evaluated on."""

    arm: Arm
    data: RunData


def shared_features(surface: Surface, source: Surface) -> dict[str, str]:
    """The target's features that the source has too, by the source's name for them.

    Those are the teacher's inputs that the target fills from its own columns: numbers, and ids
    with a learned vocabulary of their own, which the source's ids are added to.  Lists are the
    target's alone.
    """
    adapted = surface.teacher_features
    pairs = {each.source or name: name for name, each in adapted.items()}
    shared = {feature.embedding_of for feature in surface.features.values()}
    return {
        name: pairs[name]
        for name, feature in surface.features.items()
        if pairs.get(name) in source.features and not feature.listed and name not in shared
        if feature.kind is FeatureKind.NUMERIC or (feature.learned and feature.oov == 1)
    }


def shared_tasks(surface: Surface, source: Surface) -> dict[str, str]:
    """Distilled tasks and non-serving heads whose teacher task is a source task of the same kind."""
    found = {}
    for name, distillation in surface.distillations().items():
        task = source.tasks.get(distillation.teacher_task)
        own = surface.tasks.get(name)
        if task is not None and (own is None or own.kind is task.kind):
            found[name] = distillation.teacher_task
    return found


def pool(surface: Surface, loaded: RunData, transform_graph: str, source: Path) -> Pool:
    """Puts the source's training rows beside the target's.

    Args:
      surface: The target's surface.
      loaded: The target's run; its `raw` holds the raw values of the shared categorical
        features, so that ids which only the source trains are known in evaluation.
      transform_graph: The transform graph of that run.
      source: The source domain's folder: surface, schema and `train/`.

    Raises:
      InputError: The two share no feature or no label.
    """
    folder = load_surface(source)
    features, tasks = shared_features(surface, folder.surface), shared_tasks(surface, folder.surface)
    if not features or not tasks:
        missing = "feature" if not features else "label"
        raise InputError(f"{source}: the source shares no {missing} with surface {surface.name!r}; leave out --pooled")
    raw = _read(folder, source, features, tasks)
    new_rows, rows = _length(raw), _length(loaded.training)
    given = _transformed(transform_graph, {name: raw[theirs] for name, theirs in features.items()})
    evaluation, sizes = dict(loaded.evaluation), dict(loaded.vocabulary_sizes)
    for name, theirs in features.items():
        if surface.features[name].kind is FeatureKind.CATEGORICAL:
            new = np.unique(raw[theirs][given[name] == sizes[name] - 1])
            given[name] = _extended(given[name], raw[theirs], sizes[name], new)
            evaluation[name] = _extended(evaluation[name], loaded.raw[name], sizes[name], new)
            sizes[name] += len(new)
    given |= {hard_label_column(name): _labels(raw, folder.surface.tasks[theirs]) for name, theirs in tasks.items()}
    wider = _wider(surface, folder.surface, tasks, (rows + new_rows) / rows)
    sampling = sampling_columns(wider).values()
    given |= {column: np.zeros(new_rows, np.float32) for column in sampling}  # the source has all of its examples
    names = [*input_columns(wider), *hard_label_columns(wider).values(), *sampling]
    ours = loaded.training | {FROM_SOURCE: np.zeros((rows, 1), np.float32)}
    given |= {FROM_SOURCE: np.ones((new_rows, 1), np.float32)}
    training = {name: _stacked(name, ours, given, rows, new_rows, _unknown(wider, sizes)) for name in names}
    data = replace(
        loaded,
        training=training,
        evaluation=evaluation | {FROM_SOURCE: np.zeros((_length(evaluation), 1), np.float32)},
        fitted=np.concatenate([loaded.fitted, rows + np.arange(new_rows)]),
        vocabulary_sizes=sizes,
        statistics=label_statistics(wider, training) | loaded.statistics,
    )
    return Pool(Arm(POOLED, Role.REFERENCE, wider, distil=False), data)


def raw_columns(surface: Surface, source: Surface) -> list[str]:
    """The raw columns of the evaluation split that `pool` needs."""
    shared = shared_features(surface, source)
    return [name for name in shared if surface.features[name].kind is FeatureKind.CATEGORICAL]


def _length(columns: Mapping[str, NDArray[Any]]) -> int:
    return len(next(iter(columns.values())))


def _labels(raw: Mapping[str, NDArray[Any]], task: Task) -> NDArray[Any]:
    column = raw[task.label]
    return label_of_array(task.rule, column if column.dtype == object else column.astype(np.float32)).astype(np.float32)


def _read(folder: SurfaceFolder, source: Path, features: Mapping[str, str], tasks: Mapping[str, str]) -> _Columns:
    labels = {folder.surface.tasks[theirs].label for theirs in tasks.values()}
    return inputs.raw_columns(source / TRAIN_SPLIT, folder.schema, sorted({*features.values(), *labels}))


def _transformed(transform_graph: str, raw: Mapping[str, NDArray[Any]]) -> _Columns:
    """The source's columns as Transform's graph makes them of the target's."""
    output = tft.TFTransformOutput(transform_graph)
    transform = saved_transform_io_v2.SavedModelLoader(output.transform_savedmodel_dir)
    spec = output.raw_feature_spec()
    parts = []
    for first in range(0, _length(raw), _BATCH):
        block = {name: _as_raw(column[first : first + _BATCH], spec[name]) for name, column in raw.items()}
        found = transform.apply_transform_model(block)
        parts.append({name: found[name].numpy() for name in raw})
    return {name: np.concatenate([part[name] for part in parts]) for name in raw}


def _as_raw(column: NDArray[Any], spec: Any) -> Any:
    """A column in the form that the target's examples are parsed to."""
    if not isinstance(spec, tf.io.VarLenFeature):
        return tf.cast(tf.reshape(column, [-1, *spec.shape]), spec.dtype)
    there = column != b"" if column.dtype == object else np.isfinite(column)
    places = np.stack([np.flatnonzero(there), np.zeros(there.sum(), np.int64)], axis=1)
    values = column[there] if column.dtype == object else tf.cast(column[there], spec.dtype)
    return tf.SparseTensor(places, values, [len(column), 1])


def _extended(indices: NDArray[Any], raw: NDArray[Any], size: int, new: NDArray[Any]) -> NDArray[Any]:
    """Indices in which what was out of vocabulary, at size - 1, and is among `new` (sorted) follows from `size` on."""
    if not len(new):
        return indices
    place = np.minimum(np.searchsorted(new, raw), len(new) - 1)
    return np.where((indices == size - 1) & (new[place] == raw), size + place, indices)


def _wider(surface: Surface, source: Surface, tasks: Mapping[str, str], growth: float) -> Surface:
    """The target's surface with the domain as input, and a source task for each non-serving head.

    With so many more rows there are fewer epochs, so that it takes about as many steps.
    """
    added = {
        name: source.tasks[theirs].model_copy(update={"gates": (), "ungated": "a reference", "distil": None})
        for name, theirs in tasks.items()
        if name not in surface.tasks
    }
    epochs = max(_LEAST_EPOCHS, math.ceil(surface.training.epochs / growth))
    return surface.undistilled().model_copy(
        update={
            "features": {**surface.features, FROM_SOURCE: Feature(kind=FeatureKind.NUMERIC)},
            "tasks": {**surface.undistilled().tasks, **added},
            "training": surface.training.model_copy(update={"epochs": epochs}),
        }
    )


def _unknown(surface: Surface, sizes: Mapping[str, int]) -> dict[str, int]:
    """The row of each embedded column that stands for an unknown value."""
    features = {name: surface.owner(name) for name, feature in surface.features.items() if feature.embedded}
    return {name: sizes[owner] - 1 for name, owner in {**features, **{name: name for name in surface.crosses}}.items()}


def _stacked(
    name: str,
    ours: Mapping[str, NDArray[Any]],
    theirs: Mapping[str, NDArray[Any]],
    rows: int,
    new_rows: int,
    unknown: Mapping[str, int],
) -> NDArray[Any]:
    """A column of the target's rows and then the source's; what one of them lacks is absent there."""
    known = ours[name] if name in ours else theirs[name]

    def absent(count: int) -> NDArray[Any]:
        if name in unknown:
            return np.full((count, *known.shape[1:]), PADDING if known.ndim > 1 else unknown[name], known.dtype)
        # A z-scored number's mean is 0; a label that is not there is NaN.
        value = np.nan if name.startswith(LABEL_PREFIX) else 0.0
        return np.full((count, *known.shape[1:]), value, np.float32)

    parts = (ours.get(name, absent(rows)), theirs.get(name, absent(new_rows)))
    dtype = np.float32 if name.startswith(LABEL_PREFIX) else known.dtype
    return np.concatenate([part.astype(dtype, copy=False) for part in parts])
