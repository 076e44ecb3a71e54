"""What the workers of a training exchange, so that together they take the steps that one process takes.

Every worker has the whole model and draws the same global batches.  Of each it computes the
outputs of its own rows alone; the outputs are exchanged, so that every worker has the loss of
the whole batch: with the masks, weights, groups and denominators that one process has.  Each
takes the gradient through its own rows; the sum over workers is the gradient of the batch.

Keras 3 does not train under `tf.distribute.MultiWorkerMirroredStrategy` (keras issue 20585, and
what its maintainers say in issue 20601): its variables are made for one process.  So the model is
one of one process here, and the strategy does what it does well: starting, watching over the
workers, and summing tensors of all of them (`ReplicaContext.all_reduce`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeAlias

import keras
import tensorflow as tf

from models.tables import SLICE
from models.workers.cluster import Cluster
from schema.errors import InputError

Gradient: TypeAlias = tf.Tensor | tf.IndexedSlices | None
Columns = Mapping[str, tf.Tensor]


class Replicas:
    """A training in one process: nothing is exchanged.

    Attributes:
      several: Whether there are other workers.
      chief: Whether this is the one that writes.
    """

    several = False
    chief = True

    def own(self, columns: Columns) -> Columns:
        """The rows of a batch that are this worker's, of columns with the batch on the first axis."""
        return columns

    def whole(self, outputs: Columns, batch: Columns) -> Columns:
        """The outputs of all rows of a batch, float [rows, width] each, of those of this worker's own.

        A gradient goes into the own ones alone.
        """
        return outputs

    def share(self, value: tf.Tensor) -> tf.Tensor:
        """A value that every worker computes alike, with this worker's share of its gradient."""
        return value

    def summed(self, gradients: Sequence[Gradient]) -> Sequence[Gradient]:
        """The gradients of the whole batch, of those of this worker's rows."""
        return gradients

    def of_chief(self, values: tf.Tensor) -> tf.Tensor:
        """The chief's values of a tensor that every worker has in the same shape."""
        return values

    def follow_chief(self, variables: Sequence[keras.Variable]) -> None:
        """Gives variables the values that they have in the chief."""

    def wait(self) -> None:
        """Returns when all workers have come here."""


ALONE = Replicas()


class Workers(Replicas):
    """One worker of several; what is summed is summed in a ring, to the same bits in every worker."""

    several = True

    def __init__(self, cluster: Cluster):
        """Starts this worker's server and waits for the others.

        Args:
          cluster: The workers; `TF_CONFIG` names them, too, and TensorFlow reads it by itself.

        Raises:
          InputError: TensorFlow was used in this process before.
        """
        self.chief = cluster.chief
        self._index, self._count = cluster.index, len(cluster.addresses)
        options = tf.distribute.experimental.CommunicationOptions(
            implementation=tf.distribute.experimental.CommunicationImplementation.RING
        )
        _take_gpu(cluster.index)
        try:
            self._strategy = tf.distribute.MultiWorkerMirroredStrategy(communication_options=options)
        except RuntimeError as error:
            raise InputError(
                "TF_CONFIG names several workers, and TensorFlow was used in this process before it could join them "
                f"({error}). Start one process for each worker; several workers on one machine are started by "
                "`--trainer-workers`, without TF_CONFIG"
            ) from error

    def own(self, columns: Columns) -> Columns:
        places = self._places(tf.shape(next(iter(columns.values())))[0])
        return {name: tf.gather(column, places) for name, column in columns.items()}

    def whole(self, outputs: Columns, batch: Columns) -> Columns:
        rows, names = tf.shape(next(iter(batch.values())))[0], list(outputs)
        mine = tf.concat([outputs[name] for name in names], axis=-1)
        found = tf.stop_gradient(self._sum(self._placed(mine)))
        start = self._index * tf.shape(mine)[0]
        found = tf.concat([found[:start], mine, found[start + tf.shape(mine)[0] :]], axis=0)[:rows]
        widths = [int(outputs[name].shape[-1]) for name in names]
        return dict(zip(names, tf.split(found, widths, axis=-1), strict=True))

    def share(self, value: tf.Tensor) -> tf.Tensor:
        mine = value / self._count
        return mine + tf.stop_gradient(value - mine)

    def summed(self, gradients: Sequence[Gradient]) -> Sequence[Gradient]:
        there = [each for each in gradients if each is not None]
        parts = [self._placed(each.values) if isinstance(each, tf.IndexedSlices) else each for each in there]
        flat = self._sum(tf.concat([tf.reshape(each, [-1]) for each in parts], axis=0))
        values = tf.split(flat, [tf.size(each) for each in parts], num=len(parts))
        found = iter([tf.reshape(of, tf.shape(like)) for of, like in zip(values, parts, strict=True)])
        indices = iter(self._indices([each.indices for each in there if isinstance(each, tf.IndexedSlices)]))
        return [None if each is None else _like(each, next(found), indices) for each in gradients]

    def of_chief(self, values: tf.Tensor) -> tf.Tensor:
        return self._sum(values if self.chief else tf.zeros_like(values))

    def follow_chief(self, variables: Sequence[keras.Variable]) -> None:
        for variable in variables:
            held = variable.value
            if not held.shape.rank or held.shape[0] <= SLICE:
                held.assign(self._from_chief(held))
                continue
            for start in range(0, held.shape[0], SLICE):
                rows = tf.range(start, min(start + SLICE, held.shape[0]))
                held.scatter_update(tf.IndexedSlices(self._from_chief(tf.gather(held, rows)), rows))

    def wait(self) -> None:
        self._sum(tf.ones([]))

    def _from_chief(self, values: tf.Tensor) -> tf.Tensor:
        # Few types can be summed over workers; the state of a random generator has none of them.
        whole = tf.convert_to_tensor(values)
        return tf.cast(self.of_chief(whole if whole.dtype.is_floating else tf.cast(whole, tf.int64)), whole.dtype)

    def _places(self, rows: tf.Tensor) -> tf.Tensor:
        """This worker's rows of a batch: the batch's last one stands in for those that are not there.

        What stands in is cut off by `whole`, and so has no gradient.  TensorFlow sums tensors of one shape
        alone, so that every batch has as many rows as the largest.
        """
        size = _size.get()
        each = ((rows if size is None else tf.cast(size, tf.int32)) + self._count - 1) // self._count
        return tf.minimum(self._index * each + tf.range(each), rows - 1)

    def _placed(self, rows: tf.Tensor) -> tf.Tensor:
        """This worker's rows at their place among those of all workers, which are as many each; 0 elsewhere."""
        size = tf.shape(rows)[0]
        around = [[self._index * size, (self._count - 1 - self._index) * size]]
        return tf.pad(rows, [*around, *([[0, 0]] * (rows.shape.rank - 1))])

    def _indices(self, indices: Sequence[tf.Tensor]) -> Sequence[tf.Tensor]:
        if not indices:
            return []
        parts = [self._placed(tf.cast(each, tf.int64)) for each in indices]
        return tf.split(self._sum(tf.concat(parts, axis=0)), [tf.size(each) for each in parts], num=len(parts))

    def _sum(self, values: tf.Tensor) -> tf.Tensor:
        """The sum over workers of a tensor of the same shape in each."""
        return tf.ensure_shape(self._strategy.run(_all_reduced, (values,)), values.shape)


def _all_reduced(values: tf.Tensor) -> tf.Tensor:
    # The identity has a device, which a tensor in a loop has not, and which is asked for.
    return tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, tf.identity(values))


def _like(gradient: tf.Tensor | tf.IndexedSlices, values: tf.Tensor, indices: Iterator[tf.Tensor]) -> Gradient:
    if not isinstance(gradient, tf.IndexedSlices):
        return tf.ensure_shape(values, gradient.shape)
    return tf.IndexedSlices(values, next(indices), gradient.dense_shape)


def _take_gpu(index: int) -> None:
    """Leaves a worker one GPU: it is one process with one replica of the model; neighbours take different ones."""
    if len(gpus := tf.config.get_visible_devices("GPU")) > 1:
        tf.config.set_visible_devices(gpus[index % len(gpus)], "GPU")


# Rows of the largest batch.
_size: ContextVar[tf.Tensor | None] = ContextVar("size", default=None)


@contextmanager
def batches_of(size: tf.Tensor) -> Iterator[None]:
    """Within it, batches have so many rows or, at an end, fewer."""
    token = _size.set(size)
    try:
        yield
    finally:
        _size.reset(token)


# Layers that draw at random for every row draw for the rows of all workers.
_batch: ContextVar[tuple[Replicas, Columns] | None] = ContextVar("batch", default=None)


@contextmanager
def batch_of(replicas: Replicas, columns: Columns) -> Iterator[None]:
    """Within it, layers are called for this worker's rows of a batch, of which these are the columns of all rows."""
    token = _batch.set((replicas, columns) if replicas.several else None)
    try:
        yield
    finally:
        _batch.reset(token)


def drawn(like: tf.Tensor, draw: Callable[[tf.Tensor], tf.Tensor]) -> tf.Tensor | None:
    """What a layer draws at random for the rows of a batch, of which this worker has some.

    Args:
      like: The layer's input, [rows of this worker, ...].
      draw: Gives what is drawn, of ones of the same shape but for all rows of the batch.

    Returns:
      What it gives for this worker's rows; None where there are no other workers.
    """
    batch = _batch.get()
    if batch is None:
        return None
    replicas, columns = batch
    rows = tf.shape(next(iter(columns.values())))[:1]
    whole = draw(tf.ones(tf.concat([rows, tf.shape(like)[1:]], axis=0), like.dtype))
    return replicas.own({"": tf.ensure_shape(whole, [None, *like.shape[1:]])})[""]
