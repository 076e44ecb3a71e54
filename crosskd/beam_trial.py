"""Runs a tiny Beam pipeline as `crosskd run` does, and refuses it the network: `python -m crosskd.beam_trial`.

A process of its own: an audit hook cannot be taken out again, and a library that was built for
another processor ends it.  Prints one line of JSON, last.
"""

from __future__ import annotations

import ctypes
import importlib.util
import ipaddress
import json
import sys
import time
from pathlib import Path

_NUMBERS = range(100)
_LIBRARIES = ("libtensorflow_framework.so.2", "libtensorflow_cc.so.2")
# Audit event to the place of the host among its arguments (docs.python.org, "Audit events table").
_NETWORK_EVENTS = {"socket.connect": 1, "socket.getaddrinfo": 0}


def main() -> None:
    """Prints `{"imported": seconds, "ran": seconds}`.

    To import TFX whole takes ten times as long, and tells no more than that its packages are there,
    which another check looks at, and that TensorFlow's libraries load here, which is tried alone.

    Raises:
      OSError: A library of TensorFlow's does not load.
      ConnectionRefusedError: Something reached for another machine.
      BeamAssertException: The pipeline counted wrong.
    """
    reached: list[str] = []
    sys.addaudithook(lambda event, arguments: _refuse(event, arguments, reached))
    started = time.monotonic()
    import apache_beam as beam
    from apache_beam.options.pipeline_options import PipelineOptions
    from apache_beam.testing.util import assert_that, equal_to

    from pipeline.beam_options import beam_args

    load_tensorflow()
    imported = time.monotonic()
    with beam.Pipeline(options=PipelineOptions(beam_args([]))) as pipeline:
        total = pipeline | beam.Create(list(_NUMBERS)) | beam.CombineGlobally(sum)
        assert_that(total, equal_to([sum(_NUMBERS)]))
    # Beam swallows a refusal and falls back on something else, so the attempts count.
    if reached:
        raise ConnectionRefusedError(f"Beam reached for {', '.join(sorted(set(reached)))}")
    print(json.dumps({"imported": round(imported - started, 1), "ran": round(time.monotonic() - imported, 1)}))


def load_tensorflow() -> None:
    """Loads TensorFlow's own libraries, without its Python.

    Raises:
      ModuleNotFoundError: TensorFlow is not installed.
      OSError: They do not load.
    """
    found = importlib.util.find_spec("tensorflow")
    if found is None or found.origin is None:
        raise ModuleNotFoundError("No module named 'tensorflow'")
    for library in _LIBRARIES:
        ctypes.CDLL(str(Path(found.origin).parent / library))


def _refuse(event: str, arguments: tuple[object, ...], reached: list[str]) -> None:
    if event not in _NETWORK_EVENTS:
        return
    address = arguments[_NETWORK_EVENTS[event]]
    host = address[0] if isinstance(address, tuple) else address if event == "socket.getaddrinfo" else None
    if host is not None and not _is_here(str(host)):
        reached.append(str(host))
        raise ConnectionRefusedError(f"no network in this trial: {host}")


def _is_here(host: str) -> bool:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host in ("", "localhost")
    return address.is_loopback or address.is_unspecified


if __name__ == "__main__":
    main()
