"""What runs left of their trainings, beside the versions that they pushed.

A version that serves knows by a digest what its run left, student and control, so that after a
rollback, and where metadata are lost, the right one is found; servers read names as numbers and pass
over this folder.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from pydantic import BaseModel, ConfigDict

from records import documents
from records.manifest import record
from records.spans import newest_span
from schema.errors import InputError

# The folder of what an arm left: in its Trainer's `model_run`, and in what a Trainer is given to continue from.
STATE_FOLDER = "training_state"
WEIGHTS_FILE = "weights.npz"
OPTIMIZER_FILE = "optimizer.npz"
# In both files, the values that a table has rows of: one a line, by the table's layer; and those of earlier
# runs that this one has no rows of, with their rows.
KEYS_PREFIX = "keys/"
LAPSED_KEYS_PREFIX = "lapsed_keys/"
LAPSED_PREFIX = "lapsed/"
SPAN_PREFIX = "span/"
_FOLDER = ".training"
_DIGITS = 16


class _Part(BaseModel):
    """Unknown keys are errors, and what was found does not change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ModelInput(_Part):
    """One of the vectors that lie side by side in what the trunk reads.

    Attributes:
      name: The feature, sequence or cross.
      width: How many numbers.
      meaning: What they are, as the surface says it.
    """

    name: str
    width: int
    meaning: str


class Scale(_Part):
    """The mean and the standard deviation by which a regression's labels were made z-scores."""

    mean: float
    std: float


class ArmState(_Part):
    """What an arm left: this document beside the weights, and the optimizer's state where it was asked for.

    Attributes:
      role: Which arm, student or control: a control's lineage never saw a soft label.
      data: Which examples it was trained on: `span/N`, or a digest of their content.
      lineage: The same of the runs that it continued from; of spans the newest alone.
      tables: What the indices of each embedding are, by its layer.
      inputs: What the trunk read, in order.
      heads: What each head says, by its layer.
      scales: The scales of regressions, by task.
      optimizer: The optimizer whose state is kept; None where none is.
      steps: The steps that it took.
      files: SHA-256 of each file beside this one, by name.
    """

    FILE: ClassVar[str] = "state.json"
    TITLE: ClassVar[str] = "what an arm left of its training"

    role: str
    data: str
    lineage: tuple[str, ...]
    tables: dict[str, str]
    inputs: tuple[ModelInput, ...]
    heads: dict[str, str]
    scales: dict[str, Scale]
    optimizer: str | None
    steps: int
    files: dict[str, str]


def folder_of(serving: str, digest: str, role: str) -> str:
    """Where the state of an arm lies beside the versions of `serving`, by the digest of what its run left."""
    return f"{serving.rstrip('/')}/{_FOLDER}/{digest[:_DIGITS]}/{role}"


def unreferenced(serving: str, digests: Collection[str]) -> list[Path]:
    """The folders beside the versions of `serving`, on this machine, of which none of these digests is."""
    known = {digest[:_DIGITS] for digest in digests}
    folder = Path(serving, _FOLDER)
    return sorted(each for each in folder.iterdir() if each.name not in known) if folder.is_dir() else []


def leave(serving: str, states: Mapping[str, str]) -> str:
    """Copies what a run left beside the versions, the documents last.

    Args:
      serving: The push destination.
      states: The folder of each arm's state, by role.

    Returns:
      The digest of all of it.

    Raises:
      InputError: A state cannot be read, or its copy is not whole.
    """
    from tfx.dsl.io import fileio

    digest = digest_of(states)
    for role, source in states.items():
        target = folder_of(serving, digest, role)
        fileio.makedirs(target)
        for name in (*documents.read(source, ArmState).files, ArmState.FILE):
            fileio.copy(f"{source}/{name}", f"{target}/{name}", overwrite=True)
    problem = damage(serving, digest, states)
    if problem:
        raise InputError(f"{serving}: the copy of what the run left to continue from is not whole: {problem}.")
    return digest


def damage(serving: str, digest: str, roles: Collection[str]) -> str | None:
    """Why what a run left must not be continued from, as part of a sentence; None if it may be."""
    states = {role: folder_of(serving, digest, role) for role in roles}
    try:
        for state in states.values():
            check(state)
        changed = digest_of(states) != digest
    except InputError as error:
        return str(error)
    return "it is not what the pushed version's run left" if changed else None


def digest_of(states: Mapping[str, str]) -> str:
    """The digest of what a run left: of its documents, which hold those of the other files."""
    digest = hashlib.sha256()
    for role, folder in sorted(states.items()):
        try:
            digest.update(f"{role} {record(f'{folder}/{ArmState.FILE}').sha256}".encode())
        except OSError as error:
            raise InputError(f"{folder}/{ArmState.FILE} is gone") from error
    return digest.hexdigest()


def check(folder: str) -> ArmState:
    """The state of an arm, whose files are whole.

    Raises:
      InputError: They are not.
    """
    state = documents.read(folder, ArmState)
    for name, expected in state.files.items():
        try:
            found = record(f"{folder}/{name}").sha256
        except OSError as error:
            raise InputError(f"{folder}/{name} is gone") from error
        if found != expected:
            raise InputError(f"{folder}/{name} has another content than was left")
    return state


def data_of(data_span: str | None, splits: Mapping[str, Sequence[str]]) -> str:
    """Which examples a run is trained on: its newest span, or a digest of their content.

    Args:
      data_span: A span, or A:B, as provenance has it; None without spans.
      splits: The files of each split, for examples without spans.
    """
    newest = newest_span(data_span)
    if newest is not None:
        return f"{SPAN_PREFIX}{newest}"
    digest = hashlib.sha256()
    for split, files in sorted(splits.items()):
        digest.update(split.encode())
        for each in sorted(record(file).sha256 for file in files):
            digest.update(each.encode())
    return f"examples/{digest.hexdigest()[:_DIGITS]}"


def is_after(ours: str, theirs: str, lineage: Sequence[str]) -> bool:
    """Whether a run on the examples `ours` comes after one on `theirs`: a repetition starts where the first one did."""
    if ours.startswith(SPAN_PREFIX) and theirs.startswith(SPAN_PREFIX):
        return int(theirs.removeprefix(SPAN_PREFIX)) < int(ours.removeprefix(SPAN_PREFIX))
    return ours != theirs and ours not in lineage


def lineage_after(data: str, lineage: Sequence[str]) -> tuple[str, ...]:
    """The lineage of a run that continues from one on `data`; of spans, whose order is known, the newest is enough."""
    known = (*lineage, data)
    spans = [each for each in known if each.startswith(SPAN_PREFIX)][-1:]
    return (*(each for each in known if not each.startswith(SPAN_PREFIX)), *spans)
