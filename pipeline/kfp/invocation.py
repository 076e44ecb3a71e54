"""What a backend hands to a container, and what it wants back.

Messages are those of `kfp.pipeline_spec`: an ExecutorInput comes in, an ExecutorOutput goes out.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Container, Mapping, MutableMapping
from typing import Any

from absl import logging
from google.protobuf import json_format
from kfp.pipeline_spec import pipeline_spec_pb2
from ml_metadata.proto import metadata_store_pb2
from tfx import types
from tfx.orchestration.kubeflow.v2.container import kubeflow_v2_entrypoint_utils as tfx_utils

from contracts import properties
from pipeline.kfp.storage import Storage

Artifacts = dict[str, list[types.Artifact]]

# Identities travel as doubles.  JSON and MySQL return 53 bits of one exactly; ML Metadata's
# SQLite writes 15 decimal digits, so that is what an identity may have.
_IDENTITIES = 10**15

# Between an input's key and the number of one more artifact of it.
_NUMBER = "--"


def give_classes(
    artifacts: MutableMapping[str, Any], classes: Mapping[str, str], storage: Storage, known: Container[str] = ()
) -> None:
    """Says of every artifact which class it is and where its files are, in place.

    The component's interface is the only place that always knows the class: the driver of
    open-source Kubeflow hands over `system.*`, an empty schema or none.  TFX takes a schema
    title that is no title of its own for an import path.

    Args:
      artifacts: The field `artifacts` of an ExecutorInput's inputs or outputs.
      classes: Import paths by key.  What a backend adds under another key is taken out:
        open-source Kubeflow adds `executor-logs` to the outputs of every container where it
        is installed with PUBLISH_LOGS, and uploads it itself.
      storage: The storage of this container.
      known: URIs of this container's artifacts; in metadata, these alone become paths.  Others,
        such as where a model was pushed, are not on its disk.
    """
    for key in [key for key in artifacts if key not in classes]:
        logging.info("Passed over: artifact %r, which the backend added.", key)
        del artifacts[key]
    for key, of_key in artifacts.items():
        for artifact in of_key.artifacts:
            artifact.type.Clear()
            artifact.type.schema_title = classes[key]
            artifact.uri = storage.path(artifact.uri)
            metadata = {
                name: storage.path(value) if isinstance(value, str) and value in known else value
                for name, value in _metadata(artifact).items()
            }
            artifact.metadata.Clear()
            json_format.ParseDict(metadata, artifact.metadata)


def uris_of(inputs_or_outputs: Any) -> set[str]:
    """The URIs of all artifacts of one side of an ExecutorInput."""
    return {each.uri for of_key in inputs_or_outputs.artifacts.values() for each in of_key.artifacts}


def parse(artifacts: Mapping[str, Any], storage: Storage, names: dict[int, str]) -> Artifacts:
    """TFX's artifacts, without those that stand for none.

    TFX makes an artifact's identity from its name, which open-source Kubeflow need not give and
    which need not be unique, and of more bits than survive the way through metadata.  Here it
    comes from the URI, so that two nodes that speak of a model know that it is the same.

    Args:
      artifacts: As `give_classes` left them.
      storage: The storage of this container.
      names: Gets the backend's name of each identity.
    """
    parsed: Artifacts = {}
    for key, found in tfx_utils.parse_raw_artifact_dict(artifacts, {}).items():
        for given, artifact in zip(artifacts[key].artifacts, found, strict=True):
            artifact.id = identity(storage.uri(given.uri))
            names[artifact.id] = given.name
        parsed[key] = [each for each in found if not each.get_int_custom_property(properties.ABSENT)]
    return _joined({key: [part for each in found for part in _parts(each)] for key, found in parsed.items()})


def numbered(key: str, place: int) -> str:
    """The key of one more artifact of an input: an input of a task has one."""
    return f"{key}{_NUMBER}{place}"


def _joined(parsed: Artifacts) -> Artifacts:
    """Puts the artifacts of numbered keys behind that of the key itself, in the order of their numbers."""
    joined = {key: found for key, found in parsed.items() if _NUMBER not in key}
    several = [(key.partition(_NUMBER)[0], int(key.partition(_NUMBER)[2]), key) for key in parsed if _NUMBER in key]
    for key, _, of_number in sorted(several):
        joined[key] = [*joined[key], *parsed[of_number]]
    return joined


def _parts(whole: types.Artifact) -> list[types.Artifact]:
    """The artifacts that one stands for: itself, or those that `_as_one` put into it."""
    listed = whole.get_string_custom_property(properties.PARTS)
    if not listed:
        return [whole]
    parts = []
    for described in json.loads(listed):
        part = type(whole)()
        artifact_message = json_format.ParseDict(described["artifact"], metadata_store_pb2.Artifact())
        part.set_mlmd_artifact(artifact_message)
        part.uri = f"{whole.uri.rstrip('/')}/{described['folder']}"
        part.id = identity(part.uri)
        parts.append(part)
    return parts


def _as_one(whole: types.Artifact, artifacts: list[types.Artifact]) -> types.Artifact:
    """One artifact that stands for several in folders of its own; what is said of each lies in a property."""
    root = f"{whole.uri.rstrip('/')}/"
    outside = [each.uri for each in artifacts if not each.uri.startswith(root)]
    if outside:
        raise ValueError(f"expected all artifacts of one output in {root}, found {', '.join(outside)}")
    parts = [{"folder": each.uri.removeprefix(root), "artifact": _described(each)} for each in artifacts]
    whole.set_string_custom_property(properties.PARTS, json.dumps(parts))
    return whole


def _described(part: types.Artifact) -> dict[str, Any]:
    """The properties of a part, as JSON; its place and identity are where it is found."""
    message = metadata_store_pb2.Artifact()
    message.CopyFrom(part.mlmd_artifact)
    for name in ("id", "uri", "type_id", "name"):
        message.ClearField(name)
    return dict(json_format.MessageToDict(message))


def identity(uri: str) -> int:
    """A number for an artifact, the same in every container."""
    return int(hashlib.sha256(uri.encode()).hexdigest(), 16) % _IDENTITIES


def result(
    outputs: Artifacts, wholes: Mapping[str, types.Artifact], storage: Storage, names: Mapping[int, str]
) -> pipeline_spec_pb2.ExecutorOutput:
    """What the container says to the backend.

    Args:
      outputs: What the executor made.
      wholes: The one artifact that each output was before: an output that became several is that
        one, since a backend keeps one for each.
      storage: The storage of this container.
      names: The backend's name of each identity.
    """
    single = {
        key: found if len(found) == 1 and found[0].uri == wholes[key].uri else [_as_one(wholes[key], found)]
        for key, found in outputs.items()
    }
    message = pipeline_spec_pb2.ExecutorOutput()
    for key, artifacts in tfx_utils.translate_executor_output(single, names).items():
        for artifact in artifacts.artifacts:
            artifact.uri = storage.uri(artifact.uri)
            metadata = {name: storage.uris_in(value) for name, value in _metadata(artifact).items()}
            artifact.metadata.Clear()
            json_format.ParseDict(metadata, artifact.metadata)
        message.artifacts[key].CopyFrom(artifacts)
    return message


def merge(executor_input: pipeline_spec_pb2.ExecutorInput, driven: pipeline_spec_pb2.ExecutorOutput) -> None:
    """Takes over what a driver found out: parameters, and properties of outputs."""
    for name, value in driven.parameter_values.items():
        executor_input.inputs.parameter_values[name].CopyFrom(value)
    for key, artifacts in driven.artifacts.items():
        for target, source in zip(executor_input.outputs.artifacts[key].artifacts, artifacts.artifacts, strict=True):
            target.metadata.MergeFrom(source.metadata)


def _metadata(artifact: Any) -> dict[str, Any]:
    return dict(json_format.MessageToDict(artifact.metadata))
