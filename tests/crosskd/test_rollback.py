from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer
from ml_metadata.errors import UnavailableError
from ml_metadata.metadata_store import MetadataStore
from ml_metadata.proto import metadata_store_pb2
from typer.testing import CliRunner

from components.model_pusher import destination
from components.model_pusher.destination import Destination
from contracts.provenance import Origin, Provenance
from crosskd import rejections, rollback, rolling_back
from crosskd.launch import only_run_in
from crosskd.runs import METADATA_FILE, METADATA_URL_FILE
from pipeline.metadata import connection
from records import documents
from records.content import content_fingerprint
from records.sessions import load_error
from schema.errors import InputError
from tests.components.model_pusher.handmade import content_of, cut, push_of, write_model


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "root"


def push(root: Path, content: str, surface: str = "homepage") -> int:
    """Pushes something with the files of a SavedModel; versions are told apart by their content."""
    model = root / "models" / content
    write_model(model, content)

    def describe(version: int) -> Provenance:
        return Provenance(
            version=version,
            pushed_at="2025-01-01T00:00:00+00:00",
            model=str(model),
            model_fingerprint=content_fingerprint(str(model)),
            decision=f"Blessed: {content}.",
            origin=Origin(surface=surface),
        )

    to = Destination(str(root / "serving" / surface))
    with to.locked():
        return to.publish(str(model), describe).version


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
    assert content_of(root / "serving/homepage" / str(second), "abc") == "b"  # history stays


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
    keep_metadata(tmp_path)
    rolling_back.roll_back(tmp_path, tmp_path / "serving")
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
    """Metadata that know a run, and the artifacts of these models."""
    store = MetadataStore(connection(str(root / METADATA_FILE)))
    run = store.put_context_type(metadata_store_pb2.ContextType(name="pipeline_run"))
    store.put_contexts([metadata_store_pb2.Context(type_id=run, name="a run")])
    kind = store.put_artifact_type(metadata_store_pb2.ArtifactType(name="Model"))
    store.put_artifacts([metadata_store_pb2.Artifact(type_id=kind, uri=str(root / "models" / each)) for each in models])
    return store


def marked(store: MetadataStore) -> dict[str, int]:
    return {Path(each.uri).name: each.custom_properties["rolled_back"].int_value for each in store.get_artifacts()}


def test_the_command_line(root: Path, app: typer.Typer, capfd: pytest.CaptureFixture[str]) -> None:
    first, second = push(root, "a"), push(root, "b")
    store = keep_metadata(root, "a", "b")
    app(["--root", str(root), "--json"], standalone_mode=False)
    done = json.loads(capfd.readouterr().out)
    assert (done["surface"], done["restores"], done["rollback_of"]) == ("homepage", first, second)
    assert marked(store) == {"a": 0, "b": 1}


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
    assert not intent_of(root).exists()
    assert served(root) == "b"


def test_a_root_without_pushes(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"expected the root of a run"):
        rollback.command(tmp_path)
    keep_metadata(tmp_path)
    with pytest.raises(InputError, match=r"nothing was pushed here yet, so there is nothing to roll back"):
        rollback.command(tmp_path)


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


STEPS = [
    (rolling_back, "note_intent"),
    (rolling_back, "_write_durably"),
    (rolling_back, "_publish"),
    (destination, "_copy_file"),
    (destination, "_write_through"),
    (Path, "rename"),
    (rolling_back, "mark_rolled_back"),
    (Path, "unlink"),
]


@pytest.mark.parametrize("again", ["by the command", "by a run"])
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize(("module", "name"), STEPS, ids=[name for _, name in STEPS])
def test_a_rollback_that_is_killed_is_completed_and_nothing_else_is_rolled_back(
    root: Path, module: Any, name: str, after: bool, again: str
) -> None:
    push(root, "a"), push(root, "b"), push(root, "c")
    store = keep_metadata(root, "a", "b", "c")
    with pytest.MonkeyPatch.context() as patched:
        kill_in(patched, module, name, after=after)
        with pytest.raises(Killed):
            roll_back(root)
    begun = intent_of(root).exists()
    if again == "by the command":
        if name == "unlink" and after:
            return  # it was done, and a repetition is another rollback
        roll_back(root)
    else:
        assert len(rollback.finish_pending(root)) == int(begun)
        assert rollback.finish_pending(root) == []
    done = begun or again == "by the command" or name == "unlink"
    assert served(root) == ("b" if done else "c")
    assert len(versions(root)) == 3 + int(done)
    assert marked(store) == {"a": 0, "b": 0, "c": int(done)}
    assert not intent_of(root).exists()


def test_a_repetition_after_the_last_step_says_what_was_done(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    push(root, "a"), push(root, "b"), push(root, "c")
    with monkeypatch.context() as patched:
        kill_in(patched, Path, "unlink", after=False)
        with pytest.raises(Killed):
            roll_back(root)
    newest = versions(root)[-1]
    assert roll_back(root).version == newest
    assert served(root) == "b"
    assert roll_back(root).version > newest
    assert served(root) == "a"


def test_what_was_pushed_since_is_not_rolled_back_by_an_old_intent(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    push(root, "a"), push(root, "b")
    with monkeypatch.context() as patched:
        kill_in(patched, rolling_back, "_publish", after=False)
        with pytest.raises(Killed):
            roll_back(root)
    push(root, "c")
    assert rollback.finish_pending(root) == []
    assert served(root) == "c"
    assert not intent_of(root).exists()


def empty(metadata: Path) -> None:
    metadata.write_bytes(b"")


def corrupt(metadata: Path) -> None:
    metadata.write_bytes(b"this is no database" * 1000)


def half(metadata: Path) -> None:
    metadata.write_bytes(metadata.read_bytes()[:5000])


def without_runs(metadata: Path) -> None:
    metadata.unlink()
    MetadataStore(connection(str(metadata)))


@pytest.mark.parametrize("damage", [empty, corrupt, half, without_runs])
def test_metadata_that_cannot_be_read_refuse_before_anything_is_done(root: Path, damage: Any) -> None:
    push(root, "a"), push(root, "b")
    keep_metadata(root, "a", "b")
    damage(root / METADATA_FILE)
    with pytest.raises(InputError, match="Nothing was rolled back"):
        rollback.command(root)
    assert served(root) == "b"
    assert len(versions(root)) == 2
    assert not intent_of(root).exists()


_LOCK = """
import sqlite3, sys
database = sqlite3.connect(sys.argv[1], isolation_level=None)
database.execute("begin exclusive")
print("locked", flush=True)
sys.stdin.read()
"""


@pytest.mark.slow
def test_metadata_that_are_locked_refuse_before_anything_is_done(root: Path) -> None:
    push(root, "a"), push(root, "b")
    keep_metadata(root, "a", "b")
    # A process of its own: POSIX locks do not keep a process out that holds them.
    with subprocess.Popen(
        [sys.executable, "-c", _LOCK, str(root / METADATA_FILE)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout.readline() == b"locked\n"
        with pytest.raises(InputError, match=r"the metadata cannot be read or written .*Nothing was rolled back"):
            rollback.command(root)
        other.communicate(b"enough")
    assert len(versions(root)) == 2
    assert not intent_of(root).exists()
    rollback.command(root)
    assert served(root) == "a"


def test_metadata_of_a_server_that_is_away_refuse_before_anything_is_done(root: Path) -> None:
    push(root, "a"), push(root, "b")
    (root / METADATA_URL_FILE).write_text("mysql://crosskd@127.0.0.1:1/metadata\n")
    with pytest.raises(InputError, match=r"the metadata cannot be read or written .*Nothing was rolled back"):
        rollback.command(root)
    assert len(versions(root)) == 2


def test_metadata_that_go_away_in_between_are_marked_by_a_repetition(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    push(root, "a"), push(root, "b")
    store = keep_metadata(root, "a", "b")
    with monkeypatch.context() as patched:

        def away(config: Any) -> None:
            raise UnavailableError("the server is away")

        note = rejections.note_intent
        patched.setattr(
            rolling_back, "note_intent", lambda *a: (note(*a), patched.setattr(rejections, "MetadataStore", away))
        )
        with pytest.raises(InputError, match=r"Version \d+ of .* serves already. Give the same command again"):
            roll_back(root)
    assert served(root) == "a"
    roll_back(root)
    assert len(versions(root)) == 3
    assert marked(store) == {"a": 0, "b": 1}


def test_a_run_and_a_rollback_never_overlap(root: Path) -> None:
    push(root, "a"), push(root, "b")
    keep_metadata(root, "a", "b")
    with only_run_in(root), pytest.raises(InputError, match="another run uses this root, or a rollback"):
        rollback.command(root)
    assert len(versions(root)) == 2


@pytest.mark.parametrize("bytes_off", [1, 100])
@pytest.mark.parametrize("manifest", [True, False], ids=["with a manifest", "without"])
def test_what_no_server_loads_is_not_served_again(root: Path, bytes_off: int, manifest: bool) -> None:
    first = root / "serving/homepage" / str(push(root, "a"))
    push(root, "b")
    cut(first, bytes_off)
    if not manifest:
        (first / "assets.extra/manifest.json").unlink()
    with pytest.raises(InputError, match=r"the files were changed since they were pushed .*Nothing was rolled back"):
        roll_back(root)
    assert served(root) == "b"
    assert not intent_of(root).exists()


def test_a_damaged_version_that_serves_can_be_rolled_back(root: Path) -> None:
    push(root, "a")
    newest = root / "serving/homepage" / str(push(root, "b"))
    cut(newest)
    (newest / "assets.extra/provenance.json").write_text("{")
    roll_back(root)
    assert served(root) == "a"


def test_a_restored_version_that_is_damaged_has_a_copy(root: Path) -> None:
    first = root / "serving/homepage" / str(push(root, "a"))
    push(root, "b")
    roll_back(root)
    push(root, "c")
    cut(first)
    assert roll_back(root).restores == int(first.name)
    assert served(root) == "a"
