import io
import logging
import sys

import pytest
from absl import flags
from absl import logging as absl_logging
from rich.console import Console

from crosskd.progress import follow
from crosskd.terminal import Terminal


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


def test_on_a_terminal_the_noise_of_libraries_still_goes_elsewhere(terminal, capsys):
    terminal.err = Console(file=io.StringIO(), width=100, force_terminal=True)
    with follow(terminal, 1):
        absl_logging.info("node Trainer.student is running.")
        print("noise", file=sys.stderr)
        absl_logging.info("node Trainer.student is finished.")
    assert "noise" not in terminal.err.file.getvalue()
    assert "[1/1] Trainer.student" in terminal.err.file.getvalue()
    assert "noise" in capsys.readouterr().err
