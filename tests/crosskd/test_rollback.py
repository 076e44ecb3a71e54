"""Rolling back: what is served, under which version, and what cannot be rolled back."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from contracts.provenance import Provenance
from crosskd import rollback, rolling_back
from crosskd.launch import only_run_in
from records import documents
from schema.errors import InputError
from tests.components.model_pusher.handmade import content_of, cut, push_of
from tests.crosskd.pushes import intent_of, keep_metadata, marked, push, roll_back, served, versions


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "root"


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
