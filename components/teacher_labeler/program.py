"""The teacher with its feature adaptation, callable on batches of serialized examples."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from components.teacher_labeler.adaptation import Adapted, Parser, adapt
from components.teacher_labeler.columns import check_kinds, column_of, needed_columns, readers
from components.teacher_labeler.example_encoder import example_encoder
from components.teacher_labeler.parsing import parse_fixed, parse_ragged
from components.teacher_labeler.plan import LabelPlan
from components.teacher_labeler.vocabulary import Lookup
from records.shards import cause
from records.tf_example import FLOAT, INT, STRING, observe_kinds
from schema.errors import InputError
from schema.teacher import TeacherTask

_EXAMPLES_DTYPES = {FLOAT: tf.float32.name, INT: tf.int64.name, STRING: tf.string.name}
# TensorFlow quotes an unparsable record in its message; where that is not UTF-8, its Python
# binding fails to decode the message and raises UnicodeDecodeError in place of its own error.
BAD_RECORD_ERRORS = (tf.errors.InvalidArgumentError, UnicodeDecodeError)
# A float32 next to 1; a logit of 16 is as certain as its probability can say.
_LEAST_PROBABILITY = 1e-7
# How far probabilities of classes may be from a sum of 1, as a float16 rounds them.
_OFF_ONE = 1e-2
_RAW = tf.TensorSpec([None], tf.string)


class _Answers(NamedTuple):
    """The tensors of `TeacherScores`."""

    logits: tf.Tensor
    vectors: tf.Tensor
    labels: tf.Tensor
    unfit: tf.Tensor
    filled: tf.Tensor


_Call = Callable[[tf.Tensor], _Answers]


@dataclass(frozen=True)
class TeacherScores:
    """What came out for a batch.

    Attributes:
      logits: float32 [batch, teacher tasks]; of a multiclass task, for reports, the log of the
        probability of its likeliest class.
      vectors: The logits of multiclass tasks, then the teacher's representations beside each other,
        float32 [batch, sum of sizes].
      labels: float32 [batch, hard labels], NaN where absent.
      unfit: Boolean [batch]: rows whose logits mean nothing.
      filled: Rows without fault in which each feature was filled, and in which it had a value
        that is not in its vocabulary; int [features, 2].
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

    def __call__(self, raw: tf.Tensor) -> TeacherScores:
        """Labels a batch.

        Args:
          raw: String [batch], serialized tf.Examples.

        Raises:
          BAD_RECORD_ERRORS: A record cannot be parsed or cast, or the teacher refused it.
          InputError: The teacher did not give one number per example.
        """
        try:
            found = self._fast(raw)
        except BAD_RECORD_ERRORS:
            return self.tolerant(raw)
        return self._scores(raw, found)

    def tolerant(self, raw: tf.Tensor) -> TeacherScores:
        """The same for a batch that is known to hold bad records: they are not parsed the fast way first."""
        return self._scores(raw, self._tolerant(raw))

    def _scores(self, raw: tf.Tensor, found: _Answers) -> TeacherScores:
        if found.logits.shape[0] != raw.shape[0]:
            raise InputError(
                f"{self.plan.signature.model_dir}: signature {self.plan.signature.name!r}: expected one number per "
                f"example, found {found.logits.shape[0]} for {raw.shape[0]} examples"
            )
        return TeacherScores(*(tensor.numpy() for tensor in found))

    def by_task(self, scores: TeacherScores) -> dict[str, NDArray[np.float32]]:
        """What each task says: float32 [batch], or [batch, classes] of a multiclass one."""
        found, at = {}, 0
        for place, (name, task) in enumerate(self.plan.surface.teacher.tasks.items()):
            if task.classes is None:
                found[name] = scores.logits[:, place]
            else:
                found[name], at = scores.vectors[:, at : at + task.size], at + task.size
        return found

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

    @property
    def signatures(self) -> Mapping[str, Any]:
        """The signatures of the teacher's SavedModel, by name."""
        signatures: Mapping[str, Any] = self._model.signatures
        return signatures

    @property
    def lookups(self) -> Mapping[str, Lookup]:
        """The vocabularies, by the teacher's feature."""
        return self._lookups

    def input_dtypes(self) -> dict[str, str]:
        """The TensorFlow type that each of the teacher's features is adapted to."""
        if self.plan.surface.teacher.takes == "tensors":
            return {name: spec.dtype for name, spec in self.plan.signature.inputs.items()}
        return {name: _EXAMPLES_DTYPES[feature.dtype] for name, feature in self.plan.surface.teacher.features.items()}

    def _build(self) -> None:
        """Makes the two graphs, which differ in how they parse; the tolerant one is traced when first needed."""
        kinds = self.plan.all_kinds()
        self._lookups = {
            name: Lookup(name, feature, kinds[column_of(name, feature)])
            for name, feature in readers(self.plan.surface).items()
            if feature.vocabulary
        }
        takes_tensors = self.plan.surface.teacher.takes == "tensors"
        build = self._build_for_tensors if takes_tensors else self._build_for_examples
        self._fast, self._tolerant = build(self.plan, parse_fixed), build(self.plan, parse_ragged)

    def _build_for_tensors(self, plan: LabelPlan, parse: Parser) -> _Call:
        """Parsing, adaptation and teacher in one graph."""
        specs, kinds, lookups = plan.signature.inputs, plan.all_kinds(), self._lookups
        dtypes = self.input_dtypes()

        @tf.function(input_signature=[_RAW], autograph=False)
        def call(raw: tf.Tensor) -> _Answers:
            adapted = adapt(raw, plan.surface, kinds, dtypes, parse, lookups)
            inputs = {
                name: tensor if specs[name].rank == 2 else tf.squeeze(tensor, axis=1)
                for name, tensor in adapted.inputs.items()
            }
            return _Answers(*self._outputs(self._signature(**inputs)), *_bookkeeping(adapted))

        return call

    def _build_for_examples(self, plan: LabelPlan, parse: Parser) -> _Call:
        """Adaptation in one graph, the examples rebuilt from its result, the teacher in another.

        The teacher gets examples of the declared features only: what else the target's records
        hold cannot reach a feature of the teacher that happens to bear the same name.
        """
        features = plan.surface.teacher.features
        dtypes = self.input_dtypes()
        kinds, lookups = plan.all_kinds(), self._lookups
        (argument,) = plan.signature.inputs
        encode = example_encoder(features)

        @tf.function(input_signature=[_RAW], autograph=False)
        def prepare(raw: tf.Tensor) -> tuple[Any, ...]:
            adapted = adapt(raw, plan.surface, kinds, dtypes, parse, lookups)
            return (adapted.inputs, adapted.lengths, *_bookkeeping(adapted))

        @tf.function(input_signature=[_RAW], autograph=False)
        def infer(serialized: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            return self._outputs(self._signature(**{argument: serialized}))

        def call(raw: tf.Tensor) -> _Answers:
            inputs, lengths, *rest = prepare(raw)
            serialized = tf.constant(encode(_arrays(inputs), _arrays(lengths)))
            return _Answers(*infer(serialized), *rest)

        return call

    def _outputs(self, outputs: Mapping[str, tf.Tensor]) -> tuple[tf.Tensor, tf.Tensor]:
        """Tasks, float32 [batch, tasks], and what is more than a number, [batch, sum of sizes], in the surface's order.

        In the second, multiclass tasks come first and then representations.
        """
        teacher, keys = self.plan.surface.teacher, self.plan.signature.outputs
        of_classes = {
            name: _class_logits(outputs[keys[name]], task)
            for name, task in teacher.tasks.items()
            if task.classes is not None
        }
        columns = [
            tf.reduce_max(tf.nn.log_softmax(of_classes[name]), axis=1)
            if name in of_classes
            else _logit(tf.reshape(outputs[keys[name]], [-1]), task)
            for name, task in teacher.tasks.items()
        ]
        logits = tf.stack(columns, axis=1)
        vectors = [*of_classes.values()]
        vectors += [tf.cast(outputs[keys[name]], tf.float32) for name in teacher.representations]
        return logits, tf.concat([logits[:, :0], *vectors], axis=1)


def _logit(answers: tf.Tensor, task: TeacherTask) -> tf.Tensor:
    """float32 [batch]; what is no probability, where those are declared, becomes NaN, and its record a dead letter."""
    if task.gives != "probability":
        return tf.cast(answers, tf.float32)
    inside = tf.logical_and(answers >= 0, answers <= 1)
    bounded = tf.clip_by_value(tf.cast(answers, tf.float64), _LEAST_PROBABILITY, 1 - _LEAST_PROBABILITY)
    return tf.where(inside, tf.cast(tf.math.log(bounded) - tf.math.log1p(-bounded), tf.float32), np.float32("nan"))


def _class_logits(answers: tf.Tensor, task: TeacherTask) -> tf.Tensor:
    """float32 [batch, classes]; the log of probabilities, whose softmax they are if they sum to 1, and else NaN."""
    answers = tf.reshape(answers, [-1, task.size])
    if task.gives != "probability":
        return tf.cast(answers, tf.float32)
    inside = tf.reduce_all((answers >= 0) & (answers <= 1), axis=1, keepdims=True)
    one = tf.abs(tf.reduce_sum(tf.cast(answers, tf.float64), axis=1, keepdims=True) - 1) <= _OFF_ONE
    logs = tf.cast(tf.math.log(tf.maximum(tf.cast(answers, tf.float64), _LEAST_PROBABILITY)), tf.float32)
    return tf.where(inside & one, logs, np.float32("nan"))


def _load(model_dir: str) -> Any:
    try:
        return tf.saved_model.load(model_dir)
    except (tf.errors.OpError, OSError, ValueError) as error:
        raise InputError(
            f"{model_dir}: the teacher's SavedModel cannot be loaded ({cause(error)}). Export it again."
        ) from error


def _bookkeeping(adapted: Adapted) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Hard labels, unfit rows, and how many of the fit rows were filled or not in the vocabulary, by feature."""
    fit = tf.logical_not(adapted.unfit)[:, tf.newaxis]
    counts = [
        tf.reduce_sum(tf.cast(tf.logical_and(rows, fit), tf.int64), axis=0)
        for rows in (adapted.filled, adapted.unmapped)
    ]
    return adapted.labels, adapted.unfit, tf.stack(counts, axis=1)


def _arrays(tensors: Mapping[str, tf.Tensor]) -> dict[str, NDArray[Any]]:
    return {name: tensor.numpy() for name, tensor in tensors.items()}
