from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from schema.errors import InputError
from tests.worlds.conftest import read_examples
from worlds.records import Domain, ExampleColumn, encode, write_domain, write_split

COLUMNS = {
    "id": ExampleColumn(np.array([7, -1, 2**40])),
    "vector": ExampleColumn(np.array([[0.5, -1.0], [2.0, 3.0], [4.0, 5.0]], dtype=np.float32)),
    "name": ExampleColumn(np.array(["a", "", "über"]), np.array([True, False, True])),
}


def quiet(_: str) -> None:
    """Told of progress, says nothing."""


def domain(seed: int = 0) -> Domain:
    return Domain("shop", {"train": COLUMNS, "eval": COLUMNS}, "name: shop\n", "", {"seed": seed})


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    assert write_split(tmp_path / "train", COLUMNS) == 3
    names = sorted(path.name for path in (tmp_path / "train").iterdir())
    assert names == [f"part-0000{shard}-of-00004.tfrecord.gz" for shard in range(4)]
    assert read_examples(tmp_path / "train") == [
        {"id": [7], "vector": [0.5, -1.0], "name": [b"a"]},
        {"id": [-1], "vector": [2.0, 3.0]},
        {"id": [2**40], "vector": [4.0, 5.0], "name": ["über".encode()]},
    ]


def test_the_parser_of_tensorflow_reads_it() -> None:
    parsed = tf.io.parse_example(
        list(encode(COLUMNS, 0, 3)),
        {
            "id": tf.io.FixedLenFeature([], tf.int64),
            "vector": tf.io.FixedLenFeature([2], tf.float32),
            "name": tf.io.FixedLenFeature([], tf.string, default_value="none"),
        },
    )
    assert parsed["id"].numpy().tolist() == [7, -1, 2**40]
    assert parsed["vector"].numpy().tolist() == [[0.5, -1.0], [2.0, 3.0], [4.0, 5.0]]
    assert parsed["name"].numpy().tolist() == [b"a", b"none", "über".encode()]


def test_a_list_has_as_many_values_as_are_counted_and_without_any_it_is_absent(tmp_path: Path) -> None:
    values = np.array([[1, 2, 3], [4, 5, 6], [7, 8, 9]])
    columns = {"id": ExampleColumn(np.arange(3)), "list": ExampleColumn(values, counts=np.array([2, 0, 3]))}
    write_split(tmp_path / "train", columns)
    assert read_examples(tmp_path / "train") == [
        {"id": [0], "list": [1, 2]},
        {"id": [1]},
        {"id": [2], "list": [7, 8, 9]},
    ]


def test_no_rows_and_uneven_columns_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="at least one example, found none"):
        write_split(tmp_path / "a", {"id": ExampleColumn(np.array([], dtype=np.int64))})
    with pytest.raises(InputError, match=r"columns of one length, found \{'id': 2, 'x': 3\}"):
        write_split(tmp_path / "b", {"id": ExampleColumn(np.arange(2)), "x": ExampleColumn(np.arange(3))})
    assert not list(tmp_path.iterdir())


def test_a_folder_with_other_content_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "mine.txt").write_text("precious")
    with pytest.raises(InputError, match="files of another origin"):
        write_domain(tmp_path, domain(), quiet)
    assert [path.name for path in (tmp_path / "shop").iterdir()] == ["mine.txt"]


def test_a_marker_that_is_no_json_is_another_origin(tmp_path: Path) -> None:
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "origin.json").write_text("{")
    with pytest.raises(InputError, match="files of another origin"):
        write_domain(tmp_path, domain(), quiet)


def test_a_folder_with_an_older_surface_is_refused(tmp_path: Path) -> None:
    write_domain(tmp_path, domain(), quiet)
    newer = replace(domain(), surface="name: shop2\n")
    with pytest.raises(InputError, match="Choose another output folder or delete this one"):
        write_domain(tmp_path, newer, quiet)


def test_an_edited_surface_is_kept(tmp_path: Path) -> None:
    (write_domain(tmp_path, domain(), quiet) / "surface.yaml").write_text("name: mine\n")
    write_domain(tmp_path, domain(), quiet)
    assert (tmp_path / "shop" / "surface.yaml").read_text() == "name: mine\n"


def test_an_empty_folder_is_filled(tmp_path: Path) -> None:
    (tmp_path / "shop").mkdir()
    assert write_domain(tmp_path, domain(), quiet) == tmp_path / "shop"
    assert len(read_examples(tmp_path / "shop" / "eval")) == 3


def test_an_interrupted_write_leaves_no_folder_and_does_not_hinder_the_next(tmp_path: Path) -> None:
    """The power fails after the training split: what is left does not look whole."""

    def told(line: str) -> None:
        if "train" in line:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_domain(tmp_path, domain(), told)
    assert not (tmp_path / "shop").exists()
    write_domain(tmp_path, domain(), quiet)
    assert [path.name for path in tmp_path.iterdir()] == ["shop"]
    assert len(read_examples(tmp_path / "shop" / "train")) == 3


def test_an_output_path_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="expected a folder that can be written to; found: Not a directory"):
        write_domain(tmp_path / "file", domain(), quiet)
    (tmp_path / "shop").write_text("")
    with pytest.raises(InputError, match="files of another origin"):
        write_domain(tmp_path, domain(), quiet)
