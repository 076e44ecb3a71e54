import pytest

from benchmarks.labels.alone import LabellingTimes


def test_the_steady_rate_leaves_out_start_and_end() -> None:
    """Eight shards of 100: with one worker, 7 of them in 70 s; with two, 5 of them from the 2nd to the 7th in 25 s."""
    alone = LabellingTimes(800, 1000.0, 1.0, [500.0 + 10 * shard for shard in range(8)])
    together = LabellingTimes(800, 1000.0, 1.0, [500.0, 503.0, 505.0, 513.0, 515.0, 523.0, 528.0, 590.0])

    assert alone.steady_rate(1) == pytest.approx(700 / 70)
    assert together.steady_rate(2) == pytest.approx(500 / 25)
