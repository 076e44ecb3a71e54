"""What the load test counts: failures, answers of the wrong version or the wrong numbers, lateness from when due."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
import tensorflow as tf

from benchmarks.server.load import Answer, answered, asking, body_of
from benchmarks.server.phases import Phase, References, Swap, figures
from benchmarks.server.process import HOST, Server, serving
from records.versions import Versions
from schema.errors import InputError


def said(version: int, *clicks: float) -> bytes:
    outputs = [{"name": "click", "shape": [len(clicks), 1], "datatype": "FP32", "data": list(clicks)}]
    return json.dumps({"model_version": str(version), "outputs": outputs}).encode()


def answer(due: float, body: bytes, *, status: int = 200, seconds: float = 0.01) -> Answer:
    return Answer(request=0, due=due, sent=due, done=due + seconds, status=status, body=body)


def save(folder, factor: float) -> None:
    """A model that answers the length of each example times a number."""
    module = tf.Module()
    taken = tf.TensorSpec([None], tf.string, name="examples")
    lengths = tf.function(
        lambda examples: {"click": factor * tf.cast(tf.strings.length(examples), tf.float32)}, [taken]
    )
    tf.saved_model.save(module, str(folder), {"serving_default": lengths.get_concrete_function()})


@pytest.fixture(scope="module")
def references(tmp_path_factory) -> References:
    folder = tmp_path_factory.mktemp("versions")
    save(folder / "1", 1.0)
    save(folder / "2", 2.0)
    return References(Versions(str(folder)), [[b"ab", b"abc"]])


def test_each_answer_is_compared_with_what_its_version_says(references):
    good, other = answer(0.0, said(1, 2, 3)), answer(0.0, said(2, 4, 6))
    assert [references.distance(each) for each in (good, other)] == [0, 0]
    assert references.distance(answer(0.0, said(1, 2, 3.5))) == pytest.approx(0.5)
    assert references.distance(answer(0.0, said(2, 2, 3))) == pytest.approx(3)
    assert references.distance(answer(0.0, said(1, 2))) == np.inf


def test_failed_wrong_and_stale_answers_are_counted(references):
    swap = Swap(version=2, command_seconds=5, told=10, loaded=12)
    answers = [
        answer(1, said(1, 2, 3)),
        answer(9, b"refused", status=500),
        answer(10.5, said(1, 2, 3), seconds=0.9),
        answer(11, said(2, 4, 6), seconds=0.2),
        answer(13, said(2, 4, 6.1)),
        answer(14, said(1, 2, 3)),
        answer(15, said(1, float("nan"), 3)),
    ]
    found = figures(Phase("a push", answers, 0.0, 20.0, swap), references.distance)
    assert (found.requests, found.failed, found.wrong, found.stale) == (7, 1, 2, 2)
    assert found.versions == {1: 4, 2: 2}
    assert (found.load_seconds, found.max_ms_in_load, found.max_ms) == (2.0, 900.0, 900.0)
    assert found.rate == pytest.approx(6 / 20, abs=0.05)


class Stalling(BaseHTTPRequestHandler):
    """Answers nothing for half a second in the midst, and refuses what is marked."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        began = self.server.__dict__.setdefault("began", time.monotonic())
        body = self.rfile.read(int(self.headers["Content-Length"]))
        since = time.monotonic() - began
        if 0.5 < since < 1.0:
            time.sleep(1.0 - since)
        self.send_response(400 if b"bad" in body else 200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *arguments: object) -> None:
        """Says nothing."""


@pytest.fixture
def stalling() -> Iterator[Server]:
    with ThreadingHTTPServer((HOST, 0), Stalling) as listening:
        threading.Thread(target=listening.serve_forever, daemon=True).start()
        yield Server(listening.server_port, "model")
        listening.shutdown()


def test_a_stall_makes_everything_late_that_was_due_in_it(stalling):
    """With one client, 100 requests a second and half a second without answers, half a hundred are late."""
    with asking(stalling, [b"good"], 1, 100.0) as load:
        time.sleep(2.0)
    late = [each for each in load.answers if each.seconds > 0.1]
    assert 30 < len(late) < 60
    assert max(each.seconds for each in load.answers) == pytest.approx(0.5, abs=0.1)
    assert {each.status for each in load.answers} == {200}


def test_what_is_refused_or_not_answered_at_all_is_kept_as_such(stalling):
    with asking(stalling, [b"good", b"bad"], 2, None) as load:
        time.sleep(0.2)
    assert {(each.request, each.status) for each in load.answers} == {(0, 200), (1, 400)}
    gone = Server(stalling.port, "model")
    with ThreadingHTTPServer((HOST, 0), Stalling) as listening:
        gone.port = listening.server_port
    with asking(gone, [b"good"], 1, 50.0) as load:
        time.sleep(0.2)
    assert {each.status for each in load.answers} == {0}
    assert b"refused" in load.answers[0].body


def test_a_request_says_its_bytes_in_base64():
    (given,) = json.loads(body_of([b"\xff\x00", b"a"]))["inputs"]
    assert (given["shape"], given["data"], given["parameters"]) == ([2], ["/wA=", "YQ=="], {"content_type": "base64"})
    version, outputs = answered(said(7, 0.25, 0.5))
    assert version == 7
    assert outputs["click"].tolist() == [[0.25], [0.5]]


def test_without_the_environment_of_the_server_it_says_what_makes_it(tmp_path):
    with pytest.raises(InputError, match="make bench-server"), serving(tmp_path, tmp_path, tmp_path / "none"):
        pass
