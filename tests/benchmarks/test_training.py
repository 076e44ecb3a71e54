from __future__ import annotations

import numpy as np
import tensorflow as tf

from benchmarks.training import Ready, _figures, _ready, measure
from models.epochs import Feed, Gathered, at_once
from models.packing import pack
from tests.models.reading import batches_of


def test_ratios_are_taken_within_rounds():
    control = np.array([0.001, 0.002, 0.004])
    seconds = {
        "control": control,
        "student": 1.1 * control,
        "control_again": control,
        "from_memory": 0.55 * control,
        "streamed": 2.2 * control,
    }
    found = _figures(seconds)
    assert found["ms_per_step"]["student"] == 2.2
    assert found["step_student_to_control"] == (1.1, 1.1, 1.1)
    assert found["step_control_to_itself"] == (1.0, 1.0, 1.0)
    assert found["input_speed_to_memory"] == (0.5, 0.5, 0.5)
    assert found["streamed_speed_to_held_in_memory"] == (0.5, 0.5, 0.5)
    assert found["streamed_input_speed_to_memory"] == (0.25, 0.25, 0.25)


def test_every_way_is_in_every_place_of_the_turn():
    turns: list[str] = []
    names = ("control", "student", "control_again", "from_memory", "streamed")
    ways = {name: lambda name=name: turns.append(name) for name in names}
    found = measure(ways, rounds=5, steps=1)
    assert found["rounds"] == 5
    rounds = [turns[at : at + 5] for at in range(5, 30, 5)]
    for place in range(5):
        assert {each[place] for each in rounds} == set(names)


def test_ready_batches_are_whole_and_repeated():
    columns = {"x": np.arange(10, dtype=np.float32), "label/y": np.arange(10, dtype=np.float32) * 10}
    rows = tf.constant([*range(9, -1, -1)], tf.int64)
    batches = at_once(Gathered(pack(columns), rows, tf.constant(4, tf.int64)), 3)
    ready = _ready(batches, 4)
    found = list(batches_of(ready.epoch(0)))
    assert [features["x"].tolist() for features, _ in found] == [[9, 8, 7, 6], [5, 4, 3, 2], [9, 8, 7, 6]]
    for features, labels in found:
        np.testing.assert_array_equal(labels["label/y"], features["x"] * 10)
    assert [int(part.feed.size) for part in ready.epoch(0).parts()] == [4]


def test_ready_batches_have_all_that_a_loop_asks_of_a_feed():
    assert set(Feed.__annotations__) <= set(Ready.__annotations__)
