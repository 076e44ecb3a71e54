import importlib.metadata
import json
import subprocess
import sys
from pathlib import Path

import pytest

from crosskd import checks, stacks
from crosskd.checks import State

CROSSKD = Path(sys.executable).parent / "crosskd"


def test_this_environment_is_healthy_as_a_program_reads_it(tmp_path):
    done = subprocess.run([CROSSKD, "doctor", "--json", "--root", tmp_path / "runs"], capture_output=True, timeout=300)
    found = json.loads(done.stdout)
    states = {check["name"]: check["state"] for check in found["checks"]}
    assert (found["healthy"], done.returncode) == (True, 0), found
    assert {name for name, state in states.items() if state == "broken"} == set()
    assert list(states) == [
        *("Python", "system", "own packages", "packages", "byte code", "disk", "memory", "folder"),
        "Beam without network",
    ]


def test_a_broken_check_ends_in_exit_code_1(monkeypatch, capfd):
    import typer

    from crosskd import doctor

    broken = checks.SystemCheck(name="disk", state=State.BROKEN, found="0.1 GiB", advice="free some")
    monkeypatch.setattr(checks, "checks", lambda root: iter([broken]))
    with pytest.raises(typer.Exit) as ended:
        doctor.command(Path("runs"), as_json=True)
    assert ended.value.exit_code == 1
    with pytest.raises(typer.Exit):
        doctor.command(Path("runs"), as_json=False)


def test_another_version_than_the_pinned_one_is_broken(tmp_path):
    requirements = tmp_path / "base.txt"
    pydantic = importlib.metadata.version("pydantic")
    requirements.write_text(f"pydantic=={pydantic} \\\n    --hash=sha256:00\nrich[jupyter]==0.1\nno-such-package==3\n")
    found = checks.versions(requirements)
    assert found.state is State.BROKEN
    assert found.found == f"rich {importlib.metadata.version('rich')}, pinned 0.1; no-such-package absent, pinned 3"
    assert "make setup" in found.advice


def test_where_nothing_is_pinned_nothing_is_claimed():
    found = checks.versions(None)
    assert found.state is State.WARNING
    assert found.found.startswith("not compared")


def test_this_environment_is_compared_with_the_requirements_that_fit_it():
    names = {11: "base.txt", 12: "base-py312.txt", 13: "base-py313.txt"}
    assert checks.fitting().name == names[sys.version_info[1]]


@pytest.mark.parametrize(("python", "glibc"), [((3, 10), "2.41"), ((3, 14), "2.41"), ((3, 13), "2.36")])
def test_a_python_for_which_nothing_is_pinned_is_broken(monkeypatch, python, glibc):
    monkeypatch.setattr(stacks, "here", lambda: stacks.System(python, ("glibc", glibc), ("Linux", "x86_64")))
    found = checks.python()
    assert found.state is State.BROKEN
    assert f"nothing is pinned for Python 3.{python[1]} on glibc {glibc}; Python 3.11" in found.advice
    assert checks.fitting() is None


@pytest.mark.parametrize(("python", "glibc"), [((3, 11), "2.28"), ((3, 12), "2.39"), ((3, 13), "2.41")])
def test_a_python_for_which_packages_are_pinned_is_fine(monkeypatch, python, glibc):
    monkeypatch.setattr(stacks, "here", lambda: stacks.System(python, ("glibc", glibc), ("Linux", "x86_64")))
    assert checks.python().state is State.OK


def test_an_older_glibc_than_the_wheels_ask_for_is_broken(monkeypatch):
    monkeypatch.setattr("platform.libc_ver", lambda: ("glibc", "2.17"))
    found = checks.system()
    assert found.state is State.BROKEN
    assert "tensorflow" in found.advice


def test_no_glibc_is_broken(monkeypatch):
    monkeypatch.setattr("platform.libc_ver", lambda: ("", ""))
    assert checks.system().state is State.BROKEN


@pytest.mark.parametrize(("value", "state"), [(0.4, State.BROKEN), (0.5, State.WARNING), (5.0, State.OK)])
def test_scarce_is_a_warning_and_too_little_is_broken(value, state):
    found = checks._amount("disk", value, "so much", (0.5, 5.0), "free some")
    assert found.state is state
    assert bool(found.advice) is (state is not State.OK)


def test_a_folder_that_cannot_be_written_to_is_broken(tmp_path):
    (tmp_path / "file").touch()
    found = checks.folder(tmp_path / "file" / "runs")
    assert found.state is State.BROKEN
    assert "choose a --root" in found.advice
    assert checks.folder(tmp_path / "runs").state is State.OK


def test_an_environment_that_cannot_import_is_broken(tmp_path):
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho \"ModuleNotFoundError: No module named 'tfx'\" >&2\nexit 1\n")
    python.chmod(0o755)
    found = checks.beam(str(python))
    assert (found.state, found.found) == (State.BROKEN, "ModuleNotFoundError: No module named 'tfx'")


def test_the_trial_catches_what_beam_does_by_itself():
    code = (
        "import pipeline.beam_options as o; o.DEFAULT_BEAM_ARGS = ()\nfrom crosskd import beam_trial\nbeam_trial.main()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300)
    assert done.returncode == 1
    assert "Beam reached for" in done.stderr


def test_the_trial_imports_neither_tfx_nor_tensorflow():
    code = (
        "from crosskd import beam_trial\nbeam_trial.main()\n"
        "import sys; print(*sorted({'tensorflow', 'tfx', 'tensorflow_model_analysis', 'keras'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300)
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, ""), done.stderr


def test_a_library_of_tensorflow_that_does_not_load_is_named(monkeypatch):
    from crosskd import beam_trial

    monkeypatch.setattr(beam_trial, "_LIBRARIES", ("libnone.so.2",))
    with pytest.raises(OSError, match="libnone"):
        beam_trial.load_tensorflow()
