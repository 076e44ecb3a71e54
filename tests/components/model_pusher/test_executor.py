"""Pushes from blessings written by hand, and edited by hand."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from tfx.types import standard_artifacts

from contracts.decision import Decision
from contracts.provenance import Provenance
from records import documents
from records.manifest import Manifest, damage
from records.training_states import damage as damage_of_states
from records.training_states import folder_of
from schema.errors import InputError
from tests.components.continuation.states import write_state
from tests.components.model_pusher.handmade import ORIGIN, Push, content_of, cut, push_of

FILES = [
    "assets.extra/manifest.json",
    "assets.extra/provenance.json",
    "fingerprint.pb",
    "saved_model.pb",
    "variables/variables.data-00000-of-00001",
    "variables/variables.index",
]


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_a_blessed_model_is_pushed_whole_with_its_provenance(tmp_path: Path) -> None:
    push = push_of(tmp_path, infra=True)
    pushed = push.run()
    (version,) = push.versions()
    folder = push.serving / version
    assert files(folder) == files(Path(pushed.uri)) == FILES
    assert content_of(folder, ["other", "model"]) == "model"
    manifest = json.loads((folder / "assets.extra/manifest.json").read_text())["files"]
    assert sorted(manifest) == [name for name in FILES if "manifest" not in name]
    student = Path(push.inputs["model"][0].uri) / "Format-Serving/saved_model.pb"
    assert manifest["saved_model.pb"]["sha256"] == hashlib.sha256(student.read_bytes()).hexdigest()
    assert pushed.get_int_custom_property("pushed") == 1
    assert pushed.get_string_custom_property("pushed_destination") == str(folder)
    assert pushed.get_string_custom_property("pushed_version") == version
    assert pushed.get_int_custom_property("copied") == 1
    provenance = documents.find(str(folder), Provenance)
    assert provenance is not None
    assert provenance.origin == ORIGIN
    assert provenance.version == int(version)
    assert provenance.decision == "Blessed: 3 gates passed."
    assert provenance.model == push.inputs["model"][0].uri


def with_runs(push: Push, *roles: str) -> Push:
    for role in roles:
        run = standard_artifacts.ModelRun()
        run.uri = str(push.root / "runs" / role)
        write_state(Path(run.uri) / "training_state", role, "span/7", ("span/6",))
        push.inputs[f"{role}_run"] = [run]
    return push


def test_what_later_runs_continue_from_is_kept_beside_the_version_and_not_in_it(tmp_path: Path) -> None:
    push = with_runs(push_of(tmp_path), "student", "control")
    push.run()
    (version,) = push.versions()
    left = documents.read(str(push.serving / version), Provenance).training
    assert left is not None
    assert (left.data, left.lineage) == ("span/7", ("span/6",))
    assert damage_of_states(str(push.serving), left.digest, ("student", "control")) is None
    for role in ("student", "control"):
        kept = Path(folder_of(str(push.serving), left.digest, role))
        assert (kept / "weights.npz").read_text() == f"{role} of span/7"
    assert files(push.serving / version) == FILES


def test_a_run_of_which_one_arm_did_not_arrive_is_not_pushed(tmp_path: Path) -> None:
    push = with_runs(push_of(tmp_path), "student")
    with pytest.raises(InputError, match="control_run: expected one artifact, found 0"):
        push.run()
    assert push.versions() == []


def test_a_model_that_is_not_blessed_is_not_pushed(tmp_path: Path) -> None:
    push = push_of(tmp_path, blessed=False)
    pushed = push.run()
    assert push.versions() == []
    assert pushed.get_int_custom_property("pushed") == 0
    assert pushed.get_string_custom_property("sentence") == "Not blessed: click auc, overall: 0.5."


def test_a_model_that_failed_the_serving_validation_is_not_pushed(tmp_path: Path) -> None:
    push = push_of(tmp_path, infra=False)
    pushed = push.run()
    assert push.versions() == []
    assert pushed.get_string_custom_property("sentence") == "Not pushed: the student failed the serving validation."


@pytest.mark.parametrize("key", ["model_blessing", "decision", "infra_blessing"])
def test_what_did_not_arrive_is_not_taken_for_consent(tmp_path: Path, key: str) -> None:
    push = push_of(tmp_path, infra=True)
    push.inputs[key] = []
    with pytest.raises(InputError, match=f"{key}: expected one artifact, found 0"):
        push.run()
    assert push.versions() == []


def rename_file(push: Push) -> None:
    (push.uri("model_blessing") / "NOT_BLESSED").rename(push.uri("model_blessing") / "BLESSED")


def add_file(push: Push) -> None:
    (push.uri("model_blessing") / "BLESSED").touch()


def set_property(push: Push) -> None:
    push.inputs["model_blessing"][0].set_int_custom_property("blessed", 1)


def rename_file_and_set_property(push: Push) -> None:
    rename_file(push)
    set_property(push)


def edit_decision(push: Push) -> None:
    uri = str(push.uri("decision"))
    documents.write(uri, documents.read(uri, Decision).model_copy(update={"blessed": True}))


@pytest.mark.parametrize("tamper", [rename_file, add_file, set_property, rename_file_and_set_property, edit_decision])
def test_a_blessing_edited_by_hand_is_noticed(tmp_path: Path, tamper) -> None:
    push = push_of(tmp_path, blessed=False)
    tamper(push)
    with pytest.raises(InputError, match=r"contradict.*Nothing is pushed"):
        push.run()
    assert push.versions() == []


def test_an_infra_blessing_edited_by_hand_is_noticed(tmp_path: Path) -> None:
    push = push_of(tmp_path, infra=False)
    (push.uri("infra_blessing") / "INFRA_NOT_BLESSED").rename(push.uri("infra_blessing") / "INFRA_BLESSED")
    with pytest.raises(InputError, match=r"contradicts itself.*INFRA_BLESSED"):
        push.run()
    assert push.versions() == []


@pytest.mark.parametrize("key", ["model_blessing", "infra_blessing"])
def test_the_blessing_of_another_model_does_not_count(tmp_path: Path, key: str) -> None:
    push, other = push_of(tmp_path, infra=True), push_of(tmp_path, infra=True)
    push.inputs[key] = other.inputs[key]
    with pytest.raises(InputError, match=r"expected the blessing of the model .*model-1 \(id 1\), found .*model-2"):
        push.run()


def test_the_decision_of_another_surface_does_not_count(tmp_path: Path) -> None:
    push = push_of(tmp_path)
    uri = str(push.uri("decision"))
    documents.write(uri, documents.read(uri, Decision).model_copy(update={"surface": "radio"}))
    with pytest.raises(InputError, match="expected a decision about surface 'tiny', found one about 'radio'"):
        push.run()


def test_a_model_that_changed_after_its_validation_is_not_pushed(tmp_path: Path) -> None:
    push = push_of(tmp_path, infra=True)
    push.inputs["infra_blessing"][0].set_string_custom_property("model_fingerprint", "0" * 64)
    with pytest.raises(InputError, match="the model has changed since it was validated: its fingerprint was 0000"):
        push.run()
    assert push.versions() == []


def test_the_same_content_is_not_pushed_again(tmp_path: Path) -> None:
    first = push_of(tmp_path, "a")
    first.run()
    again = push_of(tmp_path, "a")
    pushed = again.run()
    assert again.versions() == first.versions()
    assert pushed.get_int_custom_property("pushed") == 1
    assert pushed.get_int_custom_property("copied") == 0
    assert pushed.get_string_custom_property("pushed_destination") == str(first.serving / first.versions()[0])


def test_versions_rise_within_a_second(tmp_path: Path) -> None:
    push_of(tmp_path, "a").run()
    push_of(tmp_path, "b").run()
    last = push_of(tmp_path, "c")
    last.run()
    first, second, third = map(int, last.versions())
    assert first < second < third


def test_content_that_was_replaced_does_not_come_back_by_itself(tmp_path: Path) -> None:
    push_of(tmp_path, "a").run()
    push_of(tmp_path, "b").run()
    back = push_of(tmp_path, "a")
    pushed = back.run()
    assert len(back.versions()) == 2
    assert pushed.get_int_custom_property("pushed") == 0
    assert "use `crosskd rollback`" in pushed.get_string_custom_property("sentence")


def test_a_first_run_does_not_replace_what_it_was_never_compared_with(tmp_path: Path) -> None:
    first = push_of(tmp_path, "a")
    first.run()
    stranger = push_of(tmp_path, "b", first_run=True)
    pushed = stranger.run()
    assert stranger.versions() == first.versions()
    assert pushed.get_int_custom_property("pushed") == 0
    assert pushed.get_string_custom_property("sentence").startswith(
        f"Not pushed: the student was judged as the first, without a last blessed model, and version "
        f"{first.versions()[0]} serves"
    )


def test_a_first_run_that_serves_already_stays(tmp_path: Path) -> None:
    push_of(tmp_path, "a").run()
    again = push_of(tmp_path, "a", first_run=True)
    assert again.run().get_int_custom_property("pushed") == 1
    assert len(again.versions()) == 1


def damaged_push(tmp_path: Path, bytes_off: int = 1) -> Push:
    """A push of `a`, whose version is not whole any more."""
    push = push_of(tmp_path, "a")
    push.run()
    cut(push.serving / push.versions()[0], bytes_off)
    return push


@pytest.mark.parametrize("bytes_off", [1, 100])
@pytest.mark.parametrize("content", ["a", "b"])
@pytest.mark.parametrize("first_run", [True, False])
def test_a_damaged_version_is_repaired_by_the_next_push(
    tmp_path: Path, bytes_off: int, content: str, first_run: bool
) -> None:
    old = damaged_push(tmp_path, bytes_off).versions()[0]
    push = push_of(tmp_path, content, first_run=first_run)
    pushed = push.run()
    assert len(push.versions()) == 2
    newest = push.serving / push.versions()[-1]
    assert damage(str(newest), None) is None
    assert content_of(newest, "ab") == content
    assert f"Version {old}, which it takes the place of, was damaged: variables/variables.data" in (
        pushed.get_string_custom_property("sentence")
    )
    again = push_of(tmp_path, content)
    assert "already serves this content" in again.run().get_string_custom_property("sentence")
    assert len(again.versions()) == 2


def test_an_earlier_content_repairs_what_took_its_place(tmp_path: Path) -> None:
    push_of(tmp_path, "a").run()
    newest = push_of(tmp_path, "b")
    newest.run()
    cut(newest.serving / newest.versions()[-1])
    back = push_of(tmp_path, "a")
    assert back.run().get_int_custom_property("copied") == 1
    assert content_of(back.serving / back.versions()[-1], "ab") == "a"


@pytest.mark.parametrize("name", ["assets.extra/provenance.json", "assets.extra/manifest.json", "saved_model.pb"])
@pytest.mark.parametrize("content", [b"", b"{half"])
def test_whatever_of_a_version_is_damaged_does_not_end_every_push(tmp_path: Path, name: str, content: bytes) -> None:
    push = push_of(tmp_path, "a")
    push.run()
    (push.serving / push.versions()[0] / name).write_bytes(content)
    again = push_of(tmp_path, "a")
    again.run()
    assert len(again.versions()) == 2
    assert damage(str(again.serving / again.versions()[-1]), None) is None


def test_a_student_that_no_server_loads_is_not_pushed(tmp_path: Path) -> None:
    push = push_of(tmp_path, "a")
    cut(Path(push.inputs["model"][0].uri) / "Format-Serving")
    with pytest.raises(InputError, match=r"a server cannot load it .OutOfRangeError.*Nothing is published"):
        push.run()
    assert [path.name for path in push.serving.iterdir()] == [".lock"]


def test_a_version_pushed_before_there_were_manifests_goes_on_working(tmp_path: Path) -> None:
    push = push_of(tmp_path, "a")
    push.run()
    (push.serving / push.versions()[0] / "assets.extra/manifest.json").unlink()
    again = push_of(tmp_path, "a")
    assert again.run().get_int_custom_property("copied") == 0
    assert len(again.versions()) == 1
    cut(push.serving / push.versions()[0])
    assert "was damaged: a server cannot load it" in push_of(tmp_path, "a").run().get_string_custom_property("sentence")


def test_what_servers_warm_up_with_is_pushed_along_and_part_of_the_manifest(tmp_path: Path) -> None:
    push = push_of(tmp_path, infra=True)
    (push.uri("infra_blessing") / "tf_serving_warmup_requests").write_bytes(b"requests")
    push.run()
    (version,) = push.versions()
    assert (push.serving / version / "assets.extra/tf_serving_warmup_requests").read_bytes() == b"requests"
    manifest = documents.read(str(push.serving / version), Manifest)
    assert manifest.files["assets.extra/tf_serving_warmup_requests"].size == len(b"requests")
    without = push_of(tmp_path, "other", infra=True)
    without.run()
    assert not (without.serving / without.versions()[-1] / "assets.extra/tf_serving_warmup_requests").exists()
