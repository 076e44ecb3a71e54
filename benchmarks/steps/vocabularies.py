"""What a training step costs by the size of a vocabulary, beside Keras's own `fit` with its Adam.

The model is the surface's, with as many users as asked for; rows are made at random, since a
step's cost does not depend on what they say.  All sizes and both ways take steps in turn, in
one process; each ratio is the median over rounds of the ratio within a round.  Memory is
that of a process for each size: the most that training, exporting and loading the export
have added to it at any time, in sizes of the table.
"""

from __future__ import annotations

import gc
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from benchmarks.serving import median
from benchmarks.steps.memory import forget_peak, in_a_process, resident
from models import training
from models.batching import split
from models.columns import hard_label_columns, soft_label_columns
from models.epochs import InMemory
from models.export import SIGNATURE, export_teacher
from models.ranker import Ranker, build
from models.scales import LabelStatistics
from models.tables import Table
from models.terms import head_losses
from models.trainable import Trainable
from records.sessions import SessionModel
from schema.surface import FeatureKind, Surface

# Steps of a turn; Keras's moves every row in every step, and so takes fewer of them.
_STEPS = 100
_KERAS_STEPS = 4
_OTHER_IDS = 1000
# What a model of another size than the tables takes is measured at this one.
_HARDLY_ANY = 100

Turn = Callable[[], Any]


def measure(surface: Surface, sizes: list[int], rounds: int) -> dict[str, Any]:
    """Processor time of a step by size and way, their ratios, and memory by size."""
    memory = {str(size): _memory(surface, size) for size in sizes}
    turns = {size: {**_ours(surface, size), "keras": _keras_s(surface, size)} for size in sizes}
    counts = {"ours": _STEPS, "keras": _KERAS_STEPS, "settle": 1}
    taken: dict[str, dict[int, list[float]]] = {name: {size: [] for size in sizes} for name in counts}
    for number in range(rounds + 1):
        # Every size in every place of the turn.
        for size in sizes[number % len(sizes) :] + sizes[: number % len(sizes)]:
            for name, turn in turns[size].items():
                started = time.process_time()
                turn()
                if number:  # the first one traces
                    taken[name][size].append((time.process_time() - started) / counts[name])
    seconds = {name: {size: np.array(each) for size, each in of.items()} for name, of in taken.items()}
    return {"clock": "processor time", "rounds": rounds, **figures(seconds), "memory_in_tables": memory}


def figures(seconds: Mapping[str, Mapping[int, np.ndarray]]) -> dict[str, Any]:
    """Milliseconds a step, and ratios with their intervals, by size; seconds are of each round."""
    ours, theirs = seconds["ours"], seconds["keras"]
    smallest = min(ours)
    milliseconds = {
        name: {str(size): round(float(np.median(each)) * 1e3, 3) for size, each in of.items()}
        for name, of in seconds.items()
    }
    return {
        "ms_at_the_end_of_an_epoch": milliseconds.pop("settle"),
        "ms_per_step": milliseconds,
        "step_to_smallest": {str(size): median(each / ours[smallest]) for size, each in ours.items()},
        "step_to_keras": {str(size): median(each / theirs[size]) for size, each in ours.items()},
    }


def _large(surface: Surface) -> str:
    """The feature whose vocabulary is made large: the first categorical one."""
    return next(name for name, each in surface.features.items() if each.kind is FeatureKind.CATEGORICAL)


def _sizes(surface: Surface, size: int) -> dict[str, int]:
    categorical = [name for name, each in surface.features.items() if each.kind is FeatureKind.CATEGORICAL]
    return {name: size if name == _large(surface) else _OTHER_IDS for name in categorical}


def _columns(surface: Surface, size: int, steps: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    rows = steps * surface.training.batch_size
    ids = _sizes(surface, size)
    found: dict[str, np.ndarray] = {
        name: rng.integers(ids[name], size=rows)
        if name in ids
        else rng.normal(size=(rows, feature.size)).astype(np.float32)
        for name, feature in surface.features.items()
    }
    found |= {column: rng.integers(2, size=rows).astype(np.float32) for column in hard_label_columns(surface).values()}
    soft = set(soft_label_columns(surface).values())
    return found | {column: rng.normal(size=rows).astype(np.float32) for column in soft}


def _statistics(surface: Surface) -> dict[str, LabelStatistics]:
    columns = [*surface.tasks, *soft_label_columns(surface).values()]
    return {name: LabelStatistics(0.5, 0.5) for name in columns}


def _ranker(surface: Surface, size: int) -> Ranker:
    return build(surface, _sizes(surface, size), _statistics(surface), distil=True)


def _ours(surface: Surface, size: int) -> dict[str, Turn]:
    ranker = _ranker(surface, size)
    loop = training.Loop(ranker, surface, head_losses(surface, _statistics(surface), distil=True))
    data = _in_memory(surface, size, _STEPS)
    return {"ours": lambda: loop.take(data.epoch(0), 0), "settle": loop.settle}


def _in_memory(surface: Surface, size: int, steps: int) -> InMemory:
    columns = _columns(surface, size, steps)
    rows = np.arange(steps * surface.training.batch_size)
    return InMemory(columns, rows, rows[:0], surface.training)


def _keras_s(surface: Surface, size: int) -> Turn:
    """The same model with Keras's own layers, optimizer and loop."""
    model = keras.models.clone_model(_ranker(surface, size).training, clone_function=_plain(surface.model.l2))
    terms = head_losses(surface, _statistics(surface), distil=True)
    trained = Trainable(model, terms, uncertainty=False)
    trained.compile(optimizer=keras.optimizers.Adam(surface.training.learning_rate), jit_compile=False)
    columns = _columns(surface, size, _KERAS_STEPS)
    features = {name: column for name, column in columns.items() if name in surface.features}
    labels = {name: column for name, column in columns.items() if name not in features}
    return lambda: trained.fit(features, labels, batch_size=surface.training.batch_size, verbose=0)


def _plain(l2: float) -> Callable[[keras.layers.Layer], keras.layers.Layer]:
    def plain(layer: keras.layers.Layer) -> keras.layers.Layer:
        if not isinstance(layer, Table):
            return layer
        penalty = keras.regularizers.L2(l2) if l2 else None
        return keras.layers.Embedding(
            layer.input_dim, layer.output_dim, embeddings_regularizer=penalty, name=layer.name
        )

    return plain


def _memory(surface: Surface, size: int) -> dict[str, float]:
    """The most that was added to a process at any time, in sizes of the table."""
    with tempfile.TemporaryDirectory() as folder:
        table = size * surface.features[_large(surface)].embedding * np.dtype(np.float32).itemsize
        large, small = str(Path(folder) / "large"), str(Path(folder) / "small")
        added = in_a_process(_train_and_export, surface, size, large)
        in_a_process(_train_and_export, surface, _HARDLY_ANY, small)
        added |= in_a_process(_load, surface, small, large)
        return {name: round(value / table, 2) for name, value in added.items()}


def _train_and_export(surface: Surface, size: int, out: str) -> dict[str, float]:
    """Two epochs, of which the better is kept, and the export; a small model came before, so that code is loaded."""
    _trained(surface, _HARDLY_ANY)
    gc.collect()
    before = resident("VmRSS")
    forget_peak()
    ranker = _trained(surface, size)
    trained = resident("VmHWM") - before
    gc.collect()
    forget_peak()
    model = ranker.logits
    tensors = {each.name: tf.TensorSpec([None, *each.shape[1:]], each.dtype, name=each.name) for each in model.inputs}
    export_teacher(model, {SIGNATURE: (lambda features: model(features), [tensors])}, out)
    return {"training": trained, "export": resident("VmHWM") - before}


def _trained(surface: Surface, size: int) -> Ranker:
    ranker = _ranker(surface, size)
    columns = _columns(surface, size, _STEPS)
    data = InMemory(columns, *split(_STEPS * surface.training.batch_size, surface.training), surface.training)
    terms = head_losses(surface, _statistics(surface), distil=True)
    training.fit(ranker, surface, terms, data=data)
    return ranker


def _load(surface: Surface, small: str, large: str) -> dict[str, float]:
    """Loads an export as a server does and asks it once; a small one came before."""
    _ask(surface, small)
    gc.collect()
    before = resident("VmRSS")
    forget_peak()
    _ask(surface, large)
    return {"load": resident("VmHWM") - before}


def _ask(surface: Surface, model_dir: str) -> None:
    model = SessionModel(model_dir)
    one = _columns(surface, 1, 1)
    model.call(*(one[name][:1] for name in model.inputs))
    model.close()
