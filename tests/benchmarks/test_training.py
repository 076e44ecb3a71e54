from __future__ import annotations

import numpy as np
import tensorflow as tf

from benchmarks.training import _figures, _ready, measure


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
    batches = tf.data.Dataset.range(10).map(lambda value: ({"x": value}, {"label/y": value})).batch(4)
    found = [each[0]["x"].numpy().tolist() for each in _ready(batches, 4, 3)]
    assert found == [[0, 1, 2, 3], [4, 5, 6, 7], [0, 1, 2, 3]]
