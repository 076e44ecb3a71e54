"""Data as it lies: a log in Parquet without splits, a teacher, one surface.yaml, and no Python."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.e2e import library
from tests.forked import crosskd

pytestmark = pytest.mark.slow

ROWS = 1800


def write_log(folder: Path) -> Path:
    """The library's log, in partitions of days."""
    rng = np.random.default_rng(0)
    match = rng.normal(size=ROWS)
    borrowed = rng.random(ROWS) < 1 / (1 + np.exp(0.5 - 2 * match))
    pages = [int(each) if rng.random() < 0.5 else None for each in rng.integers(50, 900, ROWS)]
    liked = [bool(rng.random() < 0.5) if each else None for each in borrowed]
    table = {
        "reader": [f"reader-{each}" for each in rng.integers(20, size=ROWS)],
        "book": rng.integers(40, size=ROWS).astype(float),  # ids that a tool has made floats
        "genre": pa.array([library.GENRES[each] for each in rng.integers(3, size=ROWS)]).dictionary_encode(),
        "match": match,
        "pages": pages,
        "was_borrowed": borrowed,
        "was_liked": liked,
        "day": np.arange(ROWS) // 300,
        "not_in_the_schema": ["x"] * ROWS,
    }
    pq.write_to_dataset(pa.table(table), str(folder), partition_cols=["day"])
    return folder


@pytest.fixture(scope="module")
def case(tmp_path_factory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("tables")
    text = library.SURFACE + "split: {by: group, column: reader, eval_fraction: 0.3}\n"
    return {
        "--surface": library.write_surface(folder / "surface", surface=text),
        "--examples": write_log(folder / "log"),
        "--teacher": library.write_teacher(folder / "teacher"),
        "--root": folder / "root",
    }


def options(case: dict[str, Path]) -> list[object]:
    return [word for pair in case.items() for word in pair]


def test_parquet_goes_through_the_whole_pipeline(case: dict[str, Path]) -> None:
    first = crosskd("run", *options(case), "--json")
    assert first.returncode == 0, first.stderr
    summary = json.loads(first.stdout)
    assert summary["decision"]["blessed"]
    assert "whole groups by reader, 30% for evaluation" in first.stderr
    again = crosskd("run", *options(case), "--json")
    assert "as before" in again.stderr
    assert json.loads(again.stdout)["nodes"]["ImportExampleGen"]["state"] == "CACHED"


def test_the_reference_teacher_is_trained_on_parquet(case: dict[str, Path], tmp_path: Path) -> None:
    """Also of a source domain nobody writes Python."""
    surface = library.SURFACE.replace("  reader: {kind: categorical, side: user, embedding: 4}\n", "").replace(
        "  genre: {kind: categorical, side: item, default: unknown, embedding: 2}\n", ""
    )
    source = library.write_surface(tmp_path / "source", surface=surface + "split: {by: random}\n")
    trained = crosskd(
        *("train-teacher", "--surface", source, "--examples", case["--examples"], "--out", tmp_path / "t", "--json")
    )
    assert trained.returncode == 0, trained.stderr
    assert json.loads(trained.stdout)["rows"] == pytest.approx(0.8 * ROWS, rel=0.05)


def test_import_writes_what_every_command_reads(case: dict[str, Path], tmp_path: Path) -> None:
    rule = "{by: time, column: pages, together: reader}"
    done = crosskd("import", *options(case)[:4], "--out", tmp_path / "out", "--split", rule)
    assert done.returncode == 2
    assert "split: expected one value of 'pages' in each row, found none or several" in done.stderr
    done = crosskd(
        "import", *options(case)[:4], "--out", tmp_path / "out", "--split", "{by: random, seed: 3}", "--json"
    )
    assert done.returncode == 0, done.stderr
    assert sum(json.loads(done.stdout)["rows"].values()) == ROWS
    assert sorted(each.name for each in tmp_path.iterdir()) == ["out"]
