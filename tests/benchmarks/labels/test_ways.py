"""What the benchmark compares does the same work: all ways write the same soft labels for the same examples."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest
import tensorflow as tf

from benchmarks.labels import ways, world

ROWS = 60


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("benchmark") / "teacher"
    world.save_teacher(folder / "Format-Serving", world.TeacherSize(2, (4,)))
    return folder


def _soft_labels(files: Iterable[Path]) -> list[list[float]]:
    spec = {name: tf.io.FixedLenFeature([], tf.float32) for name in ("number_0", "teacher/click", "teacher/stay")}
    records = tf.data.TFRecordDataset(sorted(map(str, files)), "GZIP").batch(ROWS)
    (parsed,) = [tf.io.parse_example(batch, spec) for batch in records]
    return sorted(zip(*(parsed[name].numpy().tolist() for name in spec), strict=True))


def test_all_ways_write_the_same_soft_labels(tmp_path: Path, teacher: Path) -> None:
    examples = world.write_examples(tmp_path / "examples", ROWS)

    for read in (ways.tensorflow_reader, ways.fast_reader):
        assert ways.reach_the_limit(teacher, examples, read) == ROWS
    assert ways.run_labeler(teacher, examples, tmp_path / "tensors").overall.fill_rate == 12 / 32
    ways.run_labeler(teacher, examples, tmp_path / "serialized", "examples")
    ways.run_usual_graph(teacher, examples, tmp_path / "usual")
    ways.run_bulk_inferrer(teacher, examples, tmp_path / "bulk")

    expected = _soft_labels((tmp_path / "tensors" / "examples" / "Split-train").glob("*.gz"))
    assert len({label for _, label, _ in expected}) > ROWS // 2
    for found in ("serialized/examples/Split-train", "usual", "bulk/examples/Split-train"):
        for ours, theirs in zip(expected, _soft_labels((tmp_path / found).glob("*.gz")), strict=True):
            assert theirs == pytest.approx(ours, abs=1e-6)
