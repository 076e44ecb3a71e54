"""Whole runs through the command line on one or another of Beam's engines, and what must be equal in them."""

from __future__ import annotations

import gzip
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from tensorflow_metadata.proto.v0 import statistics_pb2

from contracts import keys, nodes
from contracts.decision import Decision, MetricRow
from crosskd.runs import newest_run
from records import documents
from records.record_files import first_records
from tests.e2e import library
from tests.forked import crosskd

PARTS = 6
SIZES = (2400, 900)
# Values that are counted before rows are cut into slices, bounds, and metrics of groups.
SLICES = "slices:\n  books: {most_frequent: {book: 3}}\n  pages: {buckets: {pages: [300, 600]}}\n"
SURFACE = library.SURFACE.replace("slices:\n", f"group: reader\n{SLICES}") + library.PAIRS
# What a sum in another order may change: by float32, and by what it did to the weights of a model.
ROUNDING, AFTER_TRAINING = 1e-6, 1e-4
# A run sees these whole files as they were, and what is made of them, on every engine.
_SAME_BYTES = (
    (nodes.EXAMPLE_GEN, "examples"),
    (nodes.CANDIDATE_SAMPLER, keys.EXTENDED_EXAMPLES),
    (nodes.TEACHER_LABELER, keys.LABELLED_EXAMPLES),
)


@dataclass(frozen=True)
class Inputs:
    """What a run is given, and where the surface's text can be changed."""

    surface: Path
    examples: Path
    teacher: Path


def write_inputs(folder: Path) -> Inputs:
    """The library, with pairs that were never shown, in files enough for several workers."""
    return Inputs(
        library.write_surface(folder / "surface", surface=SURFACE, schema=library.SCHEMA_WITH_PAIRS),
        library.write_examples(folder / "examples", sizes=SIZES, parts=PARTS),
        library.write_teacher(folder / "teacher"),
    )


def run(inputs: Inputs, root: Path, engine: list[str], timeout: float = 1800.0) -> dict[str, Any]:
    """The summary of `crosskd run` on an engine, whose student must have been pushed."""
    given = {"surface": inputs.surface, "examples": inputs.examples, "teacher": inputs.teacher, "root": root}
    options = [word for name, path in given.items() for word in (f"--{name}", path)]
    done = crosskd("run", *options, "--json", "--", *engine, timeout=timeout)
    assert done.returncode == 0, done.stderr[-4000:]
    summary: dict[str, Any] = json.loads(done.stdout)
    return summary


def decision_in(root: Path) -> Decision:
    """The gate's decision in the newest run."""
    return documents.read(folder_of(root, nodes.BLESSING_GATE, keys.DECISION), Decision)


def folder_of(root: Path, node: str, key: str) -> str:
    """The folder of a node's output in the newest run."""
    found = newest_run(root).output(node, key)
    assert found is not None, f"{node} made no {key}"
    return found[0]


def assert_same_run(found: Path, expected: Path) -> None:
    """The newest runs of two roots took in, labelled, trained on and judged the same."""
    for node, key in _SAME_BYTES:
        ours, theirs = (contents(Path(folder_of(root, node, key))) for root in (found, expected))
        assert len(theirs) >= 2 * PARTS
        assert ours == theirs, node
    for node in (nodes.RAW_STATISTICS, nodes.LABELLED_STATISTICS):
        assert_same_statistics(*(Path(folder_of(root, node, "statistics")) for root in (found, expected)))
    assert_same_transform(found, expected)
    assert_same_decision(decision_in(found), decision_in(expected), AFTER_TRAINING)


def contents(folder: Path) -> dict[str, str]:
    """Of each file of examples, unpacked: records and their order, by its name."""
    return {
        str(file.relative_to(folder)): hashlib.sha256(gzip.decompress(file.read_bytes())).hexdigest()
        for file in sorted(folder.glob("Split-*/*.gz"))
    }


def assert_same_statistics(found: Path, expected: Path) -> None:
    """Counts are the same, means and deviations within rounding."""
    files = sorted(path.relative_to(expected) for path in expected.glob("Split-*/FeatureStats.pb"))
    assert files
    for file in files:
        ours, theirs = (numbers(each / file) for each in (found, expected))
        assert ours.keys() == theirs.keys()
        for name, expected_numbers in theirs.items():
            np.testing.assert_allclose(ours[name], expected_numbers, rtol=ROUNDING, err_msg=f"{file}: {name}")


def numbers(path: Path) -> dict[str, list[float]]:
    """Per column: rows with a value and without, and of numbers mean, deviation and range, of strings how many."""
    (dataset,) = statistics_pb2.DatasetFeatureStatisticsList.FromString(path.read_bytes()).datasets
    found = {"": [float(dataset.num_examples)]}
    for feature in dataset.features:
        kind = feature.num_stats if feature.HasField("num_stats") else feature.string_stats
        counts = [kind.common_stats.num_non_missing, kind.common_stats.num_missing, kind.common_stats.tot_num_values]
        told = [kind.mean, kind.std_dev, kind.min, kind.max] if feature.HasField("num_stats") else [kind.unique]
        found[feature.path.step[0]] = [float(each) for each in (*counts, *told)]
    return found


def assert_same_transform(found: Path, expected: Path) -> None:
    """The same vocabularies, and the same rows in the same order, numbers within rounding."""
    graphs = [Path(folder_of(root, nodes.TRANSFORM, keys.TRANSFORM_GRAPH)) for root in (found, expected)]
    ours, theirs = ({path.name: path.read_bytes() for path in graph.glob("transform_fn/assets/*")} for graph in graphs)
    assert theirs
    assert ours == theirs
    folders = [Path(folder_of(root, nodes.TRANSFORM, keys.TRANSFORMED_EXAMPLES)) for root in (found, expected)]
    names = [sorted(str(path.relative_to(each)) for path in each.rglob("*") if path.is_file()) for each in folders]
    assert names[0] == names[1]
    assert len(names[1]) == 3 * PARTS
    for name in names[1]:
        for one, other in zip(*(first_records(str(each / name)) for each in folders), strict=True):
            assert_same_row(tf.train.Example.FromString(one), tf.train.Example.FromString(other))


def assert_same_row(found: tf.train.Example, expected: tf.train.Example) -> None:
    """The same columns with the same values, numbers within rounding."""
    ours, theirs = found.features.feature, expected.features.feature
    assert ours.keys() == theirs.keys()
    for name, column in theirs.items():
        if column.WhichOneof("kind") == "float_list":
            np.testing.assert_allclose(ours[name].float_list.value, column.float_list.value, rtol=1e-5, atol=1e-6)
        else:
            assert ours[name] == column


def assert_same_decision(found: Decision, expected: Decision, rounding: float) -> None:
    """The same blessing, the same verdict of every gate, and the same metrics of all models within rounding."""
    assert found.blessed == expected.blessed
    assert [(each.name, each.verdict) for each in found.checks] == [
        (each.name, each.verdict) for each in expected.checks
    ]
    verdicts = [
        [(each.task, each.metric, each.kind, each.slice_key, each.verdict) for each in decision.gates]
        for decision in (found, expected)
    ]
    assert verdicts[0] == verdicts[1]
    assert_same_metrics(found, expected, rounding)


def assert_same_metrics(found: Decision, expected: Decision, rounding: float) -> None:
    """The same metrics of student and control, within rounding, of the same examples."""
    ours, theirs = (metrics(decision) for decision in (found, expected))
    assert ours.keys() == theirs.keys()
    for name, row in theirs.items():
        assert (ours[name].examples, ours[name].positives) == (row.examples, row.positives)
        np.testing.assert_allclose(values(ours[name]), values(row), atol=rounding, rtol=rounding, err_msg=str(name))


def metrics(decision: Decision) -> dict[tuple[str, str, str], MetricRow]:
    """All rows of metrics, by task, metric and slice."""
    return {(row.task, row.metric, row.slice): row for row in decision.metrics}


def values(row: MetricRow) -> NDArray[np.float64]:
    """Student's and control's value with their limits; NaN for what is not defined."""
    told = [end for each in (row.student, row.control) if each for end in (each.value, each.lower, each.upper)]
    return np.asarray(told, np.float64)
