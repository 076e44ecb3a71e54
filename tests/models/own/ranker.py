"""Code as a user writes it: TensorFlow on raw columns, a trunk of keras-rs, a whole Keras class, and a loss."""

from __future__ import annotations

import itertools

import keras
import keras_rs
import tensorflow as tf


def prepare(columns):
    """A column more: how well the match is known, and `match` within bounds."""
    match = tf.clip_by_value(columns["match"], -2.0, 2.0)
    return {"match": match, "sureness": tf.abs(match)}


def build(features, tasks):
    """DCN-v2 in parallel with a dense layer."""
    joined = keras.layers.Concatenate()(list(features.values()))
    crossed = keras_rs.layers.FeatureCross(projection_dim=4)(joined, joined)
    deep = keras.layers.Dense(8, activation="relu")(joined)
    bottom = keras.layers.Concatenate()([crossed, deep])
    return {task: keras.layers.Dense(6, activation="relu")(bottom) for task in tasks}


@keras.saving.register_keras_serializable("own")
class Student(keras.Model):
    """A ranker of one's own: embeddings, one hidden layer, two tasks."""

    def __init__(self, rows, **keywords):
        super().__init__(**keywords)
        self.rows = dict(rows)
        self.users = keras.layers.Embedding(rows["user"], 4)
        self.genres = keras.layers.Embedding(rows["genre"], 2)
        self.hidden = keras.layers.Dense(8, activation="relu")
        self.click = keras.layers.Dense(1)
        self.minutes = keras.layers.Dense(1)

    def call(self, columns):
        vectors = [self.users(columns["user"]), self.genres(columns["genre"]), columns["match"], columns["content"]]
        hidden = self.hidden(keras.ops.concatenate(vectors, axis=-1))
        return {"click": self.click(hidden), "minutes": self.minutes(hidden), "hidden": hidden}


def build_student(rows):
    return Student(rows)


def build_functional(rows):
    user = keras.Input((), dtype="int64", name="user")
    match = keras.Input((1,), name="match")
    hidden = keras.layers.Concatenate()([keras.layers.Embedding(rows["user"], 4)(user), match])
    hidden = keras.layers.Dense(8, activation="relu", name="deep")(hidden)
    outputs = {"click": keras.layers.Dense(1)(hidden), "minutes": keras.layers.Dense(1)(hidden)}
    return keras.Model({"user": user, "match": match}, outputs)


def loss(labels, outputs):
    return tf.math.log(tf.math.cosh(outputs - labels))


# What each of these does wrong is in its name.


def no_dict(*_):
    return 3


def no_task(features, tasks):
    return {"clicks": keras.layers.Concatenate()(list(features.values()))}


def raises(*_):
    raise KeyError("genre")


_calls = itertools.count()


def starts_anywhere(features, tasks):
    joined = keras.layers.Concatenate()(list(features.values()))
    initializer = keras.initializers.RandomNormal(seed=next(_calls))
    return dict.fromkeys(tasks, keras.layers.Dense(4, kernel_initializer=initializer)(joined))


def one_number(labels, outputs):
    return tf.reduce_mean(labels - outputs)


def forgets(columns):
    return {"match": columns["match"]}
