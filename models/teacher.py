"""The reference teacher: a large ranker trained on the source domain.

Whoever has a teacher brings their own SavedModel; this one makes the embedded world and
the public data sets runnable from end to end.  It reads raw tensors (its preprocessing is
inside the model, as weights, so that there are no tables to initialize) and serves logits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from tensorflow_metadata.proto.v0 import schema_pb2
from tensorflow_transform.tf_metadata import schema_utils

from models import inputs, training
from models.batching import split
from models.columns import hard_label_column, hard_label_columns, list_length
from models.dense import clipped
from models.devices import device_of
from models.epochs import InMemory
from models.export import SIGNATURE, Endpoints, export_teacher
from models.feature_columns import PADDING
from models.layers import embedding_layer, input_layer
from models.names import identifier
from models.precision import in_full
from models.ranker import Ranker, build
from models.readable import expect_readable
from models.scales import LabelStatistics, label_statistics
from models.terms import head_losses
from records.examples import files_of
from records.labels import label_of_array
from records.record_files import records_of
from schema.candidates import EMBEDDINGS_SIGNATURE, ids_output, vectors_output
from schema.distillation import TRUNK
from schema.errors import InputError
from schema.loader import SurfaceFolder, load_surface
from schema.surface import POOL_PREFIX, TRAIN_SPLIT, Feature, FeatureKind, Surface

EXAMPLES_SIGNATURE = "examples"
REPRESENTATIONS_SIGNATURE = "representations"

_DTYPES = {schema_pb2.INT: "int64", schema_pb2.FLOAT: "float32"}

# Epochs without a better one before training ends, unless surface.yaml says otherwise.  A student must take
# as many steps as its control; a teacher is compared with nobody.
_PATIENCE = 3
_PREDICT_BATCH = 16_384

# Out of vocabulary is index 0; known ids follow in ascending order.
_OOV = 1


@dataclass(frozen=True)
class TeacherSummary:
    """What `train_teacher` made.

    Attributes:
      path: The SavedModel.
      parameters: Number of trained weights.
      rows: Examples in the source's training split.
      history: Losses per epoch.
    """

    path: Path
    parameters: int
    rows: int
    history: dict[str, list[float]]


def train_teacher(
    folder: str | Path,
    examples: str | Path | Sequence[Path],
    out: str | Path,
    callbacks: list[keras.callbacks.Callback] | None = None,
) -> TeacherSummary:
    """Trains the reference teacher on the source domain and exports it.

    The SavedModel has three signatures: `serving_default` over one named tensor a feature,
    `examples` over serialized tf.Examples, and `representations` as the first.  They return,
    per task, float32 [batch]: a logit for binary tasks, a value in the label's unit for
    regression tasks; and [batch, classes], a logit for each class, for multiclass tasks; the
    last one also `trunk`, float32 [batch, width], what tasks share.
    If there are categorical features, a fourth one, `embeddings`, takes nothing and returns
    for each its known ids, int64 [ids], and their embeddings, float32 [ids, width], so that
    students can start from them.

    Lists are padded: ids with -1, numbers with NaN; `tensors` are given so, in the order of the examples.

    Args:
      folder: The source's surface folder.
      examples: Folder with `train/`, gzipped TFRecords; or several of these, such as spans.
      out: Where the SavedModel goes; must not exist.
      callbacks: More Keras callbacks (progress).

    Raises:
      InputError: The folder, the examples or the output path are not usable.
    """
    loaded = load_surface(folder)
    expect_readable(loaded.surface)
    if Path(out).exists():
        raise InputError(f"{out}: already exists; choose another path, or remove it to train again")
    surface = loaded.surface
    keras.utils.set_random_seed(surface.training.seed)
    folders = [Path(examples)] if isinstance(examples, str | Path) else examples
    columns = _read(loaded, [each / TRAIN_SPLIT for each in folders])
    encoders = _encoders(surface, columns)
    statistics = label_statistics(surface, columns)
    sizes = {name: encoder.size for name, encoder in _own_ids(surface, encoders).items()}
    with device_of(surface.training):
        ranker = build(surface, sizes, statistics, distil=False)
    history = _fit(ranker, surface, encoders, columns, statistics, callbacks or [])
    with in_full(ranker.logits):
        _export(ranker, surface, encoders, loaded, str(out))
    return TeacherSummary(Path(out), ranker.serving.count_params(), len(next(iter(columns.values()))), history)


def predict(loaded: SurfaceFolder, folder: Path, teacher: Path) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Labels and predictions of a reference teacher on a split of its source.

    Args:
      loaded: The source's surface folder.
      folder: Folder of the split, gzipped TFRecords.
      teacher: The SavedModel.

    Returns:
      For each task the labels, NaN where absent, float32 [examples], and what the teacher says, float32 [examples]
      or [examples, classes].

    Raises:
      InputError: There are no files, or no examples in them.
    """
    tasks = loaded.surface.tasks
    spec = schema_utils.schema_as_feature_spec(loaded.schema).feature_spec
    wanted = {task.label: spec[task.label] for task in tasks.values()}
    signature = tf.saved_model.load(str(teacher)).signatures[EXAMPLES_SIGNATURE]
    labels: dict[str, list[np.ndarray]] = {name: [] for name in tasks}
    predictions: dict[str, list[np.ndarray]] = {name: [] for name in tasks}
    for batch in records_of(files_of(folder)).batch(_PREDICT_BATCH):
        said, columns = signature(batch), tf.io.parse_example(batch, wanted)
        for name, task in tasks.items():
            column = _numbers_or_texts(inputs.dense(columns[task.label]).numpy().ravel())
            labels[name].append(label_of_array(task.rule, column).astype(np.float32))
            predictions[name].append(said[name].numpy())
    if not all(labels.values()):
        raise InputError(f"{folder}: the files hold no examples")
    return {name: (np.concatenate(labels[name]), np.concatenate(predictions[name])) for name in tasks}


class _NumberEncoder(keras.layers.Layer):
    """Z-scores in float64, to float32 [batch, size]; the statistics are weights."""

    def __init__(self, name: str, values: np.ndarray, feature: Feature):
        # Else Keras casts numbers to float32 before they come in.
        super().__init__(name=f"encode_{identifier(name)}", trainable=False, autocast=False)
        flat = values.reshape(len(values), feature.size).astype(np.float64)
        self._size = feature.size
        self._default = 0.0 if feature.default is None else float(feature.default)
        flat = np.where(np.isfinite(flat), flat, self._default)
        self._feature = feature
        flat = clipped(tf.constant(flat), feature).numpy()
        self._mean = self.add_weight(shape=(feature.size,), name="mean", dtype="float64", trainable=False)
        self._std = self.add_weight(shape=(feature.size,), name="std", dtype="float64", trainable=False)
        deviation = flat.std(axis=0)
        self._mean.assign(flat.mean(axis=0))
        self._std.assign(np.where(deviation > 0, deviation, 1.0))

    def call(self, values: tf.Tensor) -> tf.Tensor:
        # Subtracted before it is cast, as in Transform.
        numbers = tf.reshape(tf.cast(values, tf.float64), [-1, self._size])
        numbers = clipped(tf.where(tf.math.is_nan(numbers), tf.cast(self._default, tf.float64), numbers), self._feature)
        return tf.cast((numbers - self._mean) / self._std, tf.float32)


class _IdEncoder(keras.layers.Layer):
    """Maps integer ids to indices by binary search in the sorted vocabulary, a weight."""

    def __init__(self, name: str, values: np.ndarray, feature: Feature, *, listed: bool = False):
        super().__init__(name=f"encode_{identifier(name)}", trainable=False)
        if values.dtype.kind not in "iu":
            raise InputError(
                f"feature {name!r}: the reference teacher reads categorical features of type INT, found {values.dtype}"
            )
        ids, counts = np.unique(values, return_counts=True)
        ids = ids[(counts >= feature.min_count) & ((ids != PADDING) | (not listed))]
        self._ids = self.add_weight(shape=ids.shape, dtype="int64", name="ids", trainable=False, initializer="zeros")
        self._ids.assign(ids)
        self.size = len(ids) + _OOV

    @property
    def ids(self) -> tf.Tensor:
        """The known ids in the order of their indices, int64 [ids]."""
        return tf.convert_to_tensor(self._ids)

    def call(self, values: tf.Tensor) -> tf.Tensor:
        """Rows of ids, int64 [batch] or [batch, length]; padding stays what it is."""
        ids = self.ids
        flat = tf.reshape(tf.cast(values, tf.int64), [-1])
        place = tf.minimum(tf.searchsorted(ids, flat, out_type=tf.int64), self.size - _OOV - 1)
        rows = tf.where(tf.gather(ids, place) == flat, place + _OOV, tf.zeros_like(place))
        if len(values.shape) > 1:
            rows = tf.where(flat == PADDING, flat, rows)
        return tf.reshape(rows, tf.shape(values))

    def compute_output_spec(self, values: keras.KerasTensor) -> keras.KerasTensor:
        return keras.KerasTensor(values.shape, "int64")


class _EventNumbers(keras.layers.Layer):
    """The z-scores of a sequence's numbers, to float32 [batch, length]; 0, their mean, where there is none."""

    def __init__(self, name: str, values: np.ndarray, feature: Feature):
        super().__init__(name=f"encode_{identifier(name)}", trainable=False, autocast=False)
        self._of_one = _NumberEncoder(f"{name}/one", values[np.isfinite(values)], feature)

    def call(self, values: tf.Tensor) -> tf.Tensor:
        scores = tf.reshape(self._of_one(tf.reshape(values, [-1])), tf.shape(values))
        return tf.where(tf.math.is_nan(values), tf.zeros_like(scores), scores)

    def compute_output_spec(self, values: keras.KerasTensor) -> keras.KerasTensor:
        return keras.KerasTensor(values.shape, "float32")


class _PoolWeights(keras.layers.Layer):
    """Weights as they are, and 1 where there is none."""

    def call(self, values: tf.Tensor) -> tf.Tensor:
        return tf.where(tf.math.is_nan(values), tf.ones_like(values), values)


_Encoder = _NumberEncoder | _IdEncoder | _EventNumbers | _PoolWeights


def _encoders(surface: Surface, columns: Mapping[str, np.ndarray]) -> dict[str, _Encoder]:
    """What encodes each raw column; columns that share an embedding share one."""
    found: dict[str, _Encoder] = {}
    for name, feature in surface.features.items():
        if feature.kind is FeatureKind.CATEGORICAL and surface.owner(name) == name:
            sharing = [columns[each].ravel() for each in surface.features if surface.owner(each) == name]
            found[name] = _IdEncoder(name, np.concatenate(sharing), feature, listed=len(sharing) > 1 or feature.listed)
    for name, feature in surface.features.items():
        if feature.kind is FeatureKind.NUMERIC:
            found[name] = (_EventNumbers if feature.listed else _NumberEncoder)(name, columns[name], feature)
        found.setdefault(name, found[surface.owner(name)])
        if feature.weights is not None:
            found[feature.weights] = _PoolWeights(name=f"encode_{identifier(feature.weights)}")
    return found


def _own_ids(surface: Surface, encoders: Mapping[str, _Encoder]) -> dict[str, _IdEncoder]:
    """The encoders of ids by the feature that has the embedding."""
    return {
        name: encoder
        for name, encoder in encoders.items()
        if isinstance(encoder, _IdEncoder) and surface.owner(name) == name
    }


def _encoded(surface: Surface, encoders: Mapping[str, _Encoder], raw: Mapping[str, Any]) -> dict[str, Any]:
    """The columns that the model reads, by their names."""
    named = {each.weights: POOL_PREFIX + name for name, each in surface.features.items() if each.weights is not None}
    return {named.get(name, name): encoders[name](column) for name, column in raw.items()}


def _read(loaded: SurfaceFolder, folders: Sequence[Path]) -> dict[str, np.ndarray]:
    """Feature columns by name, and hard labels by `label/<task>`, NaN where absent."""
    parts = [_read_folder(loaded, each) for each in folders]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _read_folder(loaded: SurfaceFolder, folder: Path) -> dict[str, np.ndarray]:
    surface = loaded.surface
    labels = {task.label for task in surface.tasks.values()}
    lengths = _lengths(surface)
    plain = [name for name in surface.features if name not in lengths]
    raw = inputs.raw_columns(folder, loaded.schema, [*plain, *labels])
    features = {name: raw[name] for name in plain} | inputs.raw_lists(folder, loaded.schema, lengths)
    return features | {
        hard_label_column(name): label_of_array(task.rule, _numbers_or_texts(raw[task.label])).astype(np.float32)
        for name, task in surface.tasks.items()
    }


def _numbers_or_texts(column: np.ndarray) -> np.ndarray:
    return column if column.dtype == object else column.astype(np.float32)


def _lengths(surface: Surface) -> dict[str, int]:
    """The length of each raw column with many values."""
    found = {}
    for name, feature in surface.features.items():
        if feature.listed:
            found[name] = list_length(surface, feature)
        if feature.weights is not None:
            found[feature.weights] = feature.length
    return found


def _fit(
    ranker: Ranker,
    surface: Surface,
    encoders: Mapping[str, _Encoder],
    columns: Mapping[str, np.ndarray],
    statistics: Mapping[str, LabelStatistics],
    callbacks: list[keras.callbacks.Callback],
) -> dict[str, list[float]]:
    raw = {name: columns[name] for name in encoders}
    encoded = {name: column.numpy() for name, column in _encoded(surface, encoders, raw).items()}
    encoded |= {column: columns[column] for column in hard_label_columns(surface).values()}
    fitted, held_out = split(len(next(iter(encoded.values()))), surface.training)
    # Hard losses compare no rows, and the source's rows are read without their group.
    stopping = surface.training.early_stopping
    patient = stopping.model_copy(update={"patience": stopping.patience or _PATIENCE})
    by_rows = surface.training.model_copy(update={"batch_by": "rows", "early_stopping": patient})
    data = InMemory(encoded, fitted, held_out, by_rows)
    return training.fit(ranker, surface, head_losses(surface, statistics, distil=False), data, callbacks).history


def _export(
    ranker: Ranker,
    surface: Surface,
    encoders: Mapping[str, _Encoder],
    loaded: SurfaceFolder,
    out: str,
) -> None:
    dtypes = {column.name: _DTYPES[column.type] for column in loaded.schema.feature if column.type in _DTYPES}
    raw = {name: _raw_input(surface, name, dtypes[name]) for name in surface.raw_columns}
    encoded = _encoded(surface, encoders, raw)
    logits = ranker.logits(encoded)
    model = keras.Model(raw, logits, name="teacher")
    wider = keras.Model(raw, {**logits, TRUNK: ranker.trunk(encoded)}, name="teacher_with_trunk")
    tensors = {name: tf.TensorSpec([None, *each.shape[1:]], each.dtype, name=name) for name, each in raw.items()}
    spec = {name: _parse_spec(surface, name, each) for name, each in raw.items()}

    def on_tensors(features: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        return model(features)

    def with_trunk(features: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        return wider(features)

    def on_examples(examples: tf.Tensor) -> dict[str, tf.Tensor]:
        return model(inputs.padded(tf.io.parse_example(examples, spec), _lengths(surface)))

    strings = [tf.TensorSpec([None], tf.string, name=EXAMPLES_SIGNATURE)]
    endpoints: Endpoints = {
        SIGNATURE: (on_tensors, [tensors]),
        EXAMPLES_SIGNATURE: (on_examples, strings),
        REPRESENTATIONS_SIGNATURE: (with_trunk, [tensors]),
    }
    id_encoders = _own_ids(surface, encoders)
    if id_encoders:
        endpoints[EMBEDDINGS_SIGNATURE] = (lambda: _embeddings(ranker, id_encoders), [])
    export_teacher(wider, endpoints, out)


def _embeddings(ranker: Ranker, encoders: Mapping[str, _IdEncoder]) -> dict[str, tf.Tensor]:
    found: dict[str, tf.Tensor] = {}
    for name, encoder in encoders.items():
        table = tf.convert_to_tensor(ranker.logits.get_layer(embedding_layer(name)).embeddings)
        found |= {ids_output(name): encoder.ids, vectors_output(name): table[_OOV:]}
    return found


def _raw_input(surface: Surface, name: str, dtype: str) -> keras.KerasTensor:
    length = _lengths(surface).get(name)
    size = 1 if length is not None else surface.features[name].size
    shape = (length,) if length is not None else () if size == 1 else (size,)
    tensor = keras.Input(shape, dtype=dtype, name=input_layer(name))
    tensor.name = name
    return tensor


def _parse_spec(surface: Surface, name: str, tensor: keras.KerasTensor) -> tf.io.FixedLenFeature | tf.io.VarLenFeature:
    if name in _lengths(surface):
        return tf.io.VarLenFeature(tensor.dtype)
    feature = surface.features[name]
    default = None if feature.default is None else [feature.default] * feature.size
    return tf.io.FixedLenFeature(tensor.shape[1:], tensor.dtype, default if feature.size > 1 else feature.default)
