"""A surface of one's own, from a folder with one surface.yaml and one schema: no Python."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from tensorboard.backend.event_processing.event_multiplexer import EventMultiplexer
from tensorflow_transform import TFTransformOutput

from contracts.candidate_report import CandidateReport
from crosskd.runs import newest_run
from records import documents
from tests.browser import Opened, open_page
from tests.e2e import library
from tests.forked import crosskd

pytestmark = pytest.mark.slow


# Readers of the catalogue who have no training row.
STRANGERS = [f"stranger-{number}" for number in range(8)]


class Case:
    """The library's folders, and runs over them."""

    def __init__(self, folder: Path):
        self.root = folder / "root"
        text = library.SURFACE + library.PAIRS
        self.surface = library.write_surface(folder / "surface", surface=text, schema=library.SCHEMA_WITH_PAIRS)
        self.examples = library.write_examples(folder / "examples")
        self.teacher = library.write_teacher(folder / "teacher")
        self.people = folder / "people.csv"
        self.people.write_text("\n".join(["reader", "reader-3", *STRANGERS, ""]))

    def command(self) -> list[str]:
        """After `crosskd`."""
        folders = {"surface": self.surface, "examples": self.examples, "teacher": self.teacher, "root": self.root}
        folders |= {"people": self.people}
        options = [word for name, folder in folders.items() for word in (f"--{name}", str(folder))]
        return ["run", *options, "--json"]

    def pushed(self) -> int:
        return sum(each.name.isdigit() for each in (self.root / "serving" / "library").iterdir())

    def run(self, *more: str) -> tuple[subprocess.CompletedProcess, dict]:
        done = crosskd(*self.command(), *more)
        assert done.returncode == 0, done.stderr
        return done, json.loads(done.stdout)


@pytest.fixture(scope="module")
def case(tmp_path_factory) -> Case:
    return Case(tmp_path_factory.mktemp("library"))


@pytest.fixture(scope="module")
def first(case):
    return case.run()


@pytest.fixture(scope="module")
def second(case, first):
    return case.run()


def test_the_student_is_blessed_and_pushed(first, case):
    summary = first[1]
    assert summary["surface"] == "library"
    assert summary["decision"]["blessed"]
    assert summary["decision"]["first_run"]
    pushed = Path(summary["push"]["destination"])
    assert summary["push"]["now"]
    assert pushed.parent == case.root.resolve() / "serving" / "library"
    assert (pushed / "saved_model.pb").is_file()


def test_pairs_never_shown_were_made_labelled_and_transformed(first, case):
    assert first[1]["nodes"]["CandidateSampler"]["state"] == "COMPLETE"
    run = newest_run(case.root)
    sampled = documents.read(run.output("CandidateSampler", "candidate_report")[0], CandidateReport)
    assert 0 < sampled.kept == library.TRAIN_ROWS + len(STRANGERS) - sampled.given_up
    assert (sampled.users_without_row, sampled.items_without_row) == (len(STRANGERS), 0)
    people = sampled.catalogues["people"]
    assert (people.listed, people.with_row, people.drawn) == (len(STRANGERS) + 1, 1, len(STRANGERS))
    transformed = Path(run.output("Transform", "transformed_examples")[0])
    files = [str(path) for path in (transformed / "Split-unlabelled").glob("*.gz")]
    rows = [tf.train.Example.FromString(each) for each in tf.data.TFRecordDataset(files, "GZIP").as_numpy_iterator()]
    assert len(rows) == sampled.kept
    for row in rows:
        assert np.isnan(row.features.feature["label/borrowed"].float_list.value[0])
        assert np.isfinite(row.features.feature["teacher/loan"].float_list.value[0])


def test_strangers_of_the_catalogue_have_embedding_rows(first, case):
    graph = Path(newest_run(case.root).output("Transform", "transform_graph")[0])
    readers = TFTransformOutput(str(graph)).vocabulary_by_name("vocabulary_reader")
    assert {each.encode() for each in STRANGERS} < set(readers)
    assert len(readers) == 20 + len(STRANGERS)


def test_every_gate_was_judged_or_says_why_not(first):
    gates = first[1]["decision"]["gates"]
    found = {(gate["task"], gate["slice"], gate["kind"]): gate["verdict"] for gate in gates}
    assert found == {
        ("borrowed", None, "absolute"): "pass",
        ("borrowed", None, "last_blessed"): "not_judged",
        ("borrowed", None, "control"): "pass",
        ("borrowed", "crime", "absolute"): "pass",
        ("liked", None, "absolute"): "pass",
    }


def test_metrics_count_only_labelled_rows(first):
    rows = {(row["task"], row["slice"]): row for row in first[1]["decision"]["metrics"]}
    assert rows["borrowed", ""]["examples"] == library.EVAL_ROWS
    assert 0 < rows["liked", ""]["examples"] < rows["borrowed", ""]["positives"]


def test_the_teacher_is_reported_where_it_has_a_counterpart(first):
    assert set(first[1]["teacher"]) == {"borrowed"}
    assert first[1]["teacher"]["borrowed"] > 0.8


def test_the_pushed_model_serves_a_request_as_servers_load_it(first):
    path = first[1]["push"]["destination"]
    features = tf.train.Features()
    features.feature["reader"].bytes_list.value.append(b"somebody new")
    features.feature["book"].int64_list.value.append(3)
    requests = []
    for match in (-2.0, 2.0):
        features.feature["match"].float_list.value[:] = [match]
        requests.append(tf.train.Example(features=features).SerializeToString())
    with tf.Graph().as_default() as graph, tf.compat.v1.Session(graph=graph) as session:
        loaded = tf.compat.v1.saved_model.load(session, ["serve"], path)
        signature = loaded.signature_def["serving_default"]
        outputs = {task: tensor.name for task, tensor in signature.outputs.items()}
        found = session.run(outputs, {signature.inputs["examples"].name: requests})
    assert set(found) == {"borrowed", "liked"}
    assert found["borrowed"][0] < 0.3 < 0.6 < found["borrowed"][1]
    assert np.isfinite(found["liked"]).all()


def test_progress_goes_to_standard_error_and_noise_to_a_log(first, case):
    errors = first[0].stderr
    assert "TeacherLabeler" in errors
    labels = json.loads((Path(first[1]["label_report"]) / "report.json").read_text())
    assert labels["overall"]["labelled"] > library.TRAIN_ROWS + library.EVAL_ROWS  # pairs never shown, too
    assert f"{labels['overall']['labelled']:,} examples" in errors
    assert "epoch 4/4; hard loss " in errors
    assert "oneDNN" not in errors
    assert any(log.stat().st_size > 10_000 for log in (case.root / "logs").glob("*.log"))


def test_the_gate_explains_itself(first, case):
    done = crosskd("gate", "--root", case.root, "--explain")
    assert done.returncode == 0
    assert done.stdout.startswith(first[1]["decision"]["sentence"])
    for gate in first[1]["decision"]["gates"]:
        assert gate["sentence"] in done.stdout


def test_a_second_run_uses_every_cached_node_and_pushes_nothing(first, second, case):
    nodes = second[1]["nodes"]
    executed = {node for node, of in nodes.items() if of["state"] != "CACHED"}
    assert executed <= {"Teacher", "LastBlessed", "EarlierRuns"}  # importers and resolvers are never cached
    assert not second[1]["push"]["now"]
    assert second[1]["push"]["destination"] == first[1]["push"]["destination"]
    assert case.pushed() == 1
    assert second[1]["decision"] == first[1]["decision"]


@pytest.mark.browser
def test_the_report_shows_the_numbers_of_the_run(first, case, chromium):
    page = Path(first[1]["report"])
    assert crosskd("report", "--root", case.root).stdout.strip() == str(page)
    assert page.stat().st_size < 3_000_000
    opened = open_page(chromium, page)
    assert (opened.complaints, opened.requests) == ([], [])
    decision = first[1]["decision"]
    assert opened.page.locator("#decision").inner_text() == decision["sentence"]
    assert numbers(opened, "gates", (3, 4, 5)) == sorted(
        (gate["bound"], *ends(gate["student"] if gate["kind"] == "absolute" else gate["difference"]))
        for gate in decision["gates"]
        if gate["verdict"] != "not_judged"
    )
    metrics = [row for row in decision["metrics"] if row["metric"] == "auc"]
    assert numbers(opened, "slices", (2, 4, 5)) == sorted(
        (row["examples"], row["control"]["value"], row["student"]["value"]) for row in metrics
    )
    assert opened.page.locator("#calibration figure").count() == len({row["task"] for row in metrics})
    durations = {row[0][0]: [value for _, value in row[1:]] for row in opened.cells("durations")}
    measured = {name: node for name, node in first[1]["nodes"].items() if name in durations}
    assert set(first[1]["nodes"]) - set(measured) == {"EvaluationReport"}
    for name, node in measured.items():
        assert durations[name][0] == pytest.approx(node["seconds"], abs=2)
        assert durations[name][3] == round(node["peak_memory"] / 2**20)
    # All examples of both splits, and then the pairs, too.
    assert durations["TeacherLabeler"][1] > durations["RawStatistics"][1] == library.TRAIN_ROWS + library.EVAL_ROWS
    assert "There is no run before this one to compare with." in opened.page.locator("#feature-drift").inner_text()


def test_tensorboard_finds_the_losses_of_both_arms(first, case):
    found = EventMultiplexer().AddRunsFromDirectory(str(case.root / "artifacts")).Reload()
    runs = {name.partition("/")[0]: name for name in found.Runs() if name.endswith("/train")}
    assert set(runs) == {"Trainer.student", "Trainer.control"}
    for name in runs.values():
        assert len(found.Tensors(name, "epoch_loss")) == 4  # training.epochs of the surface


def numbers(opened: Opened, table: str, columns: tuple[int, ...]) -> list[tuple[float | None, ...]]:
    """The full numbers in some columns of a table, of the rows that have all of them."""
    rows = [tuple(row[column][1] for column in columns) for row in opened.cells(table)]
    return sorted(row for row in rows if None not in row)


def ends(measurement: dict) -> tuple[float, float]:
    return measurement["value"], measurement["lower"]


def test_the_summary_says_the_same_as_the_run(second, case):
    done = crosskd("summary", "--root", case.root, "--json")
    assert json.loads(done.stdout) == second[1]
    for_people = crosskd("summary", "--root", case.root)
    assert for_people.returncode == 0
    assert "already pushed" in for_people.stdout


@pytest.fixture(scope="module")
def tomorrow(second, case, tmp_path_factory):
    case.examples = library.write_examples(tmp_path_factory.mktemp("tomorrow") / "examples", seed=1)


@pytest.mark.parametrize("blow", [signal.SIGINT, signal.SIGKILL], ids=["interrupted", "killed"])
def test_a_run_that_was_cut_short_pushes_nothing(tomorrow, case, blow, interruptible):
    command = [Path(sys.executable).parent / "crosskd", *case.command(), "--runner", "local"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as running:
        for line in running.stderr:
            if "RawStatistics" in line:  # TeacherLabeler is next
                break
        running.send_signal(blow)
        rest = running.communicate(timeout=120)[1]
    if blow is signal.SIGINT:
        assert running.returncode == 130
        assert "interrupted. Give the same command again" in rest
    assert case.pushed() == 1
    done = crosskd("summary", "--root", case.root)
    assert done.returncode == 2
    assert "came to no decision" in done.stderr


def test_started_again_it_goes_on_and_compares_with_the_last_blessed_model(tomorrow, case):
    summary = case.run("--runner", "local")[1]
    assert summary["nodes"]["ImportExampleGen"]["state"] == "CACHED"
    assert not summary["decision"]["first_run"]
    kinds = {gate["kind"]: gate["verdict"] for gate in summary["decision"]["gates"] if gate["slice"] is None}
    assert kinds["last_blessed"] == "pass"
    assert summary["push"]["now"]
    assert case.pushed() == 2
    # The run that was cut short came to no decision.
    page = Path(summary["report"]).read_text()
    assert "2 runs, 2 of them blessed" in page
    assert "Nothing changed since the last run" in page
    drift = page.partition('id="table-feature-drift"')[2].partition("</table>")[0]
    for column in ("reader", "book", "genre", "match", "pages"):
        assert f'<th scope="row">{column}</th>' in drift
