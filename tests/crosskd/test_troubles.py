"""What the machine does not let a command do ends in one message: what happened, and what to do."""

from __future__ import annotations

import errno
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from crosskd.launch import lock
from crosskd.main import app
from crosskd.places import METADATA_FILE
from crosskd.troubles import explain
from schema.errors import InputError
from tests.crosskd.pushes import keep_metadata, push
from tests.e2e import library

CROSSKD = Path(sys.executable).parent / "crosskd"
COMMANDS = ["summary", "gate", "report", "rollback"]


def crosskd(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(each) for each in arguments])


def assert_one_message(done: Result, *parts: str) -> None:
    assert done.exit_code == 2, done.output
    assert done.output.count("error:") == 1
    assert "Traceback" not in done.output
    for part in parts:
        assert part in done.output.replace("\n", " ")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A root with two pushed versions, and metadata that know a run."""
    made = tmp_path / "root"
    push(made, "a"), push(made, "b")
    keep_metadata(made, "a", "b")
    return made


def garbage(file: Path) -> None:
    file.write_bytes(b"no database" * 1000)


def empty(file: Path) -> None:
    file.write_bytes(b"")


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def zeros(file: Path) -> None:
    content = file.read_bytes()
    file.write_bytes(content[:4096] + bytes(len(content) - 4096))


def of_another_program(file: Path) -> None:
    file.unlink()
    with sqlite3.connect(file) as connection:
        connection.execute("CREATE TABLE songs (title TEXT)")


def folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


@pytest.mark.parametrize(
    "damage", [garbage, empty, cut, zeros, of_another_program, folder], ids=lambda each: each.__name__
)
@pytest.mark.parametrize("command", COMMANDS)
def test_damaged_metadata(root: Path, command: str, damage: Callable[[Path], None]) -> None:
    file = root / METADATA_FILE
    damage(file)
    done = crosskd(command, "--root", root)
    assert_one_message(done, METADATA_FILE)
    assert any(part in done.output for part in ("cannot be read", "found a folder"))
    assert sorted(path.name for path in (root / "serving/homepage").iterdir() if path.name == ".rollback.json") == []


@pytest.fixture
def given(tmp_path: Path) -> list[str]:
    """What a run is given beside its root."""
    folders = {
        "surface": library.write_surface(tmp_path / "surface"),
        "examples": library.write_examples(tmp_path / "examples", sizes=(20, 10)),
        "teacher": library.write_teacher(tmp_path / "teacher"),
    }
    return [word for name, path in folders.items() for word in (f"--{name}", str(path))]


def test_a_root_that_is_a_file(tmp_path: Path, given: list[str]) -> None:
    (tmp_path / "file").write_text("")
    assert_one_message(
        crosskd("run", *given, "--root", tmp_path / "file"), "there is a file where a folder was expected"
    )
    assert_one_message(crosskd("run", *given, "--root", tmp_path / "file" / "root"), "there is a file where")
    assert_one_message(
        crosskd("label", *given, "--root", tmp_path / "file"), "there is a file where a folder was expected"
    )
    for command in COMMANDS:
        assert_one_message(crosskd(command, "--root", tmp_path / "file"))


def test_a_root_that_cannot_be_made(given: list[str]) -> None:
    with pytest.raises(InputError, match="--root /proc/root-of-runs: no folder can be made here"):
        lock(Path("/proc/root-of-runs")).__enter__()
    assert_one_message(crosskd("run", *given, "--root", "/tmp/" + 300 * "r"), "the path is too long")


def test_a_log_that_cannot_be_written_hinders_nothing(root: Path) -> None:
    (root / "logs").write_text("")
    assert crosskd("rollback", "--root", root).exit_code == 0


def test_a_serving_folder_that_is_a_file(root: Path) -> None:
    shutil.rmtree(root / "serving")
    (root / "serving").write_text("")
    assert_one_message(crosskd("rollback", "--root", root), "nothing was pushed here yet")


def mounted(folder: Path, *options: str) -> bool:
    command = ["mount", "-t", "tmpfs", "-o", ",".join(options), "tmpfs", str(folder)]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


@pytest.fixture
def disk(tmp_path: Path):
    """A small disk of its own; where none can be mounted, a folder in which no large file can be written."""
    place = tmp_path / "disk"
    place.mkdir()
    there = mounted(place, "size=2m")
    yield place, there
    if there:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


def test_a_full_disk(disk, root: Path) -> None:
    place, there = disk
    if not there:
        return
    shutil.copytree(root, place / "root")
    left = os.statvfs(place)
    (place / "ballast").write_bytes(bytes(left.f_bavail * left.f_frsize - 4096))
    assert_one_message(
        crosskd("rollback", "--root", place / "root"),
        "metadata cannot be read or written (no space is left on the disk)",
    )
    (place / "ballast").unlink()
    assert crosskd("rollback", "--root", place / "root").exit_code == 0
    assert len(list((place / "root/serving/homepage").glob("[0-9]*"))) == 3


def test_a_disk_that_can_only_be_read(disk, root: Path) -> None:
    place, there = disk
    if not there:
        return
    shutil.copytree(root, place / "root")
    subprocess.run(["mount", "-o", "remount,ro", str(place)], check=True)
    assert_one_message(crosskd("rollback", "--root", place / "root"), "the disk can only be read")
    found = crosskd("summary", "--root", place / "root")
    assert_one_message(found, "came to no decision")  # it was read, though its log cannot be written


def test_what_the_full_disk_of_a_log_does_not_take_is_not_told_to_the_terminal() -> None:
    code = """if True:
        import logging
        from pathlib import Path
        from crosskd.terminal import TERMINAL
        with TERMINAL.noise_to(Path("/dev/full")):
            TERMINAL.say("one")
            logging.error("noise of a library")
        TERMINAL.say("two")
    """
    buffered = {**os.environ, "PYTHONUNBUFFERED": ""}
    done = subprocess.run([sys.executable, "-c", code], env=buffered, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "one\ntwo\n")


def test_an_umlaut_on_a_terminal_that_knows_none(tmp_path: Path) -> None:
    for encoding in ("ascii", "latin-1"):
        environment = {**os.environ, "LC_ALL": "C", "PYTHONIOENCODING": encoding}
        command = [CROSSKD, "summary", "--root", str(tmp_path / "W\u00fcrzel \u4f60")]
        done = subprocess.run(command, env=environment, capture_output=True, check=False)
        assert done.returncode == 2
        assert b"Traceback" not in done.stderr
        assert b"no such folder" in done.stderr
        assert b"W\\xfcrzel" in done.stderr if encoding == "ascii" else b"W\xfcrzel" in done.stderr


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "/a/b"), "/a/b: no space is left on the disk. Make room"),
        (
            RuntimeError("... OSError: [Errno 28] No space left on device: '/a/c'"),
            "/a/c: no space is left on the disk.",
        ),
        (RuntimeError("query failed: database or disk is full"), "No space is left on the disk."),
        (PermissionError(errno.EACCES, "Permission denied", "/a"), "/a: this user may not do that. Choose a place"),
        (RuntimeError("database is locked"), "metadata.sqlite: another process is writing the metadata."),
        (
            FileNotFoundError(errno.ENOENT, "No usable temporary directory found in ['/a', '/tmp']"),
            "No usable temporary directory found in ['/a', '/tmp']. Set TMPDIR to a folder with room.",
        ),
        (ValueError("shapes do not fit"), None),
        (FileNotFoundError(errno.ENOENT, "No such file", "/a"), None),
    ],
)
def test_what_is_said(error: Exception, said: str | None) -> None:
    found = explain(error)
    assert found is None if said is None else found is not None and said in found
    try:
        try:
            raise error
        except type(error):
            raise LookupError("of a library") from error
    except LookupError as wrapped:
        assert explain(wrapped) == found


def test_a_world_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert_one_message(crosskd("world", "simulated", "--size", "tiny", "--out", tmp_path / "file" / "world"), "file")
