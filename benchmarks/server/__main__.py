"""The student behind a real model server, loaded while it is asked: a push and a rollback that no client notices.

Claim (docs/results.md): MLServer, told to load after each push, answers every request over a push and over a
rollback, each as the version says that the answer names (to 1e-6); and a malformed request spoils no other.

    make bench-server
    python -m benchmarks.server --rate 100 --json OUT

The push is a `crosskd run`, the rollback a `crosskd rollback`, both in processes of their own on this machine,
beside the server and the clients: latencies while they run are those of a server that shares its cores.
"""

from __future__ import annotations

import http.client
import json
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from benchmarks.server.load import Load, asking, body_of
from benchmarks.server.phases import Phase, PhaseFigures, References, Swap, figures
from benchmarks.server.process import ENVIRONMENT, Server, serving
from benchmarks.server.world import World, crosskd, prepare
from benchmarks.serving import of_run
from components.serving_validator.requests import Requests, read_requests
from components.serving_validator.requirements import requirements_of
from crosskd.terminal import TERMINAL
from schema.loader import load_surface

_REQUESTS = 64
_SEED = 0
_MALFORMED_EVERY = 10


def main(
    folder: Annotated[Path, typer.Option("--out", help="Folder of the world and of two runs; made once.")] = Path(
        "runs/server"
    ),
    rate: Annotated[float, typer.Option(min=1, help="Requests a second while versions change.")] = 100.0,
    batch: Annotated[int, typer.Option(min=2, help="Examples in a request.")] = 16,
    clients: Annotated[int, typer.Option(min=1, help="The most that ask at once.")] = 16,
    duration: Annotated[float, typer.Option(min=1, help="Seconds of each phase, beside what happens in it.")] = 20.0,
    environment: Annotated[Path, typer.Option(help="Where requirements/server.txt is installed.")] = ENVIRONMENT,
    out: Annotated[Path, typer.Option("--json", help="Where the figures go.")] = Path("benchmarks/results/server.json"),
) -> None:
    """Ask a model server at a fixed rate while a version is pushed and rolled back."""
    TERMINAL.say("two runs of the demonstration, once")
    world = prepare(folder)
    sent = _requests(world)
    batches = _batches(sent, batch)
    with tempfile.TemporaryDirectory() as at, serving(Path(world.versions.base), Path(at), environment) as server:
        phases, fastest = _measure(server, world, batches, _malformed(batches[0], sent), (clients, rate, duration))
    references = References(world.versions, batches)
    measured = [figures(each, references.distance) for each in phases]
    closed = [figures(each, references.distance) for each in fastest]
    found = _summary(measured, closed, {"rate": rate, "examples_in_a_request": batch, "clients": clients})
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(found, indent=2) + "\n")
    TERMINAL.json(found)
    raise typer.Exit(0 if found["holds"] else 1)


def _measure(
    server: Server, world: World, batches: Sequence[Sequence[bytes]], bad: bytes, how: tuple[int, float, float]
) -> tuple[list[Phase], list[Phase]]:
    """The phases at a fixed rate, and those of so many clients that ask as fast as they can."""
    clients, rate, duration = how
    bodies = [body_of(each) for each in batches]
    fastest = [_closed(server, bodies, each, duration / 2) for each in sorted({1, 4, clients})]
    with asking(server, bodies, clients, rate) as load:
        time.sleep(duration / 4)  # threads and connections are there
        phases = [
            _phase("nothing happens", load, duration, None),
            _phase("a push", load, duration, lambda: _swap(server, world, world.run)),
            _phase("a rollback", load, duration, lambda: _swap(server, world, lambda: _roll_back(world))),
            _phase("one request in ten is malformed, from another client", load, duration, _spoil(server, bad, rate)),
        ]
    return phases, fastest


def _closed(server: Server, bodies: Sequence[bytes], clients: int, duration: float) -> Phase:
    with asking(server, bodies, clients, None) as load:
        time.sleep(duration / 5)
        begin = time.monotonic()
        time.sleep(duration)
        end = time.monotonic()
    return Phase(f"{clients} clients", load.between(begin, end), begin, end)


def _phase(name: str, load: Load, duration: float, happening: Callable[[], Swap | None] | None) -> Phase:
    """Has something happen in the midst of a phase; the load goes on until its last request is answered."""
    begin = time.monotonic()
    time.sleep(duration / 2)
    TERMINAL.say(name)
    swap = happening() if happening else None
    time.sleep(duration / 2)
    end = time.monotonic()
    time.sleep(0.5)  # for the answers to what was due last
    return Phase(name, load.between(begin, end), begin, end, swap)


def _swap(server: Server, world: World, command: Callable[[], None]) -> Swap:
    """A command of crosskd, and then what an operator's script does: the server is told to load."""
    before, started = world.versions.versions(), time.monotonic()
    command()
    seconds = time.monotonic() - started
    (added,) = set(world.versions.versions()) - set(before)
    told = time.monotonic()
    server.load()
    return Swap(added, seconds, told, time.monotonic())


def _roll_back(world: World) -> None:
    crosskd("rollback", "--root", str(world.root))


def _spoil(server: Server, bad: bytes, rate: float) -> Callable[[], None]:
    """Sends malformed requests beside the good ones, and expects each to be refused as such."""

    def happening() -> None:
        with asking(server, [bad], 2, rate / _MALFORMED_EVERY) as load:
            time.sleep(5)
        statuses = {each.status for each in load.answers}
        if statuses != {http.client.BAD_REQUEST}:
            raise RuntimeError(f"malformed requests: expected all of them to be answered 400, found {statuses}")

    return happening


def _requests(world: World) -> Requests:
    surface = load_surface(world.surface).surface
    return read_requests([of_run(world.root, "examples")], requirements_of(surface))


def _batches(sent: Requests, size: int) -> list[list[bytes]]:
    rng = np.random.default_rng(_SEED)
    return [[sent.stripped[row] for row in rng.integers(len(sent.stripped), size=size)] for _ in range(_REQUESTS)]


def _malformed(good: Sequence[bytes], sent: Requests) -> bytes:
    """A request in which one example of many is malformed."""
    return body_of([*good[1:], next(iter(sent.malformed.values()))])


def _summary(
    measured: Sequence[PhaseFigures], fastest: Sequence[PhaseFigures], settings: dict[str, Any]
) -> dict[str, Any]:
    bad = sum(each.failed + each.wrong + each.stale for each in (*measured, *fastest))
    return {
        **settings,
        "phases": [each.model_dump() for each in measured],
        "as_fast_as_they_can": [each.model_dump() for each in fastest],
        "holds": bad == 0,
    }


if __name__ == "__main__":
    typer.run(main)
