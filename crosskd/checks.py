"""What `crosskd doctor` looks at: each check says what it found and what to do about it.

Nothing here imports TensorFlow: the environment may be what is broken.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import platform
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path

from pydantic import BaseModel

from crosskd import installation, stacks

_MANYLINUX = re.compile(r"manylinux_(\d+)_(\d+)_")
_GIB = 2**30
# A run of the demonstration keeps 25 MB and holds 1.7 GB of memory at its peak; the environment is 4.2 GB.
_DISK = (0.5, 5.0)
_MEMORY = (2.0, 4.0)
_BEAM_SECONDS = 300


class State(StrEnum):
    """What a check found: fine, something that costs, or something that fails a run."""

    OK = "ok"
    WARNING = "warning"
    BROKEN = "broken"


class SystemCheck(BaseModel):
    """One check; part of `crosskd doctor --json`.

    Attributes:
      name: What was looked at.
      state: How it is.
      found: What was found.
      advice: What to do; empty where all is well.
    """

    name: str
    state: State
    found: str
    advice: str = ""


def checks(root: Path) -> Iterator[SystemCheck]:
    """All checks, one after the other; the last takes some seconds.

    Args:
      root: Where runs will be kept; it need not exist.
    """
    yield python()
    yield system()
    yield own_packages()
    yield versions(fitting())
    yield bytecode()
    yield disk(root)
    yield memory()
    yield folder(root)
    yield beam()


def python() -> SystemCheck:
    """The interpreter: requirements are pinned for it and this C library."""
    found = f"{platform.python_version()} ({sys.executable})"
    try:
        stacks.choose(stacks.here())
    except stacks.UnfitError as unfit:
        advice = f"`make clean`, then set it up with another Python: {unfit}"
        return SystemCheck(name="Python", state=State.BROKEN, found=found, advice=advice)
    return SystemCheck(name="Python", state=State.OK, found=found)


def fitting() -> Path | None:
    """The pinned requirements that fit here; None where none do."""
    try:
        return installation.requirements()
    except stacks.UnfitError:
        return None


def system() -> SystemCheck:
    """Platform, and its C library against what the installed wheels were built for."""
    name, version = platform.libc_ver()
    found = f"{platform.system()} {platform.machine()}, {name or 'no glibc'} {version}".rstrip()
    if platform.system() != "Linux" or name != "glibc":
        advice = "TFX's wheels are for Linux with glibc: run in a container of a Debian or Ubuntu image"
        return SystemCheck(name="system", state=State.BROKEN, found=found, advice=advice)
    here = tuple(int(part) for part in version.split(".")[:2])
    newer = sorted(each for each, needed in _glibc_of_wheels() if needed > here)
    if newer:
        advice = f"these wheels ask for a newer glibc: {', '.join(newer)}; take a newer image, or pin older ones"
        return SystemCheck(name="system", state=State.BROKEN, found=found, advice=advice)
    return SystemCheck(name="system", state=State.OK, found=found)


def _glibc_of_wheels() -> Iterator[tuple[str, tuple[int, int]]]:
    """Each installed wheel with compiled code, and the lowest glibc that its tags admit."""
    for each in importlib.metadata.distributions():
        tags = [(int(a), int(b)) for a, b in _MANYLINUX.findall(each.read_text("WHEEL") or "")]
        if tags:
            yield each.metadata["Name"], min(tags)


def own_packages() -> SystemCheck:
    """This project's packages are what is imported under their names, and as they were installed."""
    name = "own packages"
    intruders = installation.intruders()
    if intruders:
        return SystemCheck(name=name, state=State.BROKEN, found="; ".join(intruders), advice=installation.ADVICE)
    return SystemCheck(name=name, state=State.OK, found=f"{', '.join(installation.packages())} are crosskd's own")


def versions(requirements: Path | None) -> SystemCheck:
    """Every pinned package is there, in the version that was tested."""
    name = "packages"
    if requirements is None:
        found, advice = "not compared: nothing is pinned for this Python on this system", "see what is said of Python"
        return SystemCheck(name=name, state=State.WARNING, found=found, advice=advice)
    pinned = installation.pinned(requirements)
    wrong = [
        f"{each} {installation.installed(each) or 'absent'}, pinned {version}"
        for each, version in pinned.items()
        if installation.installed(each) != version
    ]
    if wrong:
        shown = "; ".join(wrong[:5]) + (f"; and {len(wrong) - 5} more" if len(wrong) > 5 else "")
        advice = (
            "install what was tested: in a checkout `make setup`, or `make clean setup` if that changes nothing; "
            f"elsewhere `{installation.install_command()}`"
        )
        return SystemCheck(name=name, state=State.BROKEN, found=shown, advice=advice)
    return SystemCheck(
        name=name, state=State.OK, found=f"all {len(pinned)} as pinned; tfx {installation.installed('tfx')}"
    )


def bytecode() -> SystemCheck:
    """TFX imports in 12 s with byte-compiled files and in 40 s without."""
    name = "byte code"
    tfx = importlib.util.find_spec("tfx")
    if tfx is None or tfx.origin is None:
        return SystemCheck(name=name, state=State.BROKEN, found="tfx is not installed", advice="`make setup`")
    if Path(importlib.util.cache_from_source(tfx.origin)).is_file():
        return SystemCheck(name=name, state=State.OK, found="packages are byte-compiled")
    advice = (
        f"commands start three times as fast after `{sys.executable} -m compileall -q {Path(tfx.origin).parent.parent}`"
    )
    return SystemCheck(name=name, state=State.WARNING, found="packages are not byte-compiled", advice=advice)


def disk(root: Path) -> SystemCheck:
    """Free space where runs will be kept."""
    free = shutil.disk_usage(_existing(root)).free / _GIB
    return _amount("disk", free, f"{free:.1f} GiB free for {root}", _DISK, "free some, or choose another --root")


def memory() -> SystemCheck:
    """Memory that is available, or what the container's limit leaves of it."""
    available = min(_available(), _left_in_container()) / _GIB
    advice = "end something else, or give the container more; a killed run goes on where it stopped"
    return _amount("memory", available, f"{available:.1f} GiB available", _MEMORY, advice)


def _amount(name: str, value: float, found: str, bounds: tuple[float, float], advice: str) -> SystemCheck:
    """Broken under the first bound, a warning under the second."""
    broken, scarce = bounds
    state = State.BROKEN if value < broken else State.WARNING if value < scarce else State.OK
    wanted = f"a run of the demonstration's size wants {scarce:.0f} GiB: {advice}"
    return SystemCheck(name=name, state=state, found=found, advice="" if state is State.OK else wanted)


def _existing(path: Path) -> Path:
    return next(each for each in (path.absolute(), *path.absolute().parents) if each.exists())


def _available() -> float:
    lines = dict(line.split(":") for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines())
    return float(lines["MemAvailable"].split()[0]) * 1024


def _left_in_container() -> float:
    """Bytes between the limit of this control group (version 2) and what it uses."""
    limit, used = (Path("/sys/fs/cgroup") / name for name in ("memory.max", "memory.current"))
    if not limit.is_file() or (text := limit.read_text().strip()) == "max":
        return float("inf")
    return float(text) - float(used.read_text())


def folder(root: Path) -> SystemCheck:
    """Runs lock a file and keep their metadata in SQLite, which not every network disk can."""
    parent = _existing(root)
    try:
        with tempfile.TemporaryDirectory(dir=parent, prefix=".crosskd-doctor-") as trial:
            with sqlite3.connect(Path(trial) / "metadata.sqlite") as database:
                database.execute("CREATE TABLE trial (number INTEGER)")
            database.close()
    except (OSError, sqlite3.Error) as error:
        advice = "see who owns it (`ls -ld`), or choose a --root on a local disk: SQLite locks files"
        return SystemCheck(name="folder", state=State.BROKEN, found=f"{parent}: {error}", advice=advice)
    return SystemCheck(name="folder", state=State.OK, found=f"{parent} can be written to, and holds SQLite databases")


def beam(python: str = sys.executable) -> SystemCheck:
    """TensorFlow's libraries load, and Beam runs in memory without the network, in a process of its own."""
    name = "Beam without network"
    done = subprocess.run(
        [python, "-P", "-m", "crosskd.beam_trial"], capture_output=True, text=True, check=False, timeout=_BEAM_SECONDS
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        advice = "see it whole with `python -m crosskd.beam_trial`; if an import failed, `make clean setup`"
        return SystemCheck(name=name, state=State.BROKEN, found=last, advice=advice)
    took = json.loads(done.stdout.splitlines()[-1])
    found = (
        f"libraries loaded in {took['imported']} s; a pipeline ran in {took['ran']} s and reached for no other machine"
    )
    return SystemCheck(name=name, state=State.OK, found=found)
