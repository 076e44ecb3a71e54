"""What a user does wrong ends in one clear message, a non-zero exit code, and no push."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import tensorflow as tf

from contracts.outcome import Exit
from crosskd import run as run_command
from crosskd.launch import only_run_in
from records.record_files import first_records, write_records
from schema.errors import InputError
from tests.e2e import library

ONE_SCREEN = 24
CROSSKD = Path(sys.executable).parent / "crosskd"


class Case:
    """Folders that a test spoils one of."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.surface = folder / "surface"
        self.examples = folder / "examples"
        self.teacher = folder / "teacher"
        self.root = folder / "root"

    def refusal(self) -> str:
        """The message with which the run refuses; fails if anything was pushed."""
        with pytest.raises(InputError) as caught:
            run_command.run(str(self.surface), self.examples, self.teacher, self.root)
        assert not list(self.root.glob("serving/*/[0-9]*"))
        message = str(caught.value)
        assert len(message.splitlines()) < ONE_SCREEN
        return message


@pytest.fixture
def case(tmp_path) -> Case:
    case = Case(tmp_path)
    library.write_surface(case.surface)
    library.write_examples(case.examples)
    library.write_teacher(case.teacher)
    return case


def test_no_such_folder(case):
    case.examples = case.folder / "nowhere"
    assert "nowhere: no such folder. Expected a folder with train/ and eval/" in case.refusal()


def test_an_empty_split(case):
    for file in (case.examples / "eval").iterdir():
        with tf.io.TFRecordWriter(str(file), options="GZIP"):
            pass
    assert "eval: the split is empty: 2 file(s) without a single record" in case.refusal()


def test_a_truncated_record_file(case):
    file = case.examples / "train" / "part-1.gz"
    file.write_bytes(file.read_bytes()[:-100])
    assert "part-1.gz: not a whole gzipped TFRecord" in case.refusal()


def test_no_teacher(case):
    case.teacher = case.folder / "examples"
    assert "expected the folder of a SavedModel" in case.refusal()


def test_a_surface_that_is_not_there(case):
    case.surface = Path("homepag")
    assert "no shipped surface; those are homepage, radio, video" in case.refusal()


def test_a_source_domain_is_no_target(case):
    case.surface = Path("video")
    assert "expected a `teacher:` section, found none" in case.refusal()


def test_two_runs_in_one_root(case):
    with only_run_in(case.root):
        assert "another run uses this root" in case.refusal()


def test_a_label_column_that_is_absent(case):
    library.write_examples(case.folder / "unlabelled", without="was_borrowed")
    case.examples = case.folder / "unlabelled"
    assert "split train: feature 'was_borrowed': Column dropped" in case.refusal()


@pytest.mark.slow
def test_what_the_sample_does_not_hold_is_found_by_the_node(case):
    library.write_examples(case.folder / "more", sizes=(2600, 600))
    last = case.folder / "more/train/part-1.gz"
    records = first_records(str(last))
    without = tf.train.Example.FromString(records[-1])
    del without.features.feature["was_borrowed"]
    write_records(str(last), [*records[:-1], without.SerializeToString()], level=1)
    case.examples = case.folder / "more"
    message = case.refusal()
    assert "was_borrowed" in message
    assert "RawExampleGuard failed; nothing was pushed" in message


def test_a_type_that_contradicts_the_schema(case):
    schema = case.surface / "schema.pbtxt"
    schema.write_text(schema.read_text().replace('"match" type: FLOAT', '"match" type: INT'))
    message = case.refusal()
    assert "match" in message
    assert "INT" in message
    assert "FLOAT" in message


def test_a_teacher_without_the_signature(case):
    library.write_teacher(case.folder / "other", signature="score")
    case.teacher = case.folder / "other"
    message = case.refusal()
    assert "rank" in message
    assert "score" in message


def test_a_teacher_without_the_task(case):
    surface = case.surface / "surface.yaml"
    surface.write_text(surface.read_text().replace("output: loan_logit", "output: lone_logit"))
    message = case.refusal()
    assert "lone_logit" in message
    assert "loan_logit" in message


def test_a_teacher_that_says_nan(case):
    library.write_teacher(case.folder / "nan", scale=float("nan"))
    case.teacher = case.folder / "nan"
    message = case.refusal()
    assert "loan" in message
    assert "NaN" in message or "finite" in message


def test_exit_codes_are_told_apart():
    codes = [Exit.OK, Exit.FAILED, Exit.BAD_INPUT, Exit.NOT_BLESSED, Exit.NOT_PUSHED, Exit.GOING_ON, Exit.INTERRUPTED]
    assert codes == [0, 1, 2, 3, 4, 5, 130]


@pytest.mark.slow
@pytest.mark.parametrize("runner", ["beam", "local"])
def test_the_password_of_the_metadata_server_is_nowhere(tmp_path, runner):
    """The server is away, so that the run ends early; TFX has logged its connection by then."""
    folders = {
        "surface": library.write_surface(tmp_path / "surface"),
        "examples": library.write_examples(tmp_path / "examples"),
        "teacher": library.write_teacher(tmp_path / "teacher"),
        "root": tmp_path / "root",
    }
    options = [word for name, folder in folders.items() for word in (f"--{name}", str(folder))]
    command = [CROSSKD, "run", *options, "--metadata", "mysql://crosskd@127.0.0.1:1/metadata", "--runner", runner]
    environment = {**os.environ, "CROSSKD_METADATA_PASSWORD": 'marked-0f3a"quoted'}
    running = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    commands = Path(f"/proc/{running.pid}/cmdline").read_bytes()
    said, _ = running.communicate(timeout=300)
    assert running.returncode == 1
    (log,) = (tmp_path / "root/logs").glob("*.log")
    assert 'password: "***"' in log.read_text()
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    for content in (commands, said.encode(), *(path.read_bytes() for path in written)):
        assert b"marked-0f3a" not in content
