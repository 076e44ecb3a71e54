"""Examples that cannot be read or written: shards that are cut, spoilt or gone, and a full disk."""

from __future__ import annotations

import gzip
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from schema.errors import InputError
from tests.components.teacher_labeler.conftest import Labeler, make_example, make_surface, write_examples, write_shard
from tests.components.teacher_labeler.faulty import GOOD, assert_nothing_published


def test_empty_splits(tmp_path: Path, labeler: Labeler, doubling_teacher: Path) -> None:
    without_files = write_examples(tmp_path / "a", {"train": [GOOD], "eval": []})
    without_records = write_examples(tmp_path / "b", {"train": [GOOD], "eval": [[], []]})

    with pytest.raises(InputError, match=r"split 'eval' is empty: expected files of gzipped TFRecords, found none"):
        labeler.run(without_files, doubling_teacher, make_surface())
    with pytest.raises(InputError, match=r"split 'eval' is empty: its 2 files hold no record"):
        labeler.run(without_records, doubling_teacher, make_surface())


@pytest.mark.parametrize("keep", [0.0, 0.25, 0.5, 0.999])
def test_a_truncated_shard_is_named(tmp_path: Path, labeler: Labeler, doubling_teacher: Path, keep: float) -> None:
    """Some cuts TensorFlow reads without complaint, as a shorter file."""
    many = [make_example(x=float(number), text=str(number) * 9) for number in range(3000)]
    examples = write_examples(tmp_path / "examples", {"train": [GOOD, many]})
    shard = tmp_path / "examples" / "Split-train" / "data_tfrecord-00001-of-00002.gz"
    content = shard.read_bytes()
    shard.write_bytes(content[: int(len(content) * keep)])

    with pytest.raises(InputError, match=r"data_tfrecord-00001-of-00002.gz: expected complete gzipped TFRecords"):
        labeler.run(examples, doubling_teacher, make_surface())
    assert_nothing_published(labeler)


def test_a_shard_cut_between_two_records_is_named(tmp_path: Path, labeler: Labeler, doubling_teacher: Path) -> None:
    examples = write_examples(tmp_path / "examples", {"train": [GOOD]})
    (shard,) = (tmp_path / "examples" / "Split-train").iterdir()
    whole = gzip.decompress(shard.read_bytes())
    first_record = whole[: 16 + int.from_bytes(whole[:8], "little")]
    with shard.open("wb") as file, gzip.GzipFile(fileobj=file, mode="wb") as stream:
        stream.write(first_record)
        stream.flush()
        complete_to_here = file.tell()
    shard.write_bytes(shard.read_bytes()[:complete_to_here])

    with pytest.raises(InputError, match=r"truncated or corrupted file .*ended before the end"):
        labeler.run(examples, doubling_teacher, make_surface())


def test_a_corrupted_shard_is_named(tmp_path: Path, labeler: Labeler, doubling_teacher: Path) -> None:
    examples = write_examples(tmp_path / "examples", {"train": [GOOD]})
    (shard,) = (tmp_path / "examples" / "Split-train").iterdir()
    content = bytearray(shard.read_bytes())
    content[len(content) // 2] ^= 0xFF
    shard.write_bytes(bytes(content))

    with pytest.raises(InputError, match=r"data_tfrecord-00000-of-00001.gz: .*truncated or corrupted"):
        labeler.run(examples, doubling_teacher, make_surface())


def test_a_shard_that_cannot_be_opened_is_named(tmp_path: Path, labeler: Labeler, doubling_teacher: Path) -> None:
    examples = write_examples(tmp_path / "examples", {"train": [GOOD]})
    (tmp_path / "examples" / "Split-train" / "zz.gz").symlink_to(tmp_path / "on-a-disk-that-is-gone.gz")

    with pytest.raises(InputError, match=r"Split-train/zz.gz: failed reading \("):
        labeler.run(examples, doubling_teacher, make_surface())
    assert_nothing_published(labeler)


def test_other_formats_are_refused(tmp_path: Path, labeler: Labeler, doubling_teacher: Path) -> None:
    examples = write_examples(tmp_path / "examples", {"train": [GOOD]})
    examples.set_string_custom_property("payload_format", "FORMAT_TF_SEQUENCE_EXAMPLE")

    with pytest.raises(InputError, match=r"expected examples of payload format FORMAT_TF_EXAMPLE, found FORMAT_TF_SEQ"):
        labeler.run(examples, doubling_teacher, make_surface())


@contextmanager
def _files_at_most(size: int) -> Iterator[None]:
    """As on a full disk, writing beyond `size` bytes fails."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("threads", ["1", "2"])
def test_a_full_disk_names_the_file(
    tmp_path: Path, labeler: Labeler, doubling_teacher: Path, monkeypatch: pytest.MonkeyPatch, threads: str
) -> None:
    monkeypatch.setenv("TF_NUM_INTRAOP_THREADS", threads)
    records = [make_example(x=float(number), clicked=0) for number in range(20_000)]
    examples = write_examples(tmp_path / "examples", {"train": [records]})

    with _files_at_most(50_000), pytest.raises(InputError, match=r"labelled_examples/.*gz: failed writing"):
        labeler.run(examples, doubling_teacher, make_surface(), compression_level=0)
    assert_nothing_published(labeler)


def test_one_broken_shard_among_good_ones_is_named(tmp_path: Path, labeler: Labeler, doubling_teacher: Path) -> None:
    examples = write_examples(tmp_path / "examples", {"train": [GOOD, GOOD]})
    broken = write_shard(tmp_path / "examples" / "Split-train" / "zz.gz", GOOD)
    broken.write_bytes(broken.read_bytes()[:-12])

    with pytest.raises(InputError, match=r"zz.gz: expected complete"):
        labeler.run(examples, doubling_teacher, make_surface())
