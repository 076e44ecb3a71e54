"""Pushes from blessings written by hand, and edited by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from contracts.decision import Decision
from contracts.provenance import Provenance
from records import documents
from schema.errors import InputError
from tests.components.model_pusher.handmade import ORIGIN, Push, push_of

FILES = [
    "assets.extra/provenance.json",
    "assets/vocabulary",
    "fingerprint.pb",
    "saved_model.pb",
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
    assert (folder / "saved_model.pb").read_text() == "model saved_model.pb"
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
        f"{first.versions()[0]} serves."
    )


def test_a_first_run_that_serves_already_stays(tmp_path: Path) -> None:
    push_of(tmp_path, "a").run()
    again = push_of(tmp_path, "a", first_run=True)
    assert again.run().get_int_custom_property("pushed") == 1
    assert len(again.versions()) == 1
