"""The workers of a training, as `TF_CONFIG` names them.

Kubeflow's TFJob, Vertex's custom jobs and whoever starts workers by hand set this variable in
every process: https://www.tensorflow.org/guide/distributed_training#TF_CONFIG.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from schema.errors import InputError

VARIABLE = "TF_CONFIG"
_CHIEF, _WORKER = "chief", "worker"
_ADDRESS = re.compile(r"(?P<host>[^\s:/\[\]]+|\[[0-9a-fA-F:.]+\]):(?P<port>\d{1,5})")
_EXAMPLE = (
    '{"cluster": {"worker": ["host-0:2222", "host-1:2222"]}, "task": {"type": "worker", "index": 0}}, as Kubeflow\'s '
    "TFJob and Vertex's custom jobs set it"
)


@dataclass(frozen=True)
class Cluster:
    """The workers, and which of them this process is.

    Attributes:
      addresses: All of them, `host:port`, the chief first.
      index: The place of this process among them.
    """

    addresses: tuple[str, ...]
    index: int

    @property
    def chief(self) -> bool:
        """Whether this process is the one that writes."""
        return self.index == 0


def cluster_of(environment: Mapping[str, str] | None = None) -> Cluster | None:
    """The workers that the environment names.

    Args:
      environment: Environment variables; this process's own by default.

    Returns:
      None where there is no `TF_CONFIG`, or one of a single process.

    Raises:
      InputError: It names something else than workers of one training and which of them this process is.
    """
    given = (os.environ if environment is None else environment).get(VARIABLE, "").strip()
    if not given:
        return None
    content = _mapping(_parsed(given), "a mapping of `cluster` and `task`")
    if not content.get("cluster"):
        return None
    cluster = _mapping(content["cluster"], "`cluster`, a mapping")
    jobs = {str(name): _addresses(name, of) for name, of in cluster.items()}
    _expect_workers_alone(jobs)
    addresses = (*jobs.get(_CHIEF, ()), *jobs.get(_WORKER, ()))
    if repeated := sorted({each for each in addresses if addresses.count(each) > 1}):
        raise _wrong(f"a different address for every worker, found {', '.join(repeated)} several times")
    index = _index(content.get("task"), jobs)
    return Cluster(addresses, index) if len(addresses) > 1 else None


def named(addresses: tuple[str, ...], index: int) -> str:
    """What `TF_CONFIG` says of these workers to one of them."""
    return json.dumps({"cluster": {_WORKER: list(addresses)}, "task": {"type": _WORKER, "index": index}})


def _parsed(given: str) -> Any:
    try:
        return json.loads(given)
    except json.JSONDecodeError as error:
        raise _wrong(f"JSON, found {given[:200]!r} ({error})") from error


def _mapping(found: Any, expected: str) -> dict[str, Any]:
    if not isinstance(found, dict):
        raise _wrong(f"{expected}, found {found!r}")
    return found


def _addresses(name: str, of: Any) -> tuple[str, ...]:
    for each in of if isinstance(of, list) else [of]:
        match = _ADDRESS.fullmatch(each) if isinstance(each, str) else None
        if not isinstance(of, list) or match is None or not 0 < int(match["port"]) < 1 << 16:
            raise _wrong(f"a list of `host:port` as `cluster.{name}`, found {each!r}")
    return tuple(of)


def _expect_workers_alone(jobs: Mapping[str, tuple[str, ...]]) -> None:
    if others := sorted(name for name, of in jobs.items() if of and name not in (_CHIEF, _WORKER)):
        raise _wrong(
            f"{_CHIEF!r} and {_WORKER!r} in the cluster, found {', '.join(map(repr, others))}: every worker has the "
            "whole model and sums its gradients with the others'. Keras 3 trains on no parameter servers, and the "
            "pipeline's own Evaluator evaluates; leave them out"
        )
    if len(jobs.get(_CHIEF, ())) > 1:
        raise _wrong(f"one chief at most, found {len(jobs[_CHIEF])}")
    if not any(jobs.values()):
        raise _wrong("workers in the cluster, found none")


def _index(task: Any, jobs: Mapping[str, tuple[str, ...]]) -> int:
    found = _mapping(task, "`task`, a mapping of `type` and `index`")
    kind, number = found.get("type"), found.get("index", 0)
    # Some write the index as text.
    number = int(number) if isinstance(number, str) and number.isdecimal() else number
    known = jobs.get(kind, ()) if isinstance(kind, str) else ()
    if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number < len(known):
        there = ", ".join(f"{name} 0 to {len(of) - 1}" for name, of in jobs.items() if of)
        raise _wrong(f"a `task` of the cluster, which has {there}; found type {kind!r}, index {number!r}")
    return number + (len(jobs.get(_CHIEF, ())) if kind == _WORKER else 0)


def _wrong(expected: str) -> InputError:
    return InputError(
        f"the environment variable {VARIABLE}: expected {expected}. It looks like {_EXAMPLE}; a training in one "
        "process needs none"
    )
