from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import typer
from ml_metadata.metadata_store import MetadataStore
from ml_metadata.proto import metadata_store_pb2
from typer.testing import CliRunner

from components.model_pusher.destination import Destination
from contracts.provenance import Origin, Provenance
from crosskd import rollback
from crosskd.runs import METADATA_FILE
from pipeline.metadata import connection
from records import documents
from records.content import content_fingerprint
from schema.errors import InputError
from tests.components.model_pusher.handmade import push_of, write_files


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "root"


def push(root: Path, content: str, surface: str = "homepage") -> int:
    """Pushes something with the files of a SavedModel; versions are told apart by their content."""
    model = root / "models" / content
    write_files(model, content)

    def describe(version: int) -> Provenance:
        return Provenance(
            version=version,
            pushed_at="2025-01-01T00:00:00+00:00",
            model=str(model),
            model_fingerprint=content_fingerprint(str(model)),
            decision=f"Blessed: {content}.",
            origin=Origin(surface=surface),
        )

    destination = Destination(str(root / "serving" / surface))
    with destination.locked():
        return destination.publish(str(model), describe).version


def roll_back(root: Path) -> rollback.Rollback:
    return rollback.roll_back(root / "serving" / "homepage")


def served(root: Path) -> str:
    """The content a server takes: that of the highest version."""
    folder = root / "serving" / "homepage"
    newest = max((path for path in folder.iterdir() if path.name.isdigit()), key=lambda path: int(path.name))
    return (newest / "saved_model.pb").read_text().split()[0]


def test_the_previous_content_is_served_under_a_new_version(root: Path) -> None:
    first, second = push(root, "a"), push(root, "b")
    done = roll_back(root)
    assert served(root) == "a"
    assert done.version > second > first
    assert (done.restores, done.rollback_of, done.decision) == (first, second, "Blessed: a.")
    provenance = documents.find(done.destination, Provenance)
    assert provenance is not None
    assert (provenance.restores, provenance.rollback_of) == (first, second)
    assert provenance.pushed_at > "2025-01-01"
    assert provenance.origin.surface == "homepage"
    assert (root / "serving/homepage" / str(second) / "saved_model.pb").read_text().startswith("b")  # history stays


def test_again_means_further_back_and_not_forth(root: Path) -> None:
    push(root, "a"), push(root, "b"), push(root, "c")
    roll_back(root)
    assert served(root) == "b"
    roll_back(root)
    assert served(root) == "a"
    with pytest.raises(InputError, match=r"nothing to roll back to: version .*, which is served, was pushed first"):
        roll_back(root)
    assert served(root) == "a"


def test_after_a_rollback_and_a_push_it_is_the_rolled_back_content_that_was_served_before(root: Path) -> None:
    first = push(root, "a")
    push(root, "b")
    roll_back(root)
    push(root, "c")
    done = roll_back(root)
    assert served(root) == "a"
    assert done.restores == first


def test_the_pipeline_does_not_push_again_what_was_rolled_back(tmp_path: Path) -> None:
    push_of(tmp_path, "a").run()
    push_of(tmp_path, "b").run()
    rollback.roll_back(tmp_path / "serving")
    again = push_of(tmp_path, "b")
    pushed = again.run()
    assert len(again.versions()) == 3
    assert pushed.get_int_custom_property("pushed") == 0
    assert "has the same content" in pushed.get_string_custom_property("sentence")


def test_content_that_was_changed_is_not_served_again(root: Path) -> None:
    first = push(root, "a")
    push(root, "b")
    (root / f"serving/homepage/{first}/saved_model.pb").write_text("edited")
    with pytest.raises(InputError, match="the files were changed since they were pushed"):
        roll_back(root)
    assert served(root) == "b"


def test_a_version_of_unknown_origin_is_not_served_again(root: Path) -> None:
    first = push(root, "a")
    push(root, "b")
    shutil.rmtree(root / f"serving/homepage/{first}/assets.extra")
    with pytest.raises(InputError, match="found one without provenance"):
        roll_back(root)


@pytest.fixture
def app() -> typer.Typer:
    app = typer.Typer()
    app.command()(rollback.command)
    return app


def keep_metadata(root: Path, *models: str) -> MetadataStore:
    """Metadata that know the artifacts of these models, as those of a run do."""
    store = MetadataStore(connection(str(root / METADATA_FILE)))
    kind = store.put_artifact_type(metadata_store_pb2.ArtifactType(name="Model"))
    store.put_artifacts([metadata_store_pb2.Artifact(type_id=kind, uri=str(root / "models" / each)) for each in models])
    return store


def test_the_command_line(root: Path, app: typer.Typer, capfd: pytest.CaptureFixture[str]) -> None:
    first, second = push(root, "a"), push(root, "b")
    store = keep_metadata(root, "a", "b")
    app(["--root", str(root), "--json"], standalone_mode=False)
    done = json.loads(capfd.readouterr().out)
    assert (done["surface"], done["restores"], done["rollback_of"]) == ("homepage", first, second)
    marked = {Path(each.uri).name: each.custom_properties["rolled_back"].int_value for each in store.get_artifacts()}
    assert marked == {"a": 0, "b": 1}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "several surfaces were pushed .homepage, radio.; choose one with --surface"),
        (["--surface", "video"], "--surface video: nothing was pushed for it; surfaces here: homepage, radio"),
        (["--surface", "radio"], "nothing to roll back to"),
    ],
)
def test_what_cannot_be_rolled_back(root: Path, app: typer.Typer, arguments: list[str], message: str) -> None:
    push(root, "a"), push(root, "b"), push(root, "c", surface="radio")
    keep_metadata(root, "a", "b", "c")
    result = CliRunner().invoke(app, ["--root", str(root), *arguments])
    assert isinstance(result.exception, InputError)
    with pytest.raises(InputError, match=message):
        raise result.exception


def test_a_root_without_metadata_is_left_alone(root: Path) -> None:
    push(root, "a"), push(root, "b")
    with pytest.raises(InputError, match="expected the root of a run"):
        rollback.command(root)
    assert served(root) == "b"


def test_a_root_without_pushes(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nothing was pushed here yet\. Expected the --root"):
        rollback.command(tmp_path)
