"""What each node may use and how it is run: resources, placing, retries, caching, deadlines."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from contracts.nodes import of_any_span
from pipeline.kfp.names import executor_label
from schema.checks import nearest
from schema.errors import InputError
from schema.refusals import refusals
from schema.yaml_text import read

_NAME = r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?"
_PREFIX = re.compile(_NAME)
_LABEL = re.compile(r"([A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)?")
_VARIABLE = re.compile(r"[A-Za-z_]\w*")
SECRET = re.compile(rf"(?P<secret>{_NAME}):(?P<key>[\w.-]+)=(?P<variable>[A-Za-z_]\w*)")
# The nodes of older spans are run as those of the newest.
_BEFORE = re.compile(r"-before-\d+$")


class Accelerator(BaseModel):
    """An accelerator: a Kubernetes resource name, or Vertex's name of a type."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    type: Annotated[str, Field(min_length=1)]
    count: Annotated[int, Field(ge=1)] = 1


class Toleration(BaseModel):
    """A taint of nodes that a pod may run in spite of; as Kubernetes has it.

    Attributes:
      key: The taint's; empty for all, with `operator: Exists`.
      operator: Whether `value` is the taint's, or any value does.
      value: The taint's.
      effect: NoSchedule, PreferNoSchedule or NoExecute; None for all.
      seconds: How long the pod stays after NoExecute; None for ever.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    key: str = ""
    operator: Literal["Equal", "Exists"] = "Equal"
    value: str = ""
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = None
    seconds: Annotated[int, Field(ge=0)] | None = None

    @model_validator(mode="after")
    def _as_kubernetes_takes_it(self) -> Self:
        if self.operator == "Exists" and self.value:
            raise ValueError("operator Exists: expected no value")
        if self.operator == "Equal" and not self.key:
            raise ValueError("expected a key; for every taint give `operator: Exists`")
        if self.seconds is not None and self.effect != "NoExecute":
            raise ValueError("seconds: expected with effect NoExecute alone")
        return self


def _label(text: str) -> str:
    if not _LABEL.fullmatch(text):
        raise ValueError(f"expected a label of Kubernetes (63 letters, digits, and - _ . inside), found {text!r}")
    return text


def _key(text: str) -> str:
    prefix, slash, name = text.rpartition("/")
    if not name or not _LABEL.fullmatch(name) or (slash and not _PREFIX.fullmatch(prefix)):
        raise ValueError(f"expected a key of Kubernetes, such as team or example.com/team, found {text!r}")
    return text


def _variable(text: str) -> str:
    if not _VARIABLE.fullmatch(text):
        raise ValueError(f"expected the name of an environment variable, found {text!r}")
    return text


def _secret(text: str) -> str:
    if not SECRET.fullmatch(text):
        raise ValueError(f"expected secret-name:key=VARIABLE, found {text!r}")
    return text


Key = Annotated[str, AfterValidator(_key)]
Label = Annotated[str, AfterValidator(_label)]
Positive = Annotated[float, Field(gt=0)]


class Policy(BaseModel):
    """How one node is run.

    Attributes:
      cpu: Processors; also what is reserved.
      memory: Gigabytes (10^9 bytes).
      accelerator: None for none.
      retries: How often a failed node is tried again.
      cache: Whether an earlier result for the same inputs may stand in.
      node_selector: Labels that a node must have to run the pod.
      tolerations: Taints in spite of which it may.
      temporary_storage: The most that /tmp may hold, in gigabytes; None for no limit of its own.
      shared_memory: Size of /dev/shm in gigabytes, which counts as memory; None leaves the container
        runtime's 64 MB.
      deadline_hours: When one attempt is ended; None for never.
      labels: Labels of the pod.
      annotations: Annotations of the pod.
      environment: Variables of the container, beside those of all.
      secrets: Variables out of secrets, beside those of all: secret-name:key=VARIABLE.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    cpu: Positive = 2.0
    memory: Positive = 8.0
    accelerator: Accelerator | None = None
    retries: Annotated[int, Field(ge=0, le=10)] = 2
    cache: bool = True
    node_selector: Mapping[Key, Label] = Field(default_factory=dict)
    tolerations: Sequence[Toleration] = ()
    temporary_storage: Positive | None = None
    shared_memory: Positive | None = None
    deadline_hours: Positive | None = None
    labels: Mapping[Key, Label] = Field(default_factory=dict)
    annotations: Mapping[Key, str] = Field(default_factory=dict)
    environment: Mapping[Annotated[str, AfterValidator(_variable)], str] = Field(default_factory=dict)
    secrets: Sequence[Annotated[str, AfterValidator(_secret)]] = ()

    @model_validator(mode="before")
    @classmethod
    def _no_priority(cls, given: Any) -> Any:
        if isinstance(given, Mapping) and "priority_class" in given:
            raise ValueError(
                "priority_class: a pipeline of Kubeflow 2.17 has no field for it. For all runs of an installation its "
                "API server takes the variable COMPILED_PIPELINE_SPEC_PATCH, "
                "'{\"podPriorityClassName\": ...}'; for single nodes give them `labels:`, and have a policy of the "
                "cluster set it by those"
            )
        return given

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.shared_memory is not None and self.shared_memory >= self.memory:
            raise ValueError(
                f"shared_memory: expected less than memory, {self.memory:g}, of which it is a part, found "
                f"{self.shared_memory:g}"
            )
        return self


class RunPolicy(BaseModel):
    """How a whole run is kept in bounds.

    Attributes:
      deadline_hours: When a run is ended; None for never.
      keep_hours: When Kubernetes' objects of a run that ended (workflow, pods, logs in pods) are
        removed; None as the installation does.  Kubeflow's list keeps the run.
      keep_hours_after_success: Instead, for runs that succeeded.
      keep_hours_after_failure: Instead, for runs that failed.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    deadline_hours: Positive | None = None
    keep_hours: Positive | None = None
    keep_hours_after_success: Positive | None = None
    keep_hours_after_failure: Positive | None = None


class Policies(BaseModel):
    """The policies of the run, and of all nodes: `default` and exceptions, each a part of a policy."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    run: RunPolicy = RunPolicy()
    default: Policy = Policy()
    nodes: Mapping[str, Mapping[str, Any]] = Field(default_factory=dict)

    def of(self, node: str) -> Policy:
        """The policy of a node."""
        return Policy.model_validate({**self.default.model_dump(), **self.nodes.get(of_any_span(node), {})})

    def of_executors(self, labels: Iterable[str]) -> dict[str, Policy]:
        """The policies of the executors of a compiled pipeline, by label."""
        known = {executor_label(node): node for node in self.nodes}
        return {label: self.of(known.get(_BEFORE.sub("", label), "")) for label in labels}

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
