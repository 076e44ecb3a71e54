"""Blessings, decisions and models written by hand."""

from __future__ import annotations

import atexit
import functools
import shutil
import tempfile
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tensorflow as tf
from tfx import types
from tfx.proto import pusher_pb2
from tfx.types import standard_artifacts
from tfx.utils import proto_utils

from components.blessing_gate.executor import write_blessing
from components.model_pusher.destination import Destination
from components.model_pusher.executor import Executor
from contracts.artifacts import GateDecision
from contracts.decision import Decision
from contracts.provenance import Origin, Provenance
from records import documents
from records.content import content_fingerprint

ORIGIN = Origin(surface="tiny", data_span="7", teacher_fingerprint="t" * 64, git_revision="abc")


@dataclass
class Push:
    """The inputs of one push, to be tampered with, and where it goes."""

    root: Path
    inputs: dict[str, list[types.Artifact]]
    needs_infra_blessing: bool = False

    @property
    def serving(self) -> Path:
        return self.root / "serving"

    def run(self) -> types.Artifact:
        pushed = standard_artifacts.PushedModel()
        pushed.uri = str(self.root / "pushed")
        Executor().Do(self.inputs, {"pushed_model": [pushed]}, self.exec_properties())
        return pushed

    def exec_properties(self) -> dict[str, Any]:
        destination = pusher_pb2.PushDestination(
            filesystem=pusher_pb2.PushDestination.Filesystem(base_directory=str(self.serving))
        )
        return {
            "push_destination": proto_utils.proto_to_json(destination),
            "provenance": ORIGIN.model_dump_json(),
            "needs_infra_blessing": int(self.needs_infra_blessing),
        }

    def versions(self) -> list[str]:
        """Everything in the destination that is not hidden."""
        return sorted(path.name for path in self.serving.glob("[!.]*"))

    def uri(self, key: str) -> Path:
        return Path(self.inputs[key][0].uri)


class _Tiny(tf.Module):
    """Gives back what it is asked, plus a number that tells one content from another."""

    def __init__(self, content: str) -> None:
        super().__init__()
        self.number = tf.Variable(float(zlib.crc32(content.encode()) % 997))

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="examples")])
    def serve(self, examples: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"click": tf.cast(tf.strings.length(examples), tf.float32) + self.number}


def write_model(folder: Path, content: str) -> None:
    """A SavedModel that servers load; one content is exported once per process."""
    shutil.copytree(_exported(content), folder, dirs_exist_ok=True)


@functools.cache
def _exported(content: str) -> Path:
    folder = Path(tempfile.mkdtemp(prefix="exported-"))
    atexit.register(shutil.rmtree, folder)
    module = _Tiny(content)
    tf.saved_model.save(module, str(folder), signatures={"serving_default": module.serve})
    return folder


def publish(
    to: Destination, model: Path, origin: Origin, *, artifact: str = "", decision: str = "Blessed: test."
) -> Provenance:
    """Publishes a SavedModel as the pusher does; `artifact` is the model that a run knows it by."""

    def describe(version: int) -> Provenance:
        return Provenance(
            version=version,
            pushed_at="2025-01-01T00:00:00+00:00",
            model=artifact or str(model),
            model_fingerprint=content_fingerprint(str(model)),
            decision=decision,
            origin=origin,
        )

    with to.locked():
        return to.publish(str(model), describe)


def content_of(folder: Path, contents: Iterable[str]) -> str:
    """Which of these contents a SavedModel serves."""
    found = content_fingerprint(str(folder))
    return next(each for each in contents if content_fingerprint(str(_exported(each))) == found)


def cut(folder: Path, bytes_off: int = 1) -> None:
    """Takes bytes off the end of the variables: what a copy that was not finished looks like."""
    (data,) = (folder / "variables").glob("variables.data*")
    data.write_bytes(data.read_bytes()[:-bytes_off])


def write_files(folder: Path, content: str) -> None:
    """Something with the files of a SavedModel that no server loads."""
    for name in ("saved_model.pb", "fingerprint.pb", "variables/variables.index", "assets/vocabulary"):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{content} {name}")


def push_of(
    root: Path,
    content: str = "model",
    *,
    blessed: bool = True,
    infra: bool | None = None,
    first_run: bool | None = None,
) -> Push:
    """The inputs of a push, all in agreement.

    Args:
      root: An empty folder for the artifacts; the destination lies in it, too.
      content: What tells one model from another.
      blessed: What blessing and decision say.
      infra: What the InfraBlessing says; None for none.
      first_run: Whether the decision was a first run's; None where it is the first in `root`.
    """
    number = len(list(root.glob("model-*"))) + 1
    model = _artifact(standard_artifacts.Model(), root / f"model-{number}", number)
    write_model(Path(model.uri) / "Format-Serving", content)
    decision = _artifact(GateDecision(), root / f"decision-{number}", 100 + number)
    sentence = "Blessed: 3 gates passed." if blessed else "Not blessed: click auc, overall: 0.5."
    decided = Decision(
        surface="tiny",
        blessed=blessed,
        first_run=number == 1 if first_run is None else first_run,
        sentence=sentence,
        gates=(),
        checks=(),
        metrics=(),
    )
    documents.write(decision.uri, decided)
    blessing = _artifact(standard_artifacts.ModelBlessing(), root / f"blessing-{number}", 200 + number)
    write_blessing(blessing, model, decided)
    inputs = {"model": [model], "model_blessing": [blessing], "decision": [decision]}
    if infra is not None:
        inputs["infra_blessing"] = [_infra_blessing(root / f"infra-{number}", model, infra)]
    return Push(root, inputs, needs_infra_blessing=infra is not None)


def _infra_blessing(folder: Path, model: types.Artifact, blessed: bool) -> types.Artifact:
    blessing = _artifact(standard_artifacts.InfraBlessing(), folder, 300 + model.id)
    folder.mkdir()
    (folder / ("INFRA_BLESSED" if blessed else "INFRA_NOT_BLESSED")).touch()
    blessing.set_int_custom_property("blessed", int(blessed))
    blessing.set_string_custom_property("current_model", model.uri)
    blessing.set_int_custom_property("current_model_id", model.id)
    return blessing


def _artifact(artifact: types.Artifact, folder: Path, identity: int) -> types.Artifact:
    artifact.uri = str(folder)
    artifact.id = identity
    return artifact
