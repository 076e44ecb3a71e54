import json
from pathlib import Path

import pytest

from benchmarks.histories import page
from evidence.result import Comparison, Difference, ExperimentResult, Finding, Mean
from schema.errors import InputError


def difference(arm: str, mean: float) -> Difference:
    return Difference(arm=arm, mean=mean, low=mean - 0.01, high=mean + 0.02, p_value=0.5, replicates=[mean, mean])


def result() -> ExperimentResult:
    """A student with histories, and one without, which the experiment takes off it the other way round."""
    common = {"slice": None, "metric": "auc", "distilled": True, "examples": 9, "positives": 3, "task": "click"}
    arms = ("control", "student", "dealt_out", "without")
    return ExperimentResult(
        surface="homepage",
        runs=["run"],
        seeds=5,
        settings=["as configured"],
        confidence=0.95,
        verdicts=2,
        clusters=None,
        tasks={"click": "binary"},
        arms=[],
        means=[Mean(arm=arm, task="click", slice=None, mean=0.5 + at / 10, std=0.0) for at, arm in enumerate(arms)],
        findings=[
            Finding(
                candidate="student",
                control=difference("control", 0.1),
                placebos=[difference("shuffled", 0.2)],
                **common,
            ),
            Finding(candidate="without", control=difference("control", 0.3), **common),
        ],
        comparisons=[
            Comparison(candidate="without", task="click", difference=difference("student", 0.05)),
            Comparison(candidate="student", task="click", difference=difference("dealt_out", 0.07)),
            Comparison(candidate="without", task="click", difference=difference("control", 0.9)),
        ],
        small_slices=0,
        seconds=1.0,
    )


SERVING = {
    "p99_student_to_control": 1.002,
    "p99_student_to_control_interval": [0.99, 1.01],
    "rounds_per_batch_size": 7,
    "batch_sizes": {"1": {}, "32": {}},
    "bytes": {"student": 12345, "control": 12000},
}


def written(tmp_path: Path, text: str) -> str:
    experiment, serving, target = (tmp_path / name for name in ("e.json", "s.json", "page.md"))
    experiment.write_text(result().model_dump_json())
    serving.write_text(json.dumps(SERVING))
    target.write_text(text)
    page.main(experiment, target, "abc1234", serving)
    return target.read_text()


def test_the_page_has_means_differences_and_cost(tmp_path: Path) -> None:
    text = written(tmp_path, "# Page\n<!-- measured: histories -->\nold\n<!-- end of histories -->\nrest\n")
    assert "old" not in text
    assert "| 5 seeds | click, AUC |" in text
    assert "| student without histories | 0.8000 |" in text
    assert "| control | +0.1000 [+0.0900, +0.1200] |" in text
    assert "| student without histories | -0.0500 [-0.0700, -0.0400] |" in text  # turned round
    assert "dealt out to other people and items | +0.0700 [+0.0600, +0.0900] |" in text
    assert "+0.9" not in text
    assert text.count(" at `abc1234`.*") == 2
    assert "**1.002** [0.990, 1.010]" in text
    assert "12,345 bytes, the control's 12,000." in text
    assert text.endswith("<!-- end of histories -->\nrest\n")


def test_a_page_without_marks_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected the marks"):
        written(tmp_path, "# Page\n")
