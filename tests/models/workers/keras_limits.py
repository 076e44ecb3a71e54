"""What Keras 3 makes of `tf.distribute`'s strategies by itself, tried.

python -m tests.models.workers.keras_limits mirrored|sharded
"""

from __future__ import annotations

import os
import sys

import keras
import tensorflow as tf

from models.workers import local


def mirrored() -> None:
    """`fit` under `MultiWorkerMirroredStrategy`, as one of the workers that `TF_CONFIG` names."""
    strategy = tf.distribute.MultiWorkerMirroredStrategy()
    with strategy.scope():
        model = keras.Sequential([keras.layers.Input((3,)), keras.layers.Dense(1)])
        model.compile("adam", "mse")
    rows = tf.data.Dataset.from_tensors((tf.zeros([4, 3]), tf.zeros([4, 1])))
    model.fit(rows.repeat(), steps_per_epoch=2, epochs=1, verbose=0)
    print("Keras: fit")


def sharded() -> None:
    """A step of a table in two parts, each on a parameter server: by hand, and by Keras's optimizer."""
    strategy, coordinator = _parameter_servers()
    with strategy.scope():
        table = tf.Variable(tf.ones([10, 4]))
        embedding = keras.layers.Embedding(10, 4)
        embedding.build((None,))
        optimizer = keras.optimizers.SGD(0.1)
        optimizer.build(embedding.trainable_variables)

    def by_hand(gradients: list[tf.IndexedSlices]) -> None:
        for part, gradient in zip(table.variables, gradients, strict=True):
            part.scatter_sub(tf.IndexedSlices(gradient.values, gradient.indices))

    print(f"by hand: {_step(strategy, coordinator, table, table.variables, by_hand)}")
    variables = embedding.trainable_variables
    print(f"Keras, of a {type(embedding.embeddings.value).__name__}:")
    print(_step(strategy, coordinator, table, variables, lambda gradients: optimizer.apply(gradients, variables)))


def _step(strategy, coordinator, table, variables, update) -> float:
    @tf.function
    def step():
        def of_one_worker():
            with tf.GradientTape() as tape:
                loss = tf.reduce_sum(tf.nn.embedding_lookup(table, tf.constant([1, 7])))
            update(tape.gradient(loss, variables))
            return loss

        return strategy.run(of_one_worker)

    value = coordinator.schedule(step)
    coordinator.join()
    return value.fetch()


def _parameter_servers():
    places = local.addresses(3)
    cluster = tf.train.ClusterSpec({"worker": list(places[:1]), "ps": list(places[1:])})
    # They live as long as the process.
    for job, index in (("worker", 0), ("ps", 0), ("ps", 1)):
        tf.distribute.Server(cluster, job_name=job, task_index=index, protocol="grpc")
    resolver = tf.distribute.cluster_resolver.SimpleClusterResolver(cluster, rpc_layer="grpc")
    parts = tf.distribute.experimental.partitioners.FixedShardsPartitioner(2)
    strategy = tf.distribute.ParameterServerStrategy(resolver, variable_partitioner=parts)
    return strategy, tf.distribute.coordinator.ClusterCoordinator(strategy)


if __name__ == "__main__":
    try:
        {"mirrored": mirrored, "sharded": sharded}[sys.argv[1]]()
    except (AttributeError, ValueError) as error:
        print(f"{type(error).__name__}: {error}")
    sys.stdout.flush()
    # Servers in this process would wait for their like.
    os._exit(0)
