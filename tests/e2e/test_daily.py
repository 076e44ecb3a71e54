"""A week of spans: every day is labelled once, and the seventh trains on all of them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from crosskd import label as label_command
from crosskd import run as run_command
from crosskd.experiment import run_paths
from crosskd.label import LabellingDone
from crosskd.runs import Run, newest_run
from crosskd.summary import summarize
from evidence import data
from records.fingerprint import fingerprint
from schema.errors import InputError
from schema.loader import load_surface
from tests.e2e import library

pytestmark = pytest.mark.slow

TRAIN, EVAL = 300, 200
DAYS = 7


class Product:
    """A product that logs one folder of examples a day."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.surface = str(library.write_surface(folder / "surface"))
        self.teacher = library.write_teacher(folder / "teacher")
        self.root = folder / "root"

    def log(self, day: int, *, again: bool = False, shift: float = 0.0) -> None:
        folder = self.folder / "logs" / f"span-{day}"
        if again:
            shutil.rmtree(folder)
        library.write_examples(folder, seed=100 * again + day, sizes=(TRAIN, EVAL), shift=shift)

    def label(self, span: str = "latest") -> list[LabellingDone]:
        return label_command.label(self.surface, self.folder / "logs", self.teacher, self.root, span=span)

    def run(self, **options: object) -> Run:
        run_command.run(self.surface, self.folder / "logs", self.teacher, self.root, **options)
        return newest_run(self.root)

    def labelled(self) -> list[dict]:
        """All label reports that were ever written, the oldest first."""
        reports = (self.root / "artifacts" / "TeacherLabeler" / "label_report").glob("*/report.json")
        return [json.loads(each.read_text()) for each in sorted(reports, key=lambda each: int(each.parent.name))]


@pytest.fixture(scope="module")
def product(tmp_path_factory) -> Product:
    return Product(tmp_path_factory.mktemp("daily"))


@pytest.fixture(scope="module")
def six_days(product) -> list[LabellingDone]:
    for day in range(1, DAYS):
        product.log(day)
    return [*product.label("1:3"), *product.label("4:6")]


@pytest.fixture(scope="module")
def seventh(product, six_days) -> Run:
    product.log(DAYS)
    return product.run(length=DAYS)


def test_each_span_is_labelled_by_itself(six_days, product):
    assert [(each.span, each.now, each.labelled) for each in six_days] == [
        (str(day), True, TRAIN + EVAL) for day in range(1, DAYS)
    ]
    assert {each.teacher_fingerprint for each in six_days} == {fingerprint(str(product.teacher))}


def test_the_seventh_day_labels_one_span_alone(seventh, product):
    assert seventh.nodes["TeacherLabeler"].state == "COMPLETE"
    reports = product.labelled()
    assert len(reports) == DAYS
    assert reports[-1]["overall"]["read"] == TRAIN + EVAL


def test_it_trains_on_the_whole_week_and_is_judged_on_the_last_day(seventh, product):
    window = seventh.nodes["Window"].outputs["examples"]
    assert [properties["span"] for _, properties in window] == list(range(1, DAYS + 1))
    transformed = seventh.nodes["Transform"].outputs["transformed_examples"]
    assert len(transformed) == DAYS
    summary = summarize(product.root)
    assert summary.decision.blessed, summary.decision.sentence
    rows = {(row.task, row.slice): row.examples for row in summary.decision.metrics}
    assert rows["borrowed", ""] == EVAL
    provenance = json.loads((Path(summary.push.destination) / "assets.extra" / "provenance.json").read_text())
    assert provenance["origin"]["data_span"] == "1:7"


def test_an_experiment_reads_the_whole_week(seventh, product):
    loaded = data.load(load_surface(Path(product.surface)).surface, run_paths(product.root))
    assert len(loaded.training["label/borrowed"]) == DAYS * TRAIN
    assert len(loaded.evaluation["label/borrowed"]) == EVAL


def test_an_unchanged_day_is_all_cache(seventh, product):
    again = product.run(length=DAYS)
    executed = {name for name, node in again.nodes.items() if node.state != "CACHED"}
    assert executed <= {"Teacher", "LastBlessed", "Window", "PreviousSpan", "EarlierRuns"}
    assert len(product.labelled()) == DAYS


def test_a_day_that_was_written_again_is_labelled_again_alone(seventh, product):
    product.log(2, again=True)
    assert [(each.span, each.now) for each in product.label("1:2")] == [("1", False), ("2", True)]
    assert summarize(product.root).run_id == newest_run(product.root).run_id >= seventh.run_id


def test_soft_labels_that_drift_from_the_day_before_block_the_push(seventh, product):
    product.log(8, shift=1.5)
    pushed = list((product.root / "serving" / "library").glob("[0-9]*"))
    with pytest.raises(InputError) as raised:
        product.run(length=2)
    message = str(raised.value)
    assert message.startswith("LabelledExampleGuard failed; nothing was pushed.")
    assert "split train: feature 'teacher/loan': High approximate Jensen-Shannon divergence" in message
    assert "above the threshold 0.1" in message
    assert "raise the feature's `drift_comparator`" in message
    assert list((product.root / "serving" / "library").glob("[0-9]*")) == pushed
    assert not {"Window", "Transform", "Pusher"} & set(newest_run(product.root).nodes)


def test_a_new_teacher_labels_every_span_of_the_window_again(seventh, product):
    before = len(product.labelled())
    product.teacher = library.write_teacher(product.folder / "new-teacher", scale=1.5)
    outcomes = product.label("6:7")
    assert [(each.span, each.now, each.labelled) for each in outcomes] == [
        ("6", True, TRAIN + EVAL),
        ("7", True, TRAIN + EVAL),
    ]
    assert {each.teacher_fingerprint for each in outcomes} == {fingerprint(str(product.teacher))}
    assert len(product.labelled()) == before + 2


def test_a_window_with_a_hole_is_an_error(seventh, product):
    product.log(10)
    with pytest.raises(InputError, match=r"the window 8:10 has holes: .* found none for 9"):
        product.run(length=3)
