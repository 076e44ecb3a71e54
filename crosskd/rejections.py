"""Notes rollbacks in the metadata of a root: the intent before anything is done, the mark after it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ml_metadata.errors import StatusError
from ml_metadata.metadata_store import MetadataStore
from ml_metadata.proto import metadata_store_pb2 as mlmd

from contracts import properties
from contracts.rollback_intent import RollbackIntent
from crosskd.runs import RUN_CONTEXT, metadata_of
from crosskd.troubles import reason
from pipeline.metadata import connection
from schema.errors import InputError

# Opening a store raises RuntimeError for whatever the database says.
_UNREACHABLE = (StatusError, RuntimeError)
_INTENT_CONTEXT = "crosskd.Rollback"
_INTENT_PROPERTY = "intent"


def note_intent(root: Path, surface: str, intent: RollbackIntent) -> None:
    """Notes in the metadata what a rollback is about to do, which shows that they can be read and written.

    Args:
      root: The root.
      surface: Name of the surface.
      intent: What is about to be done.

    Raises:
      InputError: They cannot be, or know of no run: they are not those that the versions came from.
    """
    where = metadata_of(root)
    with _nothing_done(where):
        runs = MetadataStore(connection(where, read_only=True)).get_contexts_by_type(RUN_CONTEXT)
        if not runs:
            raise InputError(
                f"{where}: expected the metadata of the runs that pushed, found metadata without any run. Nothing was "
                "rolled back; put the file back, or give `crosskd run` first."
            )
        store = MetadataStore(connection(where))
        kind = store.put_context_type(mlmd.ContextType(name=_INTENT_CONTEXT))
        name = f"{surface}-{intent.rollback_of}"
        context = store.get_context_by_type_and_name(_INTENT_CONTEXT, name) or mlmd.Context(type_id=kind, name=name)
        context.custom_properties[_INTENT_PROPERTY].string_value = intent.model_dump_json()
        store.put_contexts([context])


def mark_rolled_back(root: Path, model: str, done: str) -> None:
    """Marks a model as rolled back in the metadata of a root, where they know it.

    Args:
      root: The root.
      model: URI of the Model artifact; empty where nobody knows it any more.
      done: What was done before, as a sentence, for the message.

    Raises:
      InputError: They cannot be written.
    """
    where = metadata_of(root)
    try:
        store = MetadataStore(connection(where))
        artifacts = store.get_artifacts_by_uri(model) if model else []
        for artifact in artifacts:
            artifact.custom_properties[properties.ROLLED_BACK].int_value = 1
        store.put_artifacts(artifacts)
    except _UNREACHABLE as error:
        raise InputError(
            f"{where}: the metadata cannot be written ({reason(error)}). {done} Give the same command again "
            "to have it marked; it rolls nothing else back."
        ) from error


@contextmanager
def _nothing_done(where: str) -> Iterator[None]:
    try:
        yield
    except _UNREACHABLE as error:
        raise InputError(
            f"{where}: the metadata cannot be read or written ({reason(error)}). Nothing was rolled back; give "
            "the same command again when they can."
        ) from error
