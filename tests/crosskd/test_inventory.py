"""What is lost between two runs, and what becomes of it; tests/drills/test_lost.py runs over it."""

from __future__ import annotations

from pathlib import Path

import pytest

from components.model_pusher.destination import Destination
from contracts.provenance import Origin
from crosskd.inventory import Inventory, set_aside_lost, take, whole
from records import documents
from tests.components.model_pusher.handmade import cut, publish, write_model


def push(root: Path, content: str) -> int:
    """Pushes a version, and leaves what the pusher keeps of it."""
    write_model(root / "models" / content, content)
    to = Destination(str(root / "serving/shelf"))
    done = publish(to, root / "models" / content, Origin(surface="shelf"))
    documents.write(str(root / f"artifacts/Pusher/pushed_model/{len(to.versions())}"), done)
    return done.version


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name, text in (
        ("BlessingGate/decision/7/decision.json", "{}"),
        ("Trainer/model/5/deep/weights", "x" * 100_000),
    ):
        (tmp_path / "artifacts" / name).parent.mkdir(parents=True)
        (tmp_path / "artifacts" / name).write_text(text)
    (tmp_path / "artifacts/BlessingGate/.system/executor_execution/7").mkdir(parents=True)
    push(tmp_path, "a")
    push(tmp_path, "b")
    documents.write(str(tmp_path), take(tmp_path))
    return tmp_path


def aside(root: Path) -> list[str]:
    return sorted(path.name for path in (root / "set-aside").glob("*"))


def test_what_is_as_it_was_stays(root: Path) -> None:
    assert set_aside_lost(root) == []
    assert aside(root) == []
    assert set(documents.read(str(root), Inventory).artifacts) == {
        "BlessingGate/decision/7",
        "Pusher/pushed_model/1",
        "Pusher/pushed_model/2",
        "Trainer/model/5",
    }


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("BlessingGate/decision/7/decision.json", None, "BlessingGate-decision-7"),
        ("BlessingGate/decision/7/decision.json", "[]", "BlessingGate-decision-7"),
        ("BlessingGate/decision/7/more", "", "BlessingGate-decision-7"),
        ("Trainer/model/5/deep/weights", "x" * 99_999, "Trainer-model-5"),
    ],
    ids=["deleted", "edited", "added", "cut"],
)
def test_an_artifact_that_changed_is_set_aside(root: Path, name: str, content: str | None, expected: str) -> None:
    path = root / "artifacts" / name
    path.unlink(missing_ok=True)
    if content is not None:
        path.write_text(content)
    (sentence,) = set_aside_lost(root)
    assert "was changed since it was made" in sentence
    assert aside(root) == [expected]
    assert not (root / "artifacts" / "/".join(expected.split("-"))).exists()


def test_a_folder_that_is_gone_is_left_to_tfx(root: Path) -> None:
    (root / "artifacts/BlessingGate/decision/7/decision.json").unlink()
    (root / "artifacts/BlessingGate/decision/7").rmdir()
    assert set_aside_lost(root) == []


@pytest.mark.parametrize("how", ["gone", "cut"])
def test_a_served_version_that_is_gone_or_damaged_is_pushed_anew(root: Path, how: str) -> None:
    newest = Destination(str(root / "serving/shelf")).versions()[-1]
    folder = root / "serving/shelf" / str(newest)
    if how == "gone":
        folder.rename(root / "elsewhere")
    else:
        cut(folder)
    (sentence,) = set_aside_lost(root)
    assert f"{folder}, which served, is not what was pushed (" in sentence
    assert aside(root) == ["Pusher-pushed_model-2"]


def test_an_old_version_may_be_removed(root: Path) -> None:
    oldest = Destination(str(root / "serving/shelf")).versions()[0]
    (root / "serving/shelf" / str(oldest)).rename(root / "elsewhere")
    assert set_aside_lost(root) == []


def test_what_took_the_place_of_a_damaged_version_has_repaired_it(root: Path) -> None:
    cut(root / "serving/shelf" / str(Destination(str(root / "serving/shelf")).versions()[-1]))
    push(root, "c")
    assert set_aside_lost(root) == []


def test_a_run_that_fails_is_written_down_as_well(root: Path) -> None:
    said: list[str] = []
    with pytest.raises(KeyboardInterrupt), whole(root, said.append):
        (root / "artifacts/Evaluator/evaluation/9").mkdir(parents=True)
        raise KeyboardInterrupt
    assert said == []
    assert "Evaluator/evaluation/9" in documents.read(str(root), Inventory).artifacts


def test_a_new_root_has_lost_nothing(tmp_path: Path) -> None:
    with whole(tmp_path, pytest.fail):
        (tmp_path / "artifacts").mkdir()
    assert documents.read(str(tmp_path), Inventory) == Inventory(artifacts={}, served={})


def test_half_an_inventory_is_none(root: Path) -> None:
    (root / "inventory.json").write_text("{")
    assert set_aside_lost(root) == []
