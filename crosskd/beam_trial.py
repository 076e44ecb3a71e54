"""Runs a tiny Beam pipeline as `crosskd run` does, and refuses it the network: `python -m crosskd.beam_trial`.

A process of its own: an audit hook cannot be taken out again.  Prints one line of JSON, last.
"""

from __future__ import annotations

import ipaddress
import json
import sys
import time

_NUMBERS = range(100)
# Audit event to the place of the host among its arguments (docs.python.org, "Audit events table").
_NETWORK_EVENTS = {"socket.connect": 1, "socket.getaddrinfo": 0}


def main() -> None:
    """Prints `{"imported": seconds, "ran": seconds}`.

    Raises:
      ConnectionRefusedError: Something reached for another machine.
      BeamAssertException: The pipeline counted wrong.
    """
    reached: list[str] = []
    sys.addaudithook(lambda event, arguments: _refuse(event, arguments, reached))
    started = time.monotonic()
    import apache_beam as beam
    import tensorflow_model_analysis
    from apache_beam.options.pipeline_options import PipelineOptions
    from apache_beam.testing.util import assert_that, equal_to

    from pipeline.runners import beam_args

    del tensorflow_model_analysis  # imported because a run needs it
    imported = time.monotonic()
    with beam.Pipeline(options=PipelineOptions(beam_args([]))) as pipeline:
        total = pipeline | beam.Create(list(_NUMBERS)) | beam.CombineGlobally(sum)
        assert_that(total, equal_to([sum(_NUMBERS)]))
    # Beam swallows a refusal and falls back on something else, so the attempts count.
    if reached:
        raise ConnectionRefusedError(f"Beam reached for {', '.join(sorted(set(reached)))}")
    print(json.dumps({"imported": round(imported - started, 1), "ran": round(time.monotonic() - imported, 1)}))


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
