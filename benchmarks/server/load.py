"""Asks a server at a fixed rate, or as fast as so many clients can, and keeps every answer.

At a fixed rate a request's latency counts from when it was due: a server that stops for a second
answers all requests of that second late, and not only the one that happened to wait for it.
"""

from __future__ import annotations

import base64
import http.client
import itertools
import json
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np

from benchmarks.server.process import Server

_HEADERS = {"Content-Type": "application/json"}


@dataclass(frozen=True)
class Answer:
    """What became of one request.

    Attributes:
      request: Which of the requests it was.
      due: When it was due, in seconds of the monotonic clock.
      sent: When it was sent.
      done: When its answer was there.
      status: The answer's status; 0 where there was none.
      body: What was answered, or the client's error.
    """

    request: int
    due: float
    sent: float
    done: float
    status: int
    body: bytes

    @property
    def seconds(self) -> float:
        """From when it was due until it was answered."""
        return self.done - self.due


@dataclass
class Load:
    """The answers so far; `stop` ends the asking."""

    answers: list[Answer] = field(default_factory=list)
    stopped: threading.Event = field(default_factory=threading.Event)

    def between(self, begin: float, end: float) -> list[Answer]:
        """The answers to what was due in this time."""
        return [each for each in list(self.answers) if begin <= each.due < end]


def body_of(examples: Sequence[bytes]) -> bytes:
    """A request of the Open Inference Protocol for serialized tf.Examples."""
    data = [base64.b64encode(each).decode() for each in examples]
    given = {
        "name": "examples",
        "shape": [len(data)],
        "datatype": "BYTES",
        "parameters": {"content_type": "base64"},
        "data": data,
    }
    return json.dumps({"inputs": [given]}).encode()


def answered(body: bytes) -> tuple[int, dict[str, np.ndarray]]:
    """The version that answered, and its outputs by name, [examples, numbers]: the protocol knows no vectors."""
    found = json.loads(body)
    outputs = {each["name"]: np.array(each["data"], np.float64).reshape(each["shape"]) for each in found["outputs"]}
    return int(found["model_version"]), outputs


@contextmanager
def asking(server: Server, bodies: Sequence[bytes], clients: int, rate: float | None) -> Iterator[Load]:
    """Asks from now on until the block ends, the bodies in turn.

    Args:
      server: Who is asked.
      bodies: The requests.
      clients: How many ask at once; at a fixed rate, the most that wait for an answer at once.
      rate: Requests a second; None for as fast as the clients get their answers.
    """
    load, numbers, began = Load(), itertools.count(), time.monotonic()
    threads = [
        threading.Thread(target=_ask, args=(server, bodies, load, numbers, began, rate), daemon=True)
        for _ in range(clients)
    ]
    for thread in threads:
        thread.start()
    try:
        yield load
    finally:
        load.stopped.set()
        for thread in threads:
            thread.join()


def _ask(
    server: Server,
    bodies: Sequence[bytes],
    load: Load,
    numbers: Iterator[int],
    began: float,
    rate: float | None,
) -> None:
    connection = server.connect()
    while not load.stopped.is_set():
        number = next(numbers)
        due = time.monotonic() if rate is None else began + number / rate
        if due > time.monotonic() and load.stopped.wait(due - time.monotonic()):
            break
        request, sent = number % len(bodies), time.monotonic()
        status, body = _send(connection, server, bodies[request])
        load.answers.append(Answer(request, due, sent, time.monotonic(), status, body))
    connection.close()


def _send(connection: http.client.HTTPConnection, server: Server, body: bytes) -> tuple[int, bytes]:
    """Sends one request once; a lost connection is a failed request, and the next one connects anew."""
    try:
        connection.request("POST", server.infer_path, body, _HEADERS)
        answer = connection.getresponse()
        return answer.status, answer.read()
    except (OSError, http.client.HTTPException) as error:
        connection.close()
        return 0, repr(error).encode()
