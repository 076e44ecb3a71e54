"""What each node may use and how it is run: resources, retries, caching."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from schema.checks import nearest
from contracts.nodes import of_any_span
from schema.errors import InputError
from schema.refusals import refusals
from schema.yaml_text import read

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
        return Policy.model_validate({**self.default.model_dump(), **self.nodes.get(of_any_span(node), {})})

    def check(self, nodes: Iterable[str]) -> None:
        """Checks that every exception is about a node that there is.

        Raises:
          InputError: One is not.
        """
        known = list(dict.fromkeys(map(of_any_span, nodes)))
        for name in self.nodes:
            if name not in known:
                raise InputError(f"policies: nodes.{name}: no such node{nearest(name, known)}")


def read_policies(path: Path | None) -> Policies:
    """Reads policies from YAML; the defaults without a file.

    Raises:
      InputError: There is no such file, or it is not that.
    """
    if path is None:
        return Policies()
    if not path.is_file():
        raise InputError(f"{path}: expected a YAML file of policies (default:, nodes:), found no such file")
    content, places = read(path.read_text(encoding="utf-8"), str(path))
    try:
        policies = Policies.model_validate(content or {})
    except ValidationError as error:
        raise InputError(*(f"{path}: {each}" for each in refusals(error, Policies, content, places))) from error
    for node, part in policies.nodes.items():
        try:
            policies.of(node)
        except ValidationError as error:
            raise InputError(*(f"{path}: nodes.{node}.{each}" for each in refusals(error, Policy, part))) from error
    return policies
