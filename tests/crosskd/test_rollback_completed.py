"""A rollback that was killed is completed by a repetition, which rolls nothing else back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from components.model_pusher import destination
from crosskd import rollback, rolling_back
from tests.crosskd.pushes import Killed, intent_of, keep_metadata, kill_in, marked, push, roll_back, served, versions


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "root"


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
