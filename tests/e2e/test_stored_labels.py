"""Labels are made once, by key, and serve two surfaces, whose runs never see the teacher."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

import pytest
import tensorflow as tf
import yaml
from typer.testing import CliRunner

from contracts.outcome import Exit
from crosskd.main import app
from crosskd.runs import newest_run
from tests.e2e import library

pytestmark = pytest.mark.slow

KEY = "visit"
SCHEMA = library.SCHEMA + 'feature { name: "visit" type: INT presence { min_fraction: 1 } shape {} }\n'
SHELVES = {
    "name": "shelves",
    "tasks": {"borrowed": {"kind": "binary", "label": "was_borrowed", "ungated": "what the loans are judged by"}},
    "non_serving_heads": {"fun": {"from": "fun"}},
}


@dataclass
class Case:
    """The folders of both surfaces, and what `crosskd label` and `crosskd store-labels` said."""

    folder: Path
    given: dict
    stored: dict

    def run(self, name: str) -> dict:
        """A whole run of one surface on the stored labels."""
        return json.loads(
            crosskd(
                "run",
                f"--surface={self.folder / name}",
                f"--examples={self.folder / 'examples'}",
                f"--teacher={self.folder / 'stored'}",
                f"--root={self.folder / 'runs' / name}",
                "--json",
            )
        )

    def labelled(self, name: str) -> list[dict[str, list]]:
        """The examples that the surface's newest run trained on and evaluated."""
        labelled = newest_run(self.folder / "runs" / name).output("TeacherLabeler", "labelled_examples")
        assert labelled is not None
        return read(Path(labelled[0]))


def crosskd(*arguments: str) -> str:
    done = CliRunner().invoke(app, list(arguments))
    assert done.exit_code == Exit.OK, done.output
    return done.stdout


def without(column: str) -> str:
    """The schema without a soft label that the surface does not learn."""
    return re.sub(rf'feature {{\s+name: "{column}".*?\n}}\n', "", SCHEMA, flags=re.DOTALL)


def read(folder: Path) -> list[dict[str, list]]:
    """All examples in a folder's files, as lists by column."""
    files = [str(path) for path in sorted(folder.glob("Split-*/*.gz"))]
    examples = map(tf.train.Example.FromString, tf.data.TFRecordDataset(files, "GZIP").as_numpy_iterator())
    return [
        {name: list(getattr(each, each.WhichOneof("kind")).value) for name, each in example.features.feature.items()}
        for example in examples
    ]


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Case:
    folder = tmp_path_factory.mktemp("stored")
    whole = library.write_surface(folder / "whole", schema=SCHEMA)
    learns = yaml.safe_load(library.SURFACE)
    tasks = learns["teacher"]["tasks"]
    for task in tasks.values():
        task.pop("output", None)
    looked_up = {"features": {KEY: {"dtype": "int"}}}
    loans = {**learns, "name": "loans", "teacher": {"tasks": {"loan": tasks["loan"]}, **looked_up}}
    shelves = {**learns, **SHELVES, "teacher": {"tasks": {"fun": tasks["fun"]}, **looked_up}}
    library.write_surface(folder / "loans", surface=yaml.safe_dump(loans), schema=without("teacher/fun"))
    library.write_surface(folder / "shelves", surface=yaml.safe_dump(shelves), schema=without("teacher/loan"))
    library.write_examples(folder / "examples", key=KEY)
    teacher = library.write_teacher(folder / "teacher")

    given = crosskd(
        "label",
        f"--surface={whole}",
        f"--examples={folder / 'examples'}",
        f"--teacher={teacher}",
        f"--root={folder / 'labels'}",
        f"--key-column={KEY}",
        "--json",
    )
    (given,) = json.loads(given)
    stored = crosskd(
        "store-labels", f"--labels={given['labels']}", f"--key-column={KEY}", f"--out={folder / 'stored'}", "--json"
    )
    return Case(folder, given, json.loads(stored))


def test_labels_are_keys_and_soft_labels_alone(case: Case) -> None:
    rows = library.TRAIN_ROWS + library.EVAL_ROWS
    assert case.given["labelled"] == rows
    assert {frozenset(row) for row in read(Path(case.given["labels"]))} == {
        frozenset({KEY, "teacher/loan", "teacher/fun"})
    }
    assert case.stored == {"examples": rows, "key_kind": "int", "outputs": {"fun": 1, "loan": 1}}


@pytest.mark.parametrize(("name", "learnt", "other"), [("loans", "loan", "fun"), ("shelves", "fun", "loan")])
def test_each_surface_learns_from_them(case: Case, name: str, learnt: str, other: str) -> None:
    label_of = {row[KEY][0]: row[f"teacher/{learnt}"] for row in read(Path(case.given["labels"]))}

    summary = case.run(name)

    assert summary["decision"]["blessed"]
    rows = case.labelled(name)
    assert {row[KEY][0]: row[f"teacher/{learnt}"] for row in rows} == label_of
    assert not any(f"teacher/{other}" in row for row in rows)
