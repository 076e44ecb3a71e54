import io
import logging
import re
import sys
import time

import pytest
from absl import flags
from absl import logging as absl_logging
from rich.console import Console

from contracts.measurements import Measurements, NodeMeasurement
from crosskd.progress import follow
from crosskd.terminal import Terminal
from records import documents


@pytest.fixture
def terminal() -> Terminal:
    terminal = Terminal()
    terminal.err = Console(file=io.StringIO(), width=100)
    return terminal


def lines(terminal: Terminal) -> list[str]:
    return terminal.err.file.getvalue().splitlines()


def test_a_line_is_printed_when_a_node_is_done(terminal):
    with follow(terminal, 2):
        absl_logging.info("node Transform is running.")
        absl_logging.info("node Transform is finished.")
        absl_logging.info("Component Pusher is running.")
        absl_logging.info("A cached execution 12 is used.")
        absl_logging.info("Component Pusher is finished.")
    first, second = lines(terminal)
    assert first.split()[:2] == ["1/2", "Transform"]
    assert first.endswith(" s")
    assert second.split() == ["2/2", "Pusher", "cached"]


def test_the_running_node_is_known(terminal):
    with follow(terminal, 1) as progress:
        absl_logging.info("node Trainer.student is running.")
        assert progress.current == "Trainer.student"


def test_what_was_measured_is_left_for_the_report_as_soon_as_a_node_is_done(terminal, tmp_path):
    documents.write(str(tmp_path), Measurements(nodes={"Old": NodeMeasurement(seconds=1, peak_memory=2)}))
    with follow(terminal, 2, tmp_path) as progress:
        assert documents.read(str(tmp_path), Measurements).nodes == {}
        absl_logging.info("node Transform is running.")
        absl_logging.info("node Transform is finished.")
        absl_logging.info("Component Pusher is running.")
        absl_logging.info("A cached execution 12 is used.")
        absl_logging.info("Component Pusher is finished.")
        found = documents.read(str(tmp_path), Measurements).nodes
    assert found == progress.measured
    assert found["Pusher"] == NodeMeasurement(seconds=None, peak_memory=None)
    assert 0 <= found["Transform"].seconds < 5
    assert found["Transform"].peak_memory > 10 * 2**20


def test_a_folder_that_cannot_be_written_ends_no_run(terminal, tmp_path):
    (tmp_path / "logs").touch()
    with follow(terminal, 1, tmp_path / "logs"):
        absl_logging.info("node Pusher is running.")
        absl_logging.info("node Pusher is finished.")
    assert len(lines(terminal)) == 1


def test_progress_survives_that_beam_executors_parse_flags(terminal):
    with follow(terminal, 1):
        flags.FLAGS(["crosskd", "--runner=FnApiRunner"], known_only=True)
        absl_logging.info("node Pusher is running.")
        absl_logging.info("node Pusher is finished.")
    assert len(lines(terminal)) == 1


def test_logging_is_left_as_it_was(terminal):
    before = absl_logging.get_verbosity(), list(logging.getLogger("absl").handlers)
    with follow(terminal, 1):
        pass
    assert (absl_logging.get_verbosity(), list(logging.getLogger("absl").handlers)) == before


def test_labelling_is_counted_over_threads_with_its_speed(terminal, monkeypatch):
    now = iter([10.0, 13.0, 14.0])
    monkeypatch.setattr("crosskd.progress.time.monotonic", lambda: next(now, 15.0))
    with follow(terminal, 1):
        absl_logging.info("node TeacherLabeler is running.")  # at 10
        for examples, since in ((1000, 12.5), (3000, 12.0)):  # two shards, done at 13 and 14, the first begun at 12
            absl_logging.info("labelled %d more examples", examples, extra={"examples_labelled": (examples, since)})
        absl_logging.info("node TeacherLabeler is finished.")
    assert lines(terminal) == ["   1/1 TeacherLabeler                5.0 s  4,000 examples labelled in 2.0 s, 2,000/s"]


def test_student_and_control_show_losses_that_measure_the_same(terminal):
    hard = {"hard_loss": 0.4, "val_hard_loss": 0.61239}
    control = {"loss": 0.4, "soft_loss": 0.0, "val_soft_loss": 0.0, **hard}
    student = {"loss": 0.7, "soft_loss": 0.3, "val_soft_loss": 0.2, **hard}
    with follow(terminal, 2):
        for node, losses in (("Trainer.control", control), ("Trainer.student", student)):
            absl_logging.info("node %s is running.", node)
            absl_logging.info("epoch", extra={"training_epoch": (2, 30, losses)})
            absl_logging.info("node %s is finished.", node)
    of_control, of_student = lines(terminal)
    assert of_control.endswith("epoch 2/30; hard loss 0.4000, held out 0.6124")
    assert of_student.endswith("epoch 2/30; hard loss 0.4000, held out 0.6124; soft loss 0.3000, held out 0.2000")


def test_on_a_terminal_the_running_node_shows_how_far_it_is(terminal):
    terminal.err = Console(file=io.StringIO(), width=100, force_terminal=True)
    with follow(terminal, 1) as progress:
        absl_logging.info("node TeacherLabeler is running.")
        absl_logging.info("labelled", extra={"examples_labelled": (4000, time.monotonic() - 2)})
        progress._live.refresh()
        absl_logging.info("node TeacherLabeler is finished.")
    assert re.search(
        r"\[1/1\] TeacherLabeler\s+0\.\d s\s+4,000 examples labelled in 2\.0 s, (1,9|2,0)\d\d/s",
        terminal.err.file.getvalue(),
    )


def test_on_a_terminal_the_noise_of_libraries_still_goes_elsewhere(terminal, capsys):
    terminal.err = Console(file=io.StringIO(), width=100, force_terminal=True)
    with follow(terminal, 1):
        absl_logging.info("node Trainer.student is running.")
        print("noise", file=sys.stderr)
        absl_logging.info("node Trainer.student is finished.")
    assert "noise" not in terminal.err.file.getvalue()
    assert "[1/1] Trainer.student" in terminal.err.file.getvalue()
    assert "noise" in capsys.readouterr().err
