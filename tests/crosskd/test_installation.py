"""Environments in which something is missing or in the way: each is made, and the real script runs in it."""

import email
import os
import re
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest

from crosskd import installation, stacks, start
from tests import wheels

CROSSKD = Path(sys.executable).parent / "crosskd"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    return wheels.build(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def installed(tmp_path_factory, wheel) -> Path:
    """An environment with the wheel, to which the requirements of these tests are lent."""
    programs = wheels.environment(tmp_path_factory.mktemp("installed"), "--without-pip")
    wheels.install(programs, wheel)
    lent = wheels.site_packages(programs) / "lent.pth"
    lent.write_text(str(Path(pytest.__file__).parent.parent))
    return programs


def intruder(folder: Path) -> Path:
    """The source of a distribution that has a package `schema`, as one in the index has."""
    (folder / "schema").mkdir(parents=True)
    (folder / "schema" / "__init__.py").write_text("class Schema: ...\n")
    (folder / "setup.py").write_text(
        "from setuptools import setup\nsetup(name='schema', version='7', packages=['schema'])"
    )
    return folder


def test_the_packages_are_the_folders_that_python_can_import():
    folders = {file.parent.name for file in wheels.PROJECT.glob("*/__init__.py")} - {"tests"}
    assert set(installation.packages()) == folders


def test_every_package_is_typed():
    assert [name for name in installation.packages() if not (wheels.PROJECT / name / "py.typed").is_file()] == []


def test_the_wheel_holds_every_file_of_every_package(wheel):
    held = set(zipfile.ZipFile(wheel).namelist())
    files = {
        file.relative_to(wheels.PROJECT).as_posix()
        for name in installation.packages()
        for file in (wheels.PROJECT / name).rglob("*")
        if file.is_file() and file.suffix not in (".pyc", ".md")
    }
    assert files - held == set()
    assert {"schema/homepage/surface.yaml", "components/evaluation_report/templates/report.css"} <= files
    assert {f"crosskd/{each.file('base')}" for each in stacks.STACKS} | {"contracts/py.typed"} <= held


def test_the_wheel_says_what_it_is(wheel):
    held = zipfile.ZipFile(wheel)
    folder = f"crosskd-{installation.version()}.dist-info"
    said = email.message_from_bytes(held.read(f"{folder}/METADATA"))
    assert (said["Name"], said["License-Expression"], said["Requires-Dist"]) == ("crosskd", "Apache-2.0", None)
    assert said.get_payload() == (wheels.PROJECT / "README.md").read_text(encoding="utf-8")
    assert held.read(f"{folder}/licenses/LICENSE") == (wheels.PROJECT / "LICENSE").read_bytes()


def test_looking_for_intruders_costs_milliseconds(installed, tmp_path):
    code = (
        "import time; from crosskd.installation import intruders; found = []\n"
        "for _ in range(5):\n"
        "    begun = time.process_time(); assert intruders() == []; found.append(time.process_time() - begun)\n"
        "print(min(found))"
    )
    done = wheels.run(installed, "python", "-c", code, cwd=tmp_path)
    assert 0 < float(done.stdout) < 0.05, done.stderr


def test_looking_for_intruders_imports_none_of_them():
    code = "import sys; from crosskd import installation; installation.intruders(); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert "crosskd" in done.stdout.split()
    assert set(installation.packages()) & set(done.stdout.split()) == {"crosskd"}


@pytest.mark.parametrize("file", ["schema/__init__.py", "models.py", "pipeline/part.py"])
def test_a_foreign_package_earlier_on_the_path_is_named(tmp_path, file):
    foreign = tmp_path / file
    foreign.parent.mkdir(exist_ok=True)
    foreign.write_text("raise ImportError('imported')\n")
    for command in ("--version", "demo", "summary"):
        environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
        done = subprocess.run([CROSSKD, command], env=environment, capture_output=True, text=True, timeout=60)
        name = file.partition("/")[0].removesuffix(".py")
        said = f"error: `{name}` is imported from {foreign if foreign.stem != 'part' else foreign.parent}, not from"
        assert (done.returncode, done.stderr.startswith(said)) == (1, True), done.stderr
        assert "off PYTHONPATH" in done.stderr
        assert "Traceback" not in done.stderr


def test_a_distribution_that_overwrote_a_package_is_named_and_so_is_what_its_removal_takes_away(
    installed, wheel, tmp_path
):
    source = intruder(tmp_path / "intruder")
    pip = ("python", "-m", "pip", "--quiet")
    wheels.run(installed, *pip, "install", "--no-index", "--no-deps", "--no-build-isolation", source, cwd=tmp_path)
    done = wheels.run(installed, "crosskd", "summary", cwd=tmp_path)
    said = "error: schema/__init__.py of crosskd were overwritten by the distribution schema 7\n"
    assert (done.returncode, done.stderr.startswith(said)) == (1, True), done.stderr

    wheels.run(installed, *pip, "uninstall", "--yes", "schema", cwd=tmp_path)
    done = wheels.run(installed, "crosskd", "summary", cwd=tmp_path)
    assert done.returncode == 1
    assert "schema/__init__.py of crosskd are gone" in done.stderr
    assert "install crosskd again" in done.stderr

    wheels.install(installed, "--reinstall", wheel)
    assert wheels.run(installed, "crosskd", "--version", cwd=tmp_path).returncode == 0


def test_a_foreign_distribution_beside_ours_is_named(installed, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    arguments = ("--no-index", "--no-deps", "--no-build-isolation", "--target", elsewhere)
    wheels.run(installed, "python", "-m", "pip", "install", *arguments, intruder(tmp_path / "intruder"), cwd=tmp_path)
    code = f"import sys; sys.path.insert(0, {str(elsewhere)!r}); from crosskd import start; start.main()"
    done = wheels.run(installed, "python", "-c", code, "summary", cwd=tmp_path)
    assert done.returncode == 1
    assert f"from {elsewhere}/schema/__init__.py (installed by the distribution schema 7)" in done.stderr


def test_a_file_that_was_edited_by_hand_is_let_pass(installed, wheel, tmp_path):
    edited = wheels.site_packages(installed) / "schema/errors.py"
    before = edited.read_text(encoding="utf-8")
    edited.unlink()  # It may share its content with the installer's cache.
    edited.write_text(before + "# edited\n", encoding="utf-8")
    assert wheels.run(installed, "crosskd", "--version", cwd=tmp_path).returncode == 0
    wheels.install(installed, "--reinstall", wheel)


@pytest.mark.slow
def test_the_doctor_names_the_intruder_among_its_checks(tmp_path):
    (tmp_path / "worlds.py").touch()
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run([CROSSKD, "doctor"], env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 1
    assert f"BROKEN   own packages: `worlds` is imported from {tmp_path}/worlds.py" in done.stdout
    assert "ok       Python" in done.stdout


@pytest.mark.parametrize(("options", "installer"), [((), "-m pip install"), (("--without-pip",), "uv pip install")])
def test_without_its_requirements_a_command_names_the_one_that_brings_them(wheel, tmp_path, options, installer):
    programs = wheels.environment(tmp_path / "an environment", *options)
    wheels.install(programs, wheel)
    for command in ("demo", "doctor", "--help"):
        done = wheels.run(programs, "crosskd", command, cwd=tmp_path)
        assert done.returncode == 1
        assert "ModuleNotFoundError" not in done.stderr
        assert f" {installer} " in done.stderr
        assert "--no-deps --require-hashes" in done.stderr
    named = re.search(r"-r '(.*)'", done.stderr)
    assert named is not None
    assert Path(named[1]).read_bytes() == (wheels.PROJECT / stacks.choose(stacks.here()).file("base")).read_bytes()
    assert Path(named[1]).is_relative_to(tmp_path)


def test_some_requirements_that_are_missing_are_named_as_well(monkeypatch):
    def run(alone: bool) -> None:
        import no_such_module  # noqa: F401 (it is to fail)

    monkeypatch.setattr(start, "_run", run)
    monkeypatch.setattr(installation, "absent", lambda: ["tfx", "kfp"])
    with pytest.raises(SystemExit, match=r"2 of the packages .*no_such_module is asked for first"):
        start.main()


def test_a_module_that_no_requirement_brings_stays_what_it_is(monkeypatch):
    def run(alone: bool) -> None:
        raise ModuleNotFoundError("No module named 'mine'", name="mine")

    monkeypatch.setattr(start, "_run", run)
    with pytest.raises(ModuleNotFoundError, match="mine"):
        start.main()


def test_a_python_for_which_nothing_is_pinned_is_told_which_would_do(monkeypatch):
    def run(alone: bool) -> None:
        raise ModuleNotFoundError("No module named 'typer'", name="typer")

    monkeypatch.setattr(start, "_run", run)
    monkeypatch.setattr(stacks, "here", lambda: stacks.System((3, 13), ("glibc", "2.36"), ("Linux", "x86_64")))
    with pytest.raises(SystemExit, match=r"nothing is pinned for Python 3[.]13 on glibc 2[.]36; Python 3[.]11 would"):
        start.main()


def test_absent_is_what_is_pinned_and_not_installed(monkeypatch, tmp_path):
    file = tmp_path / "base.txt"
    file.write_text("typer==1 \\\n    --hash=sha256:00\nno-such-package[extra]==3\n")
    monkeypatch.setattr(installation, "requirements", lambda: file)
    assert installation.absent() == ["no-such-package"]


def test_time_is_not_lost_before_a_command(tmp_path):
    started = time.monotonic()
    assert wheels.run(CROSSKD.parent, "crosskd", "--help", cwd=tmp_path).returncode == 0
    assert time.monotonic() - started < 10
