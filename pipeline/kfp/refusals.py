"""Bad input is not tried again.

Argo tries every container again that fails, and a pipeline specification has no word for the
failures of which that is worth it.  So a container that meets bad input leaves a note in ML
Metadata, which every container of Kubeflow Pipelines 2 can reach, and a later attempt at the
same task ends at once with the same words.  Where there is no ML Metadata, bad input is tried
again like everything else.
"""

from __future__ import annotations

import hashlib
import os

import ml_metadata as mlmd
from absl import logging
from ml_metadata import errors
from ml_metadata.proto import metadata_store_pb2

# Kubeflow sets them in every container: `metadata-grpc-configmap`, and Argo's `{{retries}}`.
HOST_VARIABLE = "METADATA_GRPC_SERVICE_HOST"
PORT_VARIABLE = "METADATA_GRPC_SERVICE_PORT"
ATTEMPT_VARIABLE = "KFP_RETRY_INDEX"

_TYPE = "crosskd.Refusal"
_MESSAGE = "message"
_SECONDS = 20.0


def recall(output_file: str) -> str | None:
    """What an earlier attempt at the same task said of its bad input; None if it said nothing.

    Args:
      output_file: Where the backend wants the task's result: the same for all attempts, and for no other task.
    """
    if os.environ.get(ATTEMPT_VARIABLE, "0") in ("", "0"):
        return None
    store = _store()
    if store is None:
        return None
    try:
        context = store.get_context_by_type_and_name(_TYPE, _name(output_file))
    except (errors.StatusError, OSError) as error:
        logging.warning("Not known whether an earlier attempt met bad input: %s", error)
        return None
    return context.custom_properties[_MESSAGE].string_value if context else None


def remember(output_file: str, message: str) -> None:
    """Leaves the note that `recall` finds.

    Args:
      output_file: As for `recall`.
      message: What is wrong with the input.
    """
    store = _store()
    if store is None:
        return
    context = metadata_store_pb2.Context(name=_name(output_file))
    context.custom_properties[_MESSAGE].string_value = message
    try:
        context.type_id = store.put_context_type(metadata_store_pb2.ContextType(name=_TYPE))
        store.put_contexts([context])
    except (errors.StatusError, OSError) as error:
        logging.warning("The next attempt will not know that the input is bad: %s", error)


def _store() -> mlmd.MetadataStore | None:
    host, port = os.environ.get(HOST_VARIABLE), os.environ.get(PORT_VARIABLE)
    if not host or not port:
        return None
    config = metadata_store_pb2.MetadataStoreClientConfig(host=host, port=int(port), client_timeout_sec=_SECONDS)
    return mlmd.MetadataStore(config)


def _name(output_file: str) -> str:
    """A name that every database takes, however long the path."""
    return hashlib.sha256(output_file.encode()).hexdigest()
