"""A week of spans: every day is labelled once, and the seventh trains on all of them."""

from __future__ import annotations

import html
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from typer.testing import CliRunner

from contracts.outcome import Exit
from contracts.provenance import Provenance
from crosskd import label as label_command
from crosskd import rolling_back
from crosskd import run as run_command
from crosskd.checking.inspection import RunInputs, inspect_inputs
from crosskd.evidence_paths import paths_of, run_paths
from crosskd.label import LabellingDone
from crosskd.labelled_spans import LabelledSpans
from crosskd.launch import only_run_in
from crosskd.main import app
from crosskd.prune import prune
from crosskd.runs import Run, newest_run
from crosskd.summary import summarize
from evidence import data
from evidence.days.cells import Cell, TeacherPlan, Way
from evidence.days.chains import Chain, SpanArms, Trained
from evidence.days.examples import Day, Examples
from models.training_state import read_left
from records import documents
from records.fingerprint import fingerprint
from records.record_files import first_records, write_records
from records.spans import SpanFolders
from records.training_states import STATE_FOLDER
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
        text = (
            library.SURFACE.replace("training: {", "training: {continue_from: served, ") + "teacher_age: {at_most: 5}\n"
        )
        self.surface = str(library.write_surface(folder / "surface", surface=text))
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
    # The older half last, as in a backfill.
    return [*product.label("4:6"), *product.label("1:3")]


@pytest.fixture(scope="module")
def seventh(product, six_days) -> Run:
    product.log(DAYS)
    return product.run(length=DAYS)


def test_each_span_is_labelled_by_itself(six_days, product):
    assert [(each.span, each.now, each.labelled) for each in six_days] == [
        (str(day), True, TRAIN + EVAL) for day in (4, 5, 6, 1, 2, 3)
    ]
    assert {each.teacher_fingerprint for each in six_days} == {fingerprint(str(product.teacher))}


def test_the_seventh_day_labels_one_span_alone(seventh, product):
    assert seventh.nodes["TeacherLabeler"].state == "COMPLETE"
    reports = product.labelled()
    assert len(reports) == DAYS
    assert reports[-1]["overall"]["read"] == TRAIN + EVAL


def test_it_trains_on_the_whole_week_and_is_judged_on_the_last_day(seventh, product):
    window = seventh.nodes["Window"].outputs["examples"]
    assert {properties["span"] for _, properties in window} == set(range(1, DAYS + 1))
    transformed = seventh.nodes["Transform"].outputs["transformed_examples"]
    assert len(transformed) == DAYS
    summary = summarize(product.root)
    assert summary.decision.blessed, summary.decision.sentence
    rows = {(row.task, row.slice): row.examples for row in summary.decision.metrics}
    assert rows["borrowed", ""] == EVAL
    provenance = json.loads((Path(summary.push.destination) / "assets.extra" / "provenance.json").read_text())
    assert provenance["origin"]["data_span"] == "1:7"


def test_the_last_rows_are_the_newest_day_s_though_older_ones_were_labelled_after_others(seventh, product):
    def labels(folder: str) -> list[int]:
        records = first_records([str(each) for each in sorted(Path(folder).iterdir())])
        spec = {"was_borrowed": tf.io.FixedLenFeature([], tf.int64)}
        return tf.io.parse_example(records, spec)["was_borrowed"].numpy().tolist()

    surface = load_surface(Path(product.surface)).surface
    last = surface.model_copy(update={"training": surface.training.model_copy(update={"hold_out": "last"})})
    paths = paths_of(product.root, seventh)
    logged = [labels(str(product.folder / "logs" / f"span-{day}" / "train")) for day in range(1, DAYS + 1)]
    assert [labels(folder) for folder in paths.labelled_train] == logged
    loaded = data.load(last, paths)
    assert loaded.training["label/borrowed"].tolist() == [each for day in logged for each in day]
    assert loaded.training["label/borrowed"][loaded.held_out].tolist() == logged[-1][-len(loaded.held_out) :]


def test_an_experiment_reads_the_whole_week(seventh, product):
    loaded = data.load(load_surface(Path(product.surface)).surface, run_paths(product.root))
    assert len(loaded.training["label/borrowed"]) == DAYS * TRAIN
    assert len(loaded.evaluation["label/borrowed"]) == EVAL


def test_an_unchanged_day_is_all_cache(seventh, product):
    again = product.run(length=DAYS)
    executed = {name for name, node in again.nodes.items() if node.state != "CACHED"}
    assert executed <= {"Teacher", "LastBlessed", "Window", "PreviousSpan", "EarlierRuns"}
    assert len(product.labelled()) == DAYS
    # What it left serves by now, and it does not continue from itself.
    assert all(each.version is None for each in summarize(product.root).continued.values())


@pytest.fixture(scope="module")
def eighth(product, seventh) -> Run:
    product.log(DAYS + 1)
    return product.run(length=2)


def test_the_eighth_day_continues_from_the_seventh_each_arm_from_its_own(seventh, eighth, product):
    served = Path(seventh.output("Pusher", "pushed_model")[1]["pushed_destination"])
    left = documents.read(str(served), Provenance).training
    assert (left.data, left.lineage) == ("span/7", ())
    summary = summarize(product.root)
    assert summary.decision.blessed, summary.decision.sentence
    for role in ("student", "control"):
        told = summary.continued[role]
        assert told.version == int(served.name)
        assert told.new == ()
        # Two days of eight have fewer books and readers than seven, and some that are new.
        assert told.rows["reader"].continued > 0
        found = Path(eighth.output("Continuation", role)[0]) / "Format-Serving" / STATE_FOLDER
        assert read_left(str(found)).state.role == role
        of_first = Path(seventh.output(f"Trainer.{role}", "model_run")[0]) / STATE_FOLDER
        assert (found / "weights.npz").read_bytes() == (of_first / "weights.npz").read_bytes()
        state = read_left(str(Path(eighth.output(f"Trainer.{role}", "model_run")[0]) / STATE_FOLDER)).state
        assert (state.role, state.data, state.lineage) == (role, "span/8", ("span/7",))
        assert told.sentence.startswith(f"Continues from the run of version {served.name}, trained on span/7. ")
    page = Path(summary.report).read_text()
    assert "Continues from the run of version" in page
    assert (summary.decision.teacher_age.first_seen, summary.decision.teacher_age.spans) == ("7", 1)
    assert "The teacher is 1 span old: it was first seen in 7. At most 5 were asked." in page


def test_while_one_teacher_replaces_another_the_labels_of_both_are_there(eighth, product):
    """So each day labels one span: before the change, on its day, and if it is taken back."""
    old, new = product.teacher, library.write_teacher(product.folder / "newer", scale=0.5)
    taken = {}
    for name, teacher, span in (("new", new, "6:7"), ("old", old, "6:8"), ("change", new, "6:8"), ("back", old, "6:8")):
        product.teacher = teacher
        taken[name] = [(each.span, each.now) for each in product.label(span)]
    assert taken["new"] == [("6", True), ("7", True)]
    assert taken["old"] == taken["back"] == [("6", False), ("7", False), ("8", False)]
    assert taken["change"] == [("6", False), ("7", False), ("8", True)]


def test_after_pruning_the_runs_of_what_may_serve_are_in_the_cache(eighth, product):
    with only_run_in(product.root):
        assert prune(product.root, 2, remove=True).versions == []
    again = product.run(length=2)
    executed = {name for name, node in again.nodes.items() if node.state != "CACHED"}
    assert executed <= {"Teacher", "LastBlessed", "Window", "PreviousSpan", "EarlierRuns"}
    assert again.output("Trainer.student", "model")[0] == eighth.output("Trainer.student", "model")[0]


def test_a_state_that_is_gone_is_said_before_anything_runs(eighth, product):
    report = inspect_inputs(
        RunInputs(product.surface, product.folder / "logs", product.teacher, "8", 2, root=product.root)
    )
    assert report.starts.startswith("Continues from the run of version")
    states, away = (product.root / "serving" / "library" / name for name in (".training", ".away"))
    states.rename(away)
    with pytest.raises(InputError, match="damaged or gone"):
        product.run(length=2)
    away.rename(states)


@pytest.mark.parametrize("role", ["student", "control"])
def test_a_study_over_spans_trains_as_these_two_days_did(seventh, eighth, product, tmp_path, role):
    """`crosskd days`, given what the Trainer read, leaves what the Trainer left."""
    surface = load_surface(Path(product.surface)).surface
    plan = TeacherPlan("the teacher", {7: 0, 8: 0}) if role == "student" else None
    cell = Cell(Way.CONTINUED, 2, plan)
    chain = Chain(cell, tmp_path)
    for span, run in ((7, seventh), (8, eighth)):
        loaded = data.load(surface, paths_of(product.root, run))
        SpanArms(surface, span, False, Day(loaded, {0: ({}, {})}, {}, None)).train(cell, 0, chain, Trained())
    ours = chain.left(0)
    theirs = read_left(str(Path(eighth.output(f"Trainer.{role}", "model_run")[0]) / STATE_FOLDER))
    assert (ours.state.role, ours.state.lineage, ours.keys) == (role, theirs.state.lineage, theirs.keys)
    assert set(ours.weights) == set(theirs.weights)
    for path, weights in theirs.weights.items():
        np.testing.assert_allclose(ours.weights[path], weights, atol=1e-3, err_msg=path)
    for layer, keys in theirs.lapsed.keys.items():
        assert set(ours.lapsed.keys[layer]) == set(keys)


def test_a_day_that_was_written_again_is_labelled_again_alone(seventh, product):
    product.label("1:2")  # pruned by now, or not
    product.log(2, again=True)
    assert [(each.span, each.now) for each in product.label("1:2")] == [("1", False), ("2", True)]
    assert summarize(product.root).run_id == newest_run(product.root).run_id >= seventh.run_id


def test_soft_labels_that_drift_from_the_day_before_block_the_push(eighth, product):
    product.log(9, shift=1.5)
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


@pytest.fixture(scope="module")
def bad_day(product, eighth) -> Run:
    """A day whose hard labels are turned, as after a join with the wrong column: the teacher notices nothing."""
    product.log(9, again=(product.folder / "logs/span-9").exists())
    for file in (product.folder / "logs/span-9").rglob("*.gz"):
        examples = [tf.train.Example.FromString(each) for each in first_records(str(file))]
        for each in examples:
            label = each.features.feature["was_borrowed"].int64_list.value
            label[:] = [1 - label[0]]
        write_records(str(file), [each.SerializeToString() for each in examples], level=1)
    return product.run(length=2)


def monitor(product: Product) -> tuple[int, dict]:
    """The exit code of `crosskd monitor` over all days, and what it found."""
    spans = str(product.folder / "logs" / "span-{SPAN}")
    done = CliRunner().invoke(app, ["monitor", "--root", str(product.root), "--examples", spans, "--json"])
    return done.exit_code, json.loads(done.stdout)


def test_a_day_of_wrong_labels_is_stopped_by_the_gates_and_raises_an_alert(bad_day, eighth, product):
    summary = summarize(product.root)
    assert not summary.decision.blessed
    assert "borrowed" in summary.decision.sentence
    served = Path(eighth.output("Pusher", "pushed_model")[1]["pushed_destination"])
    assert max(int(each.name) for each in served.parent.glob("[0-9]*")) == int(served.name)
    code, found = monitor(product)
    assert code == Exit.ALERT
    assert found["version"] == int(served.name)
    assert [each["span"] for each in found["spans"]] == ["9"]
    alert = next(each for each in found["alerts"] if (each["subject"], each["slice"]) == ("borrowed", ""))
    assert (alert["began"], alert["version"]) == ("9", int(served.name))
    assert alert["sentence"] in html.unescape(Path(found["page"]).read_text(encoding="utf-8"))


def test_a_study_over_spans_transforms_as_the_eighth_day_did(eighth, bad_day, product, tmp_path):
    """Beam keeps no order of rows, so that they are compared in that of a number which no two share."""
    folder = load_surface(Path(product.surface))
    spans = SpanFolders(product.folder / "logs", "span-{SPAN}")
    labelled = LabelledSpans(folder.surface, spans, {0: Path(product.teacher)}, lambda _: None)
    ours = Examples(folder, (7, 8, 9), labelled, None).day(8, 2, [0], str(tmp_path / "graph")).data
    theirs = data.load(folder.surface, paths_of(product.root, eighth))
    assert ours.vocabularies == theirs.vocabularies
    orders = [np.argsort(each.training["match"].ravel()) for each in (ours, theirs)]
    for name, column in theirs.training.items():
        np.testing.assert_allclose(ours.training[name][orders[0]], column[orders[1]], rtol=1e-4, atol=1e-5)


def test_after_a_rollback_the_older_model_is_watched_and_continued_from(bad_day, seventh, product):
    done = rolling_back.roll_back(product.root, product.root / "serving" / "library")
    before = Path(seventh.output("Pusher", "pushed_model")[1]["pushed_destination"])
    assert done.restores == int(before.name)
    report = inspect_inputs(
        RunInputs(product.surface, product.folder / "logs", product.teacher, "9", 2, root=product.root)
    )
    assert report.starts == f"Continues from the run of version {done.version}, trained on span/7."
    code, found = monitor(product)
    assert code == Exit.OK, found["alerts"]
    assert found["version"] == done.version
    # It is watched on the day that the newer one was trained on; the day on which that served stays that one's.
    assert [each["span"] for each in found["spans"]] == ["8"]
    assert [(each["span"], each["version"]) for each in found["earlier"]] == [("9", done.rollback_of)]
    assert "Quiet up to 8" in Path(found["page"]).read_text(encoding="utf-8")


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
    product.log(11)
    with pytest.raises(InputError, match=r"the window 9:11 has holes: .* found none for 10"):
        product.run(length=3)
