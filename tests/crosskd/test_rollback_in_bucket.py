"""Rollbacks of what runs on Kubeflow serve: in a bucket, where no metadata of a root know it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from components.last_served.finding import find_baseline
from components.model_pusher.destination import Destination
from contracts.provenance import Origin
from crosskd import rollback, rolling_back
from records.content import content_fingerprint
from schema.errors import InputError
from tests.components.model_pusher.handmade import publish, write_model
from tests.crosskd.pushes import Killed, kill_in
from tests.kubeflow.object_store import ObjectStore, reach


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[ObjectStore]:
    store = ObjectStore("served")
    reach(store, monkeypatch)
    yield store
    store.close()


SERVED_BY_KUBEFLOW = "s3://served/homepage"


@pytest.fixture
def app() -> typer.Typer:
    app = typer.Typer()
    app.command()(rollback.command)
    return app


def push_elsewhere(folder: Path, content: str) -> int:
    model = folder / "models" / content
    write_model(model, content)
    origin, decision = Origin(surface="homepage"), f"Blessed: {content}."
    return publish(
        Destination(SERVED_BY_KUBEFLOW), model, origin, artifact=f"s3://root/{content}", decision=decision
    ).version


def content_of(folder: Path, version: int) -> str:
    """Which of the models of `folder` a server takes from this version."""
    served = content_fingerprint(f"{SERVED_BY_KUBEFLOW}/{version}")
    (name,) = [each.name for each in (folder / "models").iterdir() if content_fingerprint(str(each)) == served]
    return name


def test_what_runs_on_kubeflow_serve_in_a_bucket_is_rolled_back(bucket: ObjectStore, tmp_path: Path) -> None:
    first, second = (push_elsewhere(tmp_path, content) for content in ("a", "b"))
    done = rolling_back.roll_back(None, SERVED_BY_KUBEFLOW)
    assert (done.restores, done.rollback_of, done.surface) == (first, second, "homepage")
    assert done.version > second
    assert content_of(tmp_path, done.version) == "a"
    assert not [key for key in bucket.keys("s3://served/") if key.endswith("/")]


def test_the_command_of_the_documentation(
    bucket: ObjectStore, tmp_path: Path, app: typer.Typer, capfd: pytest.CaptureFixture[str]
) -> None:
    first, second = (push_elsewhere(tmp_path, content) for content in ("a", "b"))
    done = CliRunner().invoke(app, ["--serving", SERVED_BY_KUBEFLOW])
    assert (done.exit_code, done.exception) == (0, None)
    said = " ".join(capfd.readouterr().out.split())
    assert f"homepage: version {first} is served again, as version " in said
    assert f"in place of version {second}: {SERVED_BY_KUBEFLOW}/" in said


def test_again_means_further_back_in_a_bucket_as_well(bucket: ObjectStore, tmp_path: Path) -> None:
    for content in ("a", "b", "c"):
        push_elsewhere(tmp_path, content)
    for expected in ("b", "a"):
        assert content_of(tmp_path, rolling_back.roll_back(None, SERVED_BY_KUBEFLOW).version) == expected
    with pytest.raises(InputError, match="there is nothing to roll back to"):
        rolling_back.roll_back(None, SERVED_BY_KUBEFLOW)


@pytest.mark.parametrize("step", ["_remember", "_publish", "_forget"])
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_rollback_in_a_bucket_that_is_killed_is_completed(
    bucket: ObjectStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, after: bool
) -> None:
    for content in ("a", "b", "c"):
        push_elsewhere(tmp_path, content)
    with monkeypatch.context() as killing, pytest.raises(Killed):
        kill_in(killing, rolling_back, step, after=after)
        rolling_back.roll_back(None, SERVED_BY_KUBEFLOW)
    if (step, after) == ("_forget", True):
        return  # All was done.
    assert content_of(tmp_path, rolling_back.roll_back(None, SERVED_BY_KUBEFLOW).version) == "b"
    assert content_of(tmp_path, rolling_back.roll_back(None, SERVED_BY_KUBEFLOW).version) == "a"


def test_later_runs_on_kubeflow_are_compared_with_what_is_served_again(bucket: ObjectStore, tmp_path: Path) -> None:
    first = push_elsewhere(tmp_path, "a")
    push_elsewhere(tmp_path, "b")
    models = {content: tmp_path / "models" / content for content in ("a", "b", "c")}
    write_model(models["c"], "c")
    version = rolling_back.roll_back(None, SERVED_BY_KUBEFLOW).version
    baseline = find_baseline(SERVED_BY_KUBEFLOW, str(models["c"]))
    assert baseline is not None
    assert (baseline.version, baseline.content) == (version, content_fingerprint(str(models["a"])))
    # What was rolled back is not pushed again, and what serves again is compared with nothing else.
    assert find_baseline(SERVED_BY_KUBEFLOW, str(models["a"])) is None
    assert version != first


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "expected --root, of a `crosskd run`, or --serving"),
        (["--serving", "elsewhere"], "--serving: expected an absolute path or a bucket, found 'elsewhere'"),
        (["--serving", "/nowhere", "--surface", "x"], "--surface x: expected with --root"),
        (["--root", "/r", "--serving", "/s"], "--serving /s: expected it without --root"),
    ],
)
def test_places_that_contradict_each_other(app: typer.Typer, arguments: list[str], message: str) -> None:
    done = CliRunner().invoke(app, arguments)
    assert (done.exit_code, message in str(done.exception)) == (1, True)
