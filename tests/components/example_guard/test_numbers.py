"""Features that are not finite, and labels that a task cannot have: counted by examples, whoever is distilled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import tensorflow as tf
import tfx  # noqa: F401  tensorflow_data_validation cannot be imported before it
from tensorflow_data_validation import StatsOptions
from tensorflow_data_validation.statistics.stats_impl import generate_statistics_in_memory
from tfx.types import standard_artifacts
from tfx_bsl.coders import example_coder

from components.example_guard import component, numbers
from components.example_guard.numbers import NumberKind, domains_of, problems_in
from components.example_guard.precision import lost_columns
from schema.surface import Surface
from tests.evaluation.evaluating import write_examples

NAN, INF = float("nan"), float("inf")


def problems(tmp_path: Path, rows: Sequence[Mapping[str, Any]], surface: Surface) -> list[str]:
    examples = write_examples(tmp_path, rows, "train")
    statistics = generate_statistics_in_memory(_batch(examples), StatsOptions())
    return [*problems_in("train", statistics, [examples], surface), *lost_columns(statistics, surface)]


def surface_with(column: str, domain: NumberKind, **feature: Any) -> Surface:
    """A surface that reads `column` as such."""
    content: dict[str, Any] = {
        "name": "s",
        "features": {"other": {"kind": "numeric"}},
        "tasks": {"t": {"kind": "binary", "label": "no such column", "ungated": "test"}},
    }
    if domain is NumberKind.FEATURE:
        content["features"][column] = {"kind": "numeric", "size": 1, **feature}
    elif domain is NumberKind.WEIGHT:
        content["weight_column"] = column
    elif domain is NumberKind.COUNT:
        content["tasks"]["t"] |= {"kind": "regression", "transform": "log1p", "label": column}
    else:
        content["tasks"]["t"] |= {"kind": domain.value, "label": column}
    return Surface.model_validate(content)


def _batch(examples: standard_artifacts.Examples) -> pa.RecordBatch:
    records = tf.data.TFRecordDataset(f"{examples.uri}/Split-train/data-00000-of-00001.gz", "GZIP")
    return example_coder.ExamplesToRecordBatchDecoder().DecodeBatch(list(records.as_numpy_iterator()))


@pytest.mark.parametrize(
    ("domain", "values", "found"),
    [
        (NumberKind.FEATURE, [1.0, NAN, 2.0, None, NAN], "a finite number, found others in 2 of 5 examples (nan in 2)"),
        (NumberKind.FEATURE, [1.0, INF, -INF, None], "found others in 2 of 4 examples (inf in 1, -inf in 1)"),
        (NumberKind.FEATURE, [[1.0, NAN], [NAN, NAN], [0.0, 1.0]], "found others in 2 of 3 examples (nan in 3)"),
        (NumberKind.BINARY, [1, 0, -1, None, -1], "label of a binary task, found others in 2 of 5 examples (-1 in 2)"),
        (NumberKind.BINARY, [1, 0, 2], "found others in 1 of 3 examples (2 in 1)"),
        (NumberKind.BINARY, [1.0, 0.0, 0.5], "found others in 1 of 3 examples (0.5 in 1)"),
        (NumberKind.REGRESSION, [1.0, INF, 3.0], "a finite label, found others in 1 of 3 examples (inf in 1)"),
        (NumberKind.COUNT, [1.0, 0.0, -2.0, NAN], "a finite label of 0 or more, since the model learns log(1 + label)"),
        (NumberKind.WEIGHT, [1.0, -1.0, NAN], "a finite weight of 0 or more, found others in 2 of 3 examples"),
    ],
)  # fmt: skip
def test_what_is_outside_is_counted_by_examples(tmp_path: Path, domain: NumberKind, values: list, found: str) -> None:
    (problem,) = problems(tmp_path, [{"x": value, "other": 1} for value in values], surface_with("x", domain))
    assert "'x': expected " in problem
    assert found in problem


@pytest.mark.parametrize(
    ("domain", "values"),
    [
        (NumberKind.FEATURE, [1.0, -3e38, None]),
        (NumberKind.FEATURE, [1, 2**62]),
        (NumberKind.BINARY, [1.0, 0.0, None, NAN]),
        (NumberKind.BINARY, [0, 1]),
        (NumberKind.REGRESSION, [-1.0, NAN, 1e30]),
        (NumberKind.REGRESSION, list(range(40))),
        (NumberKind.FEATURE, [10**8 + number for number in range(50)]),
        (NumberKind.WEIGHT, [0.0, 2.5, None]),
        (NumberKind.COUNT, [0.0, 2.5, None, NAN, 1e9]),
    ],
)
def test_what_is_inside_is_no_problem(tmp_path: Path, domain: NumberKind, values: list) -> None:
    assert problems(tmp_path, [{"x": value, "other": 1} for value in values], surface_with("x", domain)) == []


def test_without_a_suspicion_no_example_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(numbers, "_count", lambda *_: pytest.fail("read the examples"))
    rows = [{"x": 1.0, "label": 1}, {"x": 2.0, "label": 0}]
    assert problems(tmp_path, rows, surface_with("label", NumberKind.BINARY)) == []


def test_a_column_must_be_fit_for_all_tasks_that_read_it() -> None:
    def domain(*tasks: dict[str, Any]) -> NumberKind:
        named = {f"t{place}": {"label": "rating", "ungated": "test", **each} for place, each in enumerate(tasks)}
        content = {"name": "s", "features": {"x": {"kind": "categorical"}}, "tasks": named}
        return domains_of(Surface.model_validate(content))["rating"]

    flag, count = {"kind": "binary"}, {"kind": "regression", "transform": "log1p"}
    like = {"kind": "binary", "positive": {"at_least": 4}}
    assert domain(like) is NumberKind.REGRESSION
    assert domain(like, {"kind": "regression"}) is NumberKind.REGRESSION
    assert domain(count, like) is domain(like, count) is NumberKind.COUNT
    assert domain(flag, like, count) is NumberKind.BINARY
    assert domain({**count, "clip": {"min": 0}}) is NumberKind.REGRESSION


def test_weights_of_distillations_count_in_what_the_component_keeps_of_a_surface() -> None:
    distil = {"from": "t", "weight_column": "sure"}
    surface = Surface.model_validate(
        {
            "name": "s",
            "features": {"match": {"kind": "numeric"}},
            "tasks": {"click": {"kind": "binary", "label": "clicked", "ungated": "test", "distil": distil}},
            "non_serving_heads": {"stay": {"from": "u", "weight_column": "surer"}, "go": {"from": "u"}},
        }
    )
    found = domains_of(component._numbers_of(surface))
    assert found == domains_of(surface)
    assert found["sure"] is found["surer"] is NumberKind.WEIGHT


def test_every_task_counts_distilled_or_not() -> None:
    surface = Surface.model_validate(
        {
            "name": "s",
            "features": {"match": {"kind": "numeric"}, "id": {"kind": "categorical"}},
            "tasks": {
                "click": {"kind": "binary", "label": "clicked", "ungated": "test", "distil": {"from": "t"}},
                "like": {"kind": "binary", "label": "liked", "ungated": "test"},
                "minutes": {"kind": "regression", "label": "minutes", "ungated": "test"},
            },
            "weight_column": "importance",
        }
    )
    assert domains_of(surface) == {
        "match": NumberKind.FEATURE,
        "clicked": NumberKind.BINARY,
        "liked": NumberKind.BINARY,
        "minutes": NumberKind.REGRESSION,
        "importance": NumberKind.WEIGHT,
    }


FAR_OFF = [*(float(number) for number in range(99)), 1e30]


def test_a_column_that_varies_and_comes_out_constant(tmp_path: Path) -> None:
    rows = [{"x": value, "other": 1} for value in FAR_OFF]
    (problem,) = problems(tmp_path / "lost", rows, surface_with("x", NumberKind.FEATURE))
    assert problem.startswith("feature 'x' varies from 0 to 1e+30, and almost all of its values are one and the same")
    assert problems(tmp_path / "kept", rows, surface_with("x", NumberKind.FEATURE, clip={"max": 1000})) == []


def test_a_label_whose_values_float32_does_not_tell_apart(tmp_path: Path) -> None:
    rows = [{"x": 10**8 + number, "other": 1} for number in range(50)]
    (problem,) = problems(tmp_path, rows, surface_with("x", NumberKind.REGRESSION))
    assert problem.startswith("label 'x' varies from 100000000 to 100000049, and float32")


def test_a_label_with_several_values(tmp_path: Path) -> None:
    with_two = write_two(tmp_path)
    statistics = generate_statistics_in_memory(_batch(with_two), StatsOptions())
    (problem,) = problems_in("train", statistics, [with_two], surface_with("x", NumberKind.BINARY))
    assert problem == "column 'x': expected one value in an example, found up to 2. Keep one."


def write_two(tmp_path: Path) -> standard_artifacts.Examples:
    """Two examples, the second of which has two labels."""
    return write_examples(tmp_path, [{"x": [1.0]}, {"x": [1.0, 0.0]}], "train")
