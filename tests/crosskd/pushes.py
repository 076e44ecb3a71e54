"""Versions that were pushed, and what rollbacks made of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ml_metadata.metadata_store import MetadataStore
from ml_metadata.proto import metadata_store_pb2

from components.model_pusher.destination import Destination
from contracts.provenance import Origin
from crosskd import rolling_back
from crosskd.runs import METADATA_FILE
from pipeline.metadata import connection
from records.sessions import load_error
from tests.components.model_pusher.handmade import content_of, publish, write_model


def push(root: Path, content: str, surface: str = "homepage") -> int:
    """Pushes something with the files of a SavedModel; versions are told apart by their content."""
    model = root / "models" / content
    write_model(model, content)
    to = Destination(str(root / "serving" / surface))
    return publish(to, model, Origin(surface=surface), decision=f"Blessed: {content}.").version


def roll_back(root: Path) -> rolling_back.Rollback:
    if not (root / METADATA_FILE).exists():
        keep_metadata(root)
    return rolling_back.roll_back(root, root / "serving" / "homepage")


def served(root: Path) -> str:
    """The content a server takes: that of the highest version."""
    folder = root / "serving" / "homepage"
    newest = max((path for path in folder.iterdir() if path.name.isdigit()), key=lambda path: int(path.name))
    assert load_error(str(newest)) is None
    return content_of(newest, "abc")


def keep_metadata(root: Path, *models: str) -> MetadataStore:
    """Metadata that know a run, and the artifacts of these models."""
    store = MetadataStore(connection(str(root / METADATA_FILE)))
    run = store.put_context_type(metadata_store_pb2.ContextType(name="pipeline_run"))
    store.put_contexts([metadata_store_pb2.Context(type_id=run, name="a run")])
    kind = store.put_artifact_type(metadata_store_pb2.ArtifactType(name="Model"))
    store.put_artifacts([metadata_store_pb2.Artifact(type_id=kind, uri=str(root / "models" / each)) for each in models])
    return store


def marked(store: MetadataStore) -> dict[str, int]:
    return {Path(each.uri).name: each.custom_properties["rolled_back"].int_value for each in store.get_artifacts()}


def intent_of(root: Path) -> Path:
    return root / "serving/homepage/.rollback.json"


def versions(root: Path) -> list[int]:
    return Destination(str(root / "serving/homepage")).versions()


class Killed(BaseException):
    """Stands for the end of the process: nothing that catches errors catches it."""


def kill_in(monkeypatch: pytest.MonkeyPatch, module: Any, name: str, *, after: bool) -> None:
    """Ends the process before or after a step."""
    step = getattr(module, name)

    def killed(*arguments: Any, **named: Any) -> None:
        if after:
            step(*arguments, **named)
        raise Killed

    monkeypatch.setattr(module, name, killed)
