"""A run that is killed leaves nothing that looks whole, and the next one cleans up after it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import tensorflow as tf

from components.teacher_labeler.plan import LabelShard
from components.teacher_labeler.staging import Staging
from tests.components.teacher_labeler.conftest import Labeler, make_example, make_surface, write_examples

ROWS = 5_000
CHILD = """
import sys
from pathlib import Path
from tests.components.teacher_labeler.conftest import Labeler, make_surface
from tfx.types import standard_artifacts

examples = standard_artifacts.Examples()
examples.uri, examples.split_names = sys.argv[1], '["train"]'
Labeler(Path(sys.argv[3])).run(examples, Path(sys.argv[2]), make_surface(), into=Path(sys.argv[3]), batch_size=1)
"""
# One at a time, with time between them to be killed in.
SLOW_RENAMES = """
import time
from components.teacher_labeler import staging
from tfx.dsl.io import fileio

rename, staging._RENAMES_AT_ONCE = fileio.rename, 1
fileio.rename = lambda *paths: (rename(*paths), time.sleep(60))
"""


@pytest.mark.slow
@pytest.mark.parametrize("slowly", [False, True], ids=["while writing", "while renaming"])
def test_killed(tmp_path: Path, labeler: Labeler, doubling_teacher: Path, slowly: bool) -> None:
    shards = [[make_example(x=float(number)) for number in range(ROWS)], [make_example(x=1.0)]]
    examples = write_examples(tmp_path / "examples", {"train": shards})
    into = tmp_path / "run"
    arguments = [str(examples.uri), str(doubling_teacher), str(into)]
    child = subprocess.Popen([sys.executable, "-c", SLOW_RENAMES * slowly + CHILD, *arguments], start_new_session=True)
    output = into / "labelled_examples"

    _wait_for(child, lambda: any(output.glob("Split-train/*.gz" if slowly else ".staging/*.gz")))
    os.killpg(child.pid, signal.SIGKILL)
    child.wait()

    assert list(output.glob(".staging/*.gz"))
    assert not list(into.glob("label_report/*"))
    for shard in output.glob("Split-train/*.gz"):  # not all of them, and none by halves
        assert len([*tf.data.TFRecordDataset(str(shard), "GZIP")]) in (ROWS, 1)
    labelled = labeler.run(examples, doubling_teacher, make_surface(), into=into)
    assert labelled.soft_labels("click") == [2.0 * number for number in range(ROWS)] + [2.0]
    assert [path.name for path in output.iterdir()] == ["Split-train"]


def _wait_for(child: subprocess.Popen[bytes], happened: Callable[[], bool]) -> None:
    for _ in range(6000):
        if happened():
            return
        assert child.poll() is None, "the run ended before it was killed"
        time.sleep(0.02)
    raise AssertionError("nothing was begun in two minutes")


def _shard(root: Path) -> LabelShard:
    staging = Staging(str(root / "examples"), str(root / "letters"))
    final = (str(root / "examples" / "Split-train" / "a.gz"), str(root / "letters" / "Split-train" / "a.jsonl.gz"))
    return LabelShard("train", "in.gz", *final, staging.examples, staging.dead_letters, 0, 10)


def _staging(root: Path) -> Staging:
    return Staging(str(root / "examples"), str(root / "letters")).expect([_shard(root)])


def test_files_get_their_names_on_commit_and_not_before(tmp_path: Path) -> None:
    with _staging(tmp_path) as staging:
        tried_first, tried_again = Path(staging.examples) / "0-x.gz", Path(staging.examples) / "0-y.gz"
        tried_first.write_bytes(b"half")
        tried_again.write_bytes(b"whole")
        assert not Path(_shard(tmp_path).examples).exists()
        staging.commit([(str(tried_again), _shard(tmp_path).examples)])

    assert Path(_shard(tmp_path).examples).read_bytes() == b"whole"
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["a.gz"]


def test_an_error_takes_everything_with_it(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="disk"), _staging(tmp_path) as staging:
        staged = Path(staging.examples) / "0-x.gz"
        staged.write_bytes(b"whole")
        staging.commit([(str(staged), _shard(tmp_path).examples)])
        raise OSError("disk")

    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_what_a_killed_run_left_is_removed(tmp_path: Path) -> None:
    old = Path(_shard(tmp_path).examples).with_name("of-another-number-of-shards.gz")
    half = tmp_path / "examples" / ".staging" / "0-old.gz"
    for path in (old, half):
        path.parent.mkdir(parents=True)
        path.write_bytes(b"old")

    with _staging(tmp_path):
        assert not [path for path in tmp_path.rglob("*") if path.is_file()]
