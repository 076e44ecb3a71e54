"""The world of the benchmark of sequences, and how repetitions are summed up."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tensorflow as tf

from benchmarks import sequences
from schema.loader import load_surface


def test_surfaces_are_right_and_lists_are_of_all_lengths(tmp_path: Path):
    sequences._write(tmp_path / "target", sequences._TARGET, sequences._SCHEMA + sequences._SOFT_LABEL, 0)
    surface = load_surface(tmp_path / "target").surface
    assert surface.sequence("recent").length == sequences.LENGTH
    rows = [tf.train.Example.FromString(row) for row in sequences._records(np.random.default_rng(0), 400)]
    lengths = [len(row.features.feature["recent_items"].int64_list.value) for row in rows]
    assert min(lengths) < 5
    assert max(lengths) > sequences.LENGTH
    full = np.mean([length >= sequences.LENGTH for length in lengths])
    assert 0.4 < full < 0.6


def test_repetitions_are_summed_up_by_their_medians():
    def repetition(ratio: float) -> tuple[dict, np.ndarray]:
        names = ("p99_student_to_control", "p99_control_to_itself", "p50_student_to_control", "p99_student_ms")
        return {"batch_sizes": {"1": dict.fromkeys(names, ratio)}}, np.full(5, ratio)

    found = sequences.summed_up([repetition(each) for each in (1.0, 1.02, 1.2)])
    assert found["batch_sizes"]["1"]["p99_student_to_control"][0] == 1.02
    assert found["p99_student_to_control"] == 1.02
    assert [each["within_5_percent"] for each in found["of_each"]] == [True, True, False]
    assert not found["within_5_percent"]
