"""What counts as damage of a pushed version."""

from __future__ import annotations

from pathlib import Path

import pytest

from records import documents
from records.content import content_fingerprint
from records.manifest import Manifest, damage, measure
from records.sessions import SessionModel, load_error
from tests.components.model_pusher.handmade import cut, write_files, write_model


@pytest.fixture
def version(tmp_path: Path) -> Path:
    folder = tmp_path / "7"
    write_model(folder, "a")
    documents.write(str(folder), measure(str(folder)))
    return folder


def found(version: Path, content: str | None = None) -> str:
    return damage(str(version), content) or ""


def test_what_was_pushed_is_whole(version: Path) -> None:
    assert found(version) == ""
    assert load_error(str(version)) is None
    manifest = documents.read(str(version), Manifest)
    assert manifest.files["saved_model.pb"].size == (version / "saved_model.pb").stat().st_size
    assert Manifest.FILE not in manifest.files


def test_a_cut_that_leaves_the_content_as_it_was(version: Path) -> None:
    before = content_fingerprint(str(version))
    cut(version)
    assert content_fingerprint(str(version)) == before
    assert found(version) == (
        "variables/variables.data-00000-of-00001 has "
        f"{(version / 'variables/variables.data-00000-of-00001').stat().st_size:,} bytes, and "
        f"{(version / 'variables/variables.data-00000-of-00001').stat().st_size + 1:,} were pushed"
    )


@pytest.mark.parametrize("bytes_off", [1, 40, 100, 150])
def test_every_cut_is_found_and_has_a_fingerprint(version: Path, bytes_off: int) -> None:
    cut(version, bytes_off)
    assert found(version).startswith("variables/variables.data")
    assert len(content_fingerprint(str(version))) == 64
    (version / Manifest.FILE).unlink()
    assert found(version).startswith("a server cannot load it (OutOfRangeError: ")


def test_a_flipped_bit(version: Path) -> None:
    path = version / "variables/variables.data-00000-of-00001"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    assert found(version) == "variables/variables.data-00000-of-00001 has another content than was pushed"


def test_a_file_that_is_gone_or_was_not_pushed(version: Path) -> None:
    (version / "extra").write_text("x")
    assert found(version) == "extra was not pushed"
    (version / "fingerprint.pb").unlink()
    assert found(version) == "fingerprint.pb is gone"
    (version / "saved_model.pb").unlink()
    assert found(version) == "it holds no saved_model.pb"


def test_operators_may_add_warm_up_requests(version: Path) -> None:
    (version / "assets.extra/tf_serving_warmup_requests").write_text("x")
    assert found(version) == ""


def test_a_manifest_that_cannot_be_read(version: Path) -> None:
    (version / Manifest.FILE).write_text('{"files": ')
    assert "not the manifest of a pushed model" in found(version)


def test_without_a_manifest_the_version_is_loaded_and_its_content_compared(version: Path) -> None:
    (version / Manifest.FILE).unlink()
    content = content_fingerprint(str(version))
    assert found(version) == found(version, content) == ""
    assert found(version, "0" * 64) == "it computes something else than what was pushed"


def test_what_is_no_model_at_all_cannot_be_loaded(tmp_path: Path) -> None:
    write_files(tmp_path, "x")
    assert "cannot load it (" in (load_error(str(tmp_path)) or "")
    assert "cannot load it (" in (load_error(str(tmp_path / "nothing")) or "")


def test_a_session_answers(version: Path) -> None:
    model = SessionModel(str(version))
    answers = model.predict([b"abc", b"a"])["click"]
    assert answers[0] - answers[1] == 2
    model.close()
