"""What a run left, as data frames: for notebooks, and for whoever asks other questions than `crosskd summary`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import tensorflow as tf

from contracts import keys
from contracts import nodes as node_ids
from contracts.decision import Measurement
from contracts.history import HISTORY_FILE, VALIDATION_PREFIX
from contracts.label_report import LabelReport
from contracts.roles import ModelRole
from crosskd.runs import Run, evaluation_of
from evaluation import results as evaluation
from records import documents
from records.examples import files_of
from records.record_files import first_records
from schema.errors import InputError
from schema.metrics import COUNTS
from schema.surface import Surface

OVERALL = "overall"
BASELINES = (ModelRole.CONTROL, ModelRole.LAST_BLESSED)


def nodes(run: Run) -> pd.DataFrame:
    """One row per node, the slowest first: `node`, `state`, `seconds`."""
    rows = [{"node": name, "state": node.state, "seconds": node.seconds} for name, node in run.nodes.items()]
    return pd.DataFrame(rows).sort_values("seconds", ascending=False, ignore_index=True)


def slices(run: Run, against: str = "control") -> pd.DataFrame:
    """One row per slice, task and metric of the Evaluator.

    Args:
      run: A run that came as far as its evaluation.
      against: `control` or `last_blessed`.

    Returns:
      `slice`, `task`, `metric`, `examples`, `positives`, then `student`, `baseline` and `change`
      (student minus baseline), each followed by the ends of its 95% interval (`student_low`,
      `student_high`, ...).  What is not defined is NaN.

    Raises:
      InputError: The run has no evaluation, or `against` is none of the two.
    """
    found = _evaluation(run, against)
    return pd.DataFrame([row for key, tasks in found.slices.items() for row in _slice_rows(key, tasks)])


def _evaluation(run: Run, against: str) -> evaluation.Evaluation:
    if against not in BASELINES:
        raise InputError(f"against: expected {' or '.join(BASELINES)}, found {against!r}")
    found = evaluation_of(run, ModelRole(against))
    if found is None:
        raise InputError(f"the run {run.run_id} was not evaluated; it has {', '.join(sorted(run.nodes))}")
    return evaluation.read(found)


def _slice_rows(key: evaluation.SliceKey, tasks: Any) -> Iterator[dict[str, Any]]:
    name = ", ".join(f"{feature}={value}" for feature, value in key) or OVERALL
    for task, found in tasks.items():
        for metric, student in found.student.items():
            if metric not in COUNTS:
                yield {
                    "slice": name,
                    "task": task,
                    "metric": metric,
                    "examples": found.examples,
                    "positives": found.positives,
                    **_ends("student", student),
                    **_ends("baseline", found.baseline.get(metric)),
                    **_ends("change", found.difference.get(metric)),
                }


def _ends(name: str, found: Measurement | None) -> dict[str, float]:
    ends = (None, None, None) if found is None else (found.value, found.lower, found.upper)
    keys = (name, f"{name}_low", f"{name}_high")
    return {key: np.nan if value is None else value for key, value in zip(keys, ends, strict=True)}


@dataclass(frozen=True)
class EmbeddedPage:
    """A page of its own within a notebook's cell; `page` is its HTML."""

    page: str

    def _repr_html_(self) -> str:
        style = "width: 100%; height: 56rem; border: 0"
        return f'<iframe title="Slices" style="{style}" srcdoc="{escape(self.page)}"></iframe>'


def explorer(*runs: Run) -> EmbeddedPage:
    """The slicing tool over one run, or over two to compare, the earlier one first.

    Raises:
      InputError: A run has no evaluation against the control.
    """
    from components.evaluation_report import page, slicer
    from components.evaluation_report.explore import explorer as section_of

    sliced = [slicer.SlicedRun(run.run_id, _evaluation(run, ModelRole.CONTROL), None) for run in runs]
    content = slicer.data(surface(runs[-1]), sliced)
    return EmbeddedPage(
        page.render_comparison(page.ComparisonPage(runs[-1].pipeline, "", "", "", (section_of(content),)))
    )


def history(run: Run) -> pd.DataFrame:
    """Training losses: `arm`, `epoch` (from 1), `loss` (its name), `part` (train or validation) and `value`."""
    rows = []
    for role in (ModelRole.STUDENT, ModelRole.CONTROL):
        file = Path(_uri(run, node_ids.trainer(role), keys.MODEL_RUN)) / HISTORY_FILE
        for name, values in json.loads(file.read_text(encoding="utf-8")).items():
            part = "validation" if name.startswith(VALIDATION_PREFIX) else "train"
            kept = {"arm": role.value, "loss": name.removeprefix(VALIDATION_PREFIX), "part": part}
            rows += [{**kept, "epoch": epoch, "value": value} for epoch, value in enumerate(values, start=1)]
    return pd.DataFrame(rows)


def surface(run: Run) -> Surface:
    """The surface as it was when the run was judged."""
    return Surface.model_validate_json(run.nodes[node_ids.BLESSING_GATE].settings[keys.SURFACE])


def label_report(run: Run) -> LabelReport:
    """What TeacherLabeler found.

    Raises:
      InputError: The run did not get there.
    """
    return documents.read(_uri(run, node_ids.TEACHER_LABELER, keys.LABEL_REPORT), LabelReport)


def labels(run: Run, split: str, columns: list[str], rows: int) -> pd.DataFrame:
    """Number columns of the labelled examples, soft labels (`teacher/TASK`) among them; NaN where absent.

    Args:
      run: A run that labelled.
      split: `train` or `eval`.
      columns: Columns with one number in each example.
      rows: At most so many examples, from the start of the split.
    """
    folder = Path(_uri(run, node_ids.TEACHER_LABELER, keys.LABELLED_EXAMPLES)) / f"Split-{split}"
    files = files_of(folder)
    records = first_records(files, rows)
    examples = [tf.train.Example.FromString(record).features.feature for record in records]
    return pd.DataFrame({column: [_number(example, column) for example in examples] for column in columns})


def _number(example: Any, column: str) -> float:
    if column not in example:
        return np.nan
    feature = example[column]
    values = feature.float_list.value or feature.int64_list.value
    return float(values[0]) if values else np.nan


def _uri(run: Run, node: str, key: str) -> str:
    found = run.output(node, key)
    if found is None:
        raise InputError(f"the run {run.run_id} has no {key} of {node}; it has {', '.join(sorted(run.nodes))}")
    return found[0]
