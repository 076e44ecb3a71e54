"""What each node may use and how it is run: resources, retries, caching."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from schema.errors import InputError

DEFAULT = "default"


class Accelerator(BaseModel):
    """An accelerator: a Kubernetes resource name, or Vertex's name of a type."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    type: Annotated[str, Field(min_length=1)]
    count: Annotated[int, Field(ge=1)] = 1


class Policy(BaseModel):
    """How one node is run.

    Attributes:
      cpu: Processors; also what is reserved.
      memory: Gigabytes (10^9 bytes).
      accelerator: None for none.
      retries: How often a failed node is tried again.
      cache: Whether an earlier result for the same inputs may stand in.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    cpu: Annotated[float, Field(gt=0)] = 2.0
    memory: Annotated[float, Field(gt=0)] = 8.0
    accelerator: Accelerator | None = None
    retries: Annotated[int, Field(ge=0, le=10)] = 2
    cache: bool = True


class Policies(BaseModel):
    """The policies of all nodes: `default` and exceptions, each a part of a policy."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    default: Policy = Policy()
    nodes: Mapping[str, Mapping[str, Any]] = Field(default_factory=dict)

    def of(self, node: str) -> Policy:
        """The policy of a node."""
        return Policy.model_validate({**self.default.model_dump(), **self.nodes.get(node, {})})

    def check(self, nodes: Iterable[str]) -> None:
        """Checks that every exception is about a node that there is.

        Raises:
          InputError: One is not.
        """
        known = list(nodes)
        for name in self.nodes:
            if name not in known:
                near = difflib.get_close_matches(name, known, n=1, cutoff=0.0)
                raise InputError(
                    f"policies: nodes.{name}: no such node; did you mean {near[0]!r}? Nodes: {', '.join(known)}"
                )


def read_policies(path: Path | None) -> Policies:
    """Reads policies from YAML; the defaults without a file.

    Raises:
      InputError: There is no such file, or it is not that.
    """
    if path is None:
        return Policies()
    if not path.is_file():
        raise InputError(f"{path}: expected a YAML file of policies (default:, nodes:), found no such file")
    try:
        policies = Policies.model_validate(yaml.safe_load(path.read_text()) or {})
        for node in policies.nodes:
            policies.of(node)
    except (yaml.YAMLError, ValidationError) as error:
        raise InputError(f"{path}: not policies of nodes: {error}") from error
    return policies
