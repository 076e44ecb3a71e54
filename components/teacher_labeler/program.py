"""The teacher with its feature adaptation, callable on batches of serialized examples."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from components.teacher_labeler.adaptation import Adapted, Parser, adapt
from components.teacher_labeler.columns import (
    FLOAT,
    INT,
    STRING,
    check_kinds,
    needed_columns,
    observe_kinds,
    teacher_of,
)
from components.teacher_labeler.encoding import NumberField, NumberLayout, encode_strings
from components.teacher_labeler.parsing import parse_fixed, parse_ragged
from components.teacher_labeler.plan import LabelPlan
from components.teacher_labeler.records import cause
from schema.errors import InputError
from schema.teacher import TeacherFeature

_EXAMPLES_DTYPES = {FLOAT: tf.float32.name, INT: tf.int64.name, STRING: tf.string.name}
# TensorFlow quotes an unparsable record in its message; where that is not UTF-8, its Python
# binding fails to decode the message and raises UnicodeDecodeError in place of its own error.
BAD_RECORD_ERRORS = (tf.errors.InvalidArgumentError, UnicodeDecodeError)
_Call = Callable[[tf.Tensor], tuple[tf.Tensor, ...]]
_RAW = tf.TensorSpec([None], tf.string)


@dataclass(frozen=True)
class Scores:
    """What came out for a batch.

    Attributes:
      logits: float32 [batch, teacher tasks].
      vectors: The teacher's representations beside each other, float32 [batch, sum of sizes].
      labels: float32 [batch, hard labels], NaN where absent.
      unfit: Boolean [batch]: rows whose logits mean nothing.
      filled: Rows without fault in which each feature was filled, int [features].
    """

    logits: NDArray[np.float32]
    vectors: NDArray[np.float32]
    labels: NDArray[np.float32]
    unfit: NDArray[np.bool_]
    filled: NDArray[np.int64]


class TeacherProgram:
    """A loaded teacher.  Thread-safe; loads once, and traces once per set of column kinds."""

    def __init__(self, plan: LabelPlan) -> None:
        self.plan = plan
        self._lock = threading.Lock()
        self._model = _load(plan.signature.model_dir)
        self._signature = self._model.signatures[plan.signature.name]
        self._build()

    def __call__(self, raw: tf.Tensor) -> Scores:
        """Labels a batch.

        Args:
          raw: String [batch], serialized tf.Examples.

        Raises:
          BAD_RECORD_ERRORS: A record cannot be parsed or cast, or the teacher refused it.
          InputError: The teacher did not give one number per example.
        """
        try:
            logits, vectors, labels, unfit, filled = self._fast(raw)
        except BAD_RECORD_ERRORS:
            logits, vectors, labels, unfit, filled = self._tolerant(raw)
        if logits.shape[0] != raw.shape[0]:
            raise InputError(
                f"{self.plan.signature.model_dir}: signature {self.plan.signature.name!r}: expected one number per "
                f"example, found {logits.shape[0]} for {raw.shape[0]} examples"
            )
        return Scores(logits.numpy(), vectors.numpy(), labels.numpy(), unfit.numpy(), filled.numpy())

    def learn_kinds(self, records: list[bytes], path: str) -> bool:
        """Takes note of columns that `records` are the first to hold.

        Returns:
          Whether there were any; then a batch that failed may succeed now.

        Raises:
          InputError: A column's kind cannot be cast to what is needed.
        """
        with self._lock:
            unknown = set(needed_columns(self.plan.surface)) - set(self.plan.kinds)
            seen = observe_kinds(records, unknown)
            if not seen:
                return False
            check_kinds(self.plan.surface, seen, path)
            self.plan = replace(self.plan, kinds={**self.plan.kinds, **seen})
            self._build()
            return True

    def _build(self) -> None:
        """Makes the two graphs, which differ in how they parse; the tolerant one is traced when first needed."""
        takes_tensors = teacher_of(self.plan.surface).takes == "tensors"
        build = self._build_for_tensors if takes_tensors else self._build_for_examples
        self._fast, self._tolerant = build(self.plan, parse_fixed), build(self.plan, parse_ragged)

    def _build_for_tensors(self, plan: LabelPlan, parse: Parser) -> _Call:
        """Parsing, adaptation and teacher in one graph."""
        specs, kinds = plan.signature.inputs, plan.all_kinds()
        dtypes = {name: spec.dtype for name, spec in specs.items()}

        @tf.function(input_signature=[_RAW], autograph=False)
        def call(raw: tf.Tensor) -> tuple[tf.Tensor, ...]:
            adapted = adapt(raw, plan.surface, kinds, dtypes, parse)
            inputs = {
                name: tensor if specs[name].rank == 2 else tf.squeeze(tensor, axis=1)
                for name, tensor in adapted.inputs.items()
            }
            return (*self._outputs(self._signature(**inputs)), *_bookkeeping(adapted))

        return call

    def _build_for_examples(self, plan: LabelPlan, parse: Parser) -> _Call:
        """Adaptation in one graph, the examples rebuilt from its result, the teacher in another.

        The teacher gets examples of the declared features only: what else the target's records
        hold cannot reach a feature of the teacher that happens to bear the same name.
        """
        features = teacher_of(plan.surface).features
        dtypes = {name: _EXAMPLES_DTYPES[feature.dtype] for name, feature in features.items()}
        kinds = plan.all_kinds()
        (argument,) = plan.signature.inputs
        encode = _example_encoder(features)

        @tf.function(input_signature=[_RAW], autograph=False)
        def prepare(raw: tf.Tensor) -> tuple[Any, ...]:
            adapted = adapt(raw, plan.surface, kinds, dtypes, parse)
            return (adapted.inputs, *_bookkeeping(adapted))

        @tf.function(input_signature=[_RAW], autograph=False)
        def infer(serialized: tf.Tensor) -> tuple[tf.Tensor, ...]:
            return self._outputs(self._signature(**{argument: serialized}))

        def call(raw: tf.Tensor) -> tuple[tf.Tensor, ...]:
            inputs, *rest = prepare(raw)
            serialized = tf.constant(encode({name: tensor.numpy() for name, tensor in inputs.items()}))
            return (*infer(serialized), *rest)

        return call

    def _outputs(self, outputs: Mapping[str, tf.Tensor]) -> tuple[tf.Tensor, tf.Tensor]:
        """Tasks, float32 [batch, tasks], and representations, [batch, sum of sizes], in the surface's order."""
        teacher, keys = teacher_of(self.plan.surface), self.plan.signature.outputs
        columns = [tf.cast(tf.reshape(outputs[keys[task]], [-1]), tf.float32) for task in teacher.tasks]
        logits = tf.stack(columns, axis=1)
        vectors = [tf.cast(outputs[keys[name]], tf.float32) for name in teacher.representations]
        return logits, tf.concat([logits[:, :0], *vectors], axis=1)


def _load(model_dir: str) -> Any:
    try:
        return tf.saved_model.load(model_dir)
    except (tf.errors.OpError, OSError, ValueError) as error:
        raise InputError(
            f"{model_dir}: the teacher's SavedModel cannot be loaded ({cause(error)}). Export it again."
        ) from error


def _bookkeeping(adapted: Adapted) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Hard labels, unfit rows, and how many of the fit rows were filled, by feature."""
    counted = tf.logical_and(adapted.filled, tf.logical_not(adapted.unfit)[:, tf.newaxis])
    return adapted.labels, adapted.unfit, tf.reduce_sum(tf.cast(counted, tf.int64), axis=0)


def _example_encoder(features: Mapping[str, TeacherFeature]) -> Callable[[Mapping[str, NDArray]], list[bytes]]:
    numbers = [name for name, feature in features.items() if feature.dtype != STRING]
    strings = [name for name, feature in features.items() if feature.dtype == STRING]
    layout = NumberLayout([NumberField(name, features[name].dtype, features[name].size) for name in numbers])

    def encode(inputs: Mapping[str, NDArray]) -> list[bytes]:
        parts = [encode_strings(name, inputs[name]) for name in strings]
        if numbers:
            parts.append(layout.encode([inputs[name] for name in numbers]))
        return parts[0] if len(parts) == 1 else [b"".join(pieces) for pieces in zip(*parts, strict=True)]

    return encode
