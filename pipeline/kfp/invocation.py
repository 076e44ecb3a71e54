"""What a backend hands to a container, and what it wants back.

Messages are those of `kfp.pipeline_spec`: an ExecutorInput comes in, an ExecutorOutput goes out.
"""

from __future__ import annotations

import hashlib
from collections.abc import Container, Mapping, MutableMapping
from typing import Any

from absl import logging
from google.protobuf import json_format
from kfp.pipeline_spec import pipeline_spec_pb2
from tfx import types
from tfx.orchestration.kubeflow.v2.container import kubeflow_v2_entrypoint_utils as tfx_utils

from contracts import properties
from pipeline.kfp.storage import Storage

Artifacts = dict[str, list[types.Artifact]]

# Identities travel as doubles.  JSON and MySQL return 53 bits of one exactly; ML Metadata's
# SQLite writes 15 decimal digits, so that is what an identity may have.
_IDENTITIES = 10**15


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
    return parsed


def identity(uri: str) -> int:
    """A number for an artifact, the same in every container."""
    return int(hashlib.sha256(uri.encode()).hexdigest(), 16) % _IDENTITIES


def result(outputs: Artifacts, storage: Storage, names: Mapping[int, str]) -> pipeline_spec_pb2.ExecutorOutput:
    """What the container says to the backend."""
    message = pipeline_spec_pb2.ExecutorOutput()
    for key, artifacts in tfx_utils.translate_executor_output(outputs, names).items():
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
