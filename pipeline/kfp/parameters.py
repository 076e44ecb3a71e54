"""Run parameters: what changes from run to run without a new compilation or image.

A parameter inside of a longer text travels as Kubeflow's own placeholder.  Where the backend
has not put the value in, `pipeline.kfp.entrypoint` does.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import StrEnum

from pipeline.kfp.spans import spans_before
from schema.candidates import PAIRS_FROM, fingerprint_key
from schema.errors import InputError

# Kubeflow's own prefix for a pipeline's parameter among a task's inputs.
PREFIX = "pipelinechannel--"
SPAN_PATTERN = "{SPAN}"

_PLACEHOLDER = re.compile(r"\{\{\$\.inputs\.parameters\['" + PREFIX + r"(\w+)'\]\}\}")
# Where containers find something: on a volume, or in a store that TensorFlow or `records.buckets` reads.
_PLACES = ("examples", "teacher", "serving", *PAIRS_FROM)
_BUCKETS = ("gs://", "s3://", "minio://")
# Would break out of the JSON that the launcher puts the value into.
_UNSAFE = re.compile(r"[\"\\\n\r\t]|\{\{")


class Kind(StrEnum):
    """Types of parameters, as the pipeline specification calls them."""

    STRING = "STRING"
    INTEGER = "NUMBER_INTEGER"


@dataclass(frozen=True)
class RunParameter:
    """One run parameter: its type, and what a person is told about it."""

    kind: Kind
    description: str


RUN_PARAMETERS: Mapping[str, RunParameter] = {
    "examples": RunParameter(Kind.STRING, "Folder with train/ and eval/, gzipped TFRecords of tf.Example."),
    "span": RunParameter(Kind.STRING, "What takes the place of {SPAN} in the examples' folder, such as a day."),
    "candidates": RunParameter(Kind.STRING, "Folder of candidates that unlabelled pairs are read from."),
    "people": RunParameter(Kind.STRING, "Catalogue of people that unlabelled pairs are drawn for, too."),
    "items": RunParameter(Kind.STRING, "Catalogue of items that unlabelled pairs are drawn from, too."),
    **{
        fingerprint_key(name): RunParameter(Kind.STRING, f"Of the content of {name}; `crosskd submit` computes it.")
        for name in PAIRS_FROM
    },
    "teacher": RunParameter(Kind.STRING, "The teacher's SavedModel."),
    "teacher_fingerprint": RunParameter(Kind.STRING, "Of the teacher's content; `crosskd submit` computes it."),
    "serving": RunParameter(Kind.STRING, "Folder that the model server watches; versions are pushed here."),
    "seed": RunParameter(Kind.INTEGER, "Seed of initialisation and shuffling, for student and control alike."),
    "gates": RunParameter(Kind.STRING, "Gates by task, as JSON, that take the place of the surface's own."),
    "beam_args": RunParameter(Kind.STRING, "Arguments of every Beam pipeline, as on a command line."),
}


@dataclass(frozen=True)
class Defaults:
    """Values that a run has unless it gives others; None makes the parameter required."""

    examples: str | None
    span: str | None
    teacher: str | None
    teacher_fingerprint: str | None
    serving: str | None
    seed: int | None
    gates: str | None
    beam_args: str | None
    candidates: str | None = None
    candidates_fingerprint: str | None = None
    people: str | None = None
    people_fingerprint: str | None = None
    items: str | None = None
    items_fingerprint: str | None = None

    def pairs_from(self) -> list[str]:
        """What unlabelled pairs are made of beside the examples."""
        return [name for name in PAIRS_FROM if getattr(self, name) is not None]

    def given(self) -> dict[str, str | int]:
        """Those that there are, checked."""
        values = {each.name: getattr(self, each.name) for each in fields(self)}
        return {name: checked(name, value) for name, value in values.items() if value is not None}


def run_parameter(name: str) -> RunParameter:
    """What is known of a run parameter.

    Raises:
      InputError: There is no such parameter.
    """
    before = spans_before(name)
    if before:
        return RunParameter(Kind.STRING, f"The span {before} before `span`; `crosskd submit` computes it.")
    if name not in RUN_PARAMETERS:
        raise InputError(f"run parameter {name!r}: no such parameter; those are {', '.join(RUN_PARAMETERS)}")
    return RUN_PARAMETERS[name]


def placeholder(name: str) -> str:
    """The text that stands for a run parameter until the run."""
    return f"{{{{$.inputs.parameters['{PREFIX}{name}']}}}}"


def placeholders_in(text: str) -> set[str]:
    """The run parameters that a text refers to."""
    return set(_PLACEHOLDER.findall(text))


def resolve(text: str, values: Mapping[str, str | int | float]) -> str:
    """Puts run parameters into a text.

    Raises:
      InputError: The text refers to a parameter that has no value.
    """

    def value_of(found: re.Match[str]) -> str:
        if found[1] not in values:
            raise InputError(f"expected a value of run parameter {found[1]!r}, found {', '.join(values) or 'none'}")
        value = values[found[1]]
        return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)

    return _PLACEHOLDER.sub(value_of, text)


def checked(name: str, value: str | int) -> str | int:
    """The value of a run parameter, in its type.

    Raises:
      InputError: There is no such parameter, or the value cannot be one of it.
    """
    if run_parameter(name).kind is Kind.INTEGER:
        return _integer(name, value)
    if name == "gates":
        _check_json(str(value))
    elif _UNSAFE.search(str(value)):
        raise InputError(
            f"run parameter {name!r}: expected a text without quotes, backslashes, line breaks and '{{{{', "
            f"found {value!r}"
        )
    elif name in _PLACES:
        _check_place(name, str(value))
    return value


def _check_place(name: str, value: str) -> None:
    if not value.startswith(("/", *_BUCKETS)):
        raise InputError(
            f"run parameter {name!r}: expected an absolute path on a volume, or a bucket ({', '.join(_BUCKETS)}), "
            f"found {value!r}"
        )


def _integer(name: str, value: str | int) -> int:
    try:
        return int(value)
    except ValueError as error:
        raise InputError(f"run parameter {name!r}: expected a whole number, found {value!r}") from error


def _check_json(value: str) -> None:
    try:
        content = json.loads(value) if value else {}
    except json.JSONDecodeError as error:
        raise InputError(f"run parameter 'gates': expected JSON, found {value[:80]!r}: {error}") from error
    if not isinstance(content, dict):
        raise InputError(f"run parameter 'gates': expected an object of tasks, found {value[:80]!r}")
