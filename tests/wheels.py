"""The wheel as users get it, and environments to install it into."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

PROJECT = Path(__file__).parent.parent
UV = Path(sys.executable).parent / "uv"
_LEFT_OUT = shutil.ignore_patterns(".*", "__pycache__", "*.egg-info", "build", "dist", "runs", "tests", "docs")


def build(folder: Path) -> Path:
    """What `make wheel` builds, of a copy: two builds in one folder would write the same files.

    Args:
      folder: An empty folder for the copy and the wheel.
    """
    copied = shutil.copytree(PROJECT, folder / "project", ignore=_LEFT_OUT)
    arguments = ("--old-file=setup", "wheel", f"VENV={sys.prefix}", f"DIST={folder}")
    subprocess.run(["make", *arguments], cwd=copied, check=True, capture_output=True, timeout=120)
    return next(folder.glob("*.whl"))


def environment(folder: Path, *options: str) -> Path:
    """Makes a virtual environment with nothing in it; the folder of its programs."""
    subprocess.run([sys.executable, "-m", "venv", *options, folder], check=True, timeout=120)
    return folder / "bin"


def site_packages(programs: Path) -> Path:
    """Where the environment with these programs keeps its packages."""
    (folder,) = programs.parent.glob("lib/python3.*/site-packages")
    return folder


def install(programs: Path, *arguments: str | Path) -> None:
    """Installs files and what is pinned: out of the cache that `make setup` filled, or else from the index."""
    command = [UV, "pip", "install", "--quiet", "--python", programs / "python", "--no-deps", *arguments]
    cached = subprocess.run([*command, "--offline"], capture_output=True, timeout=600)
    if cached.returncode:
        subprocess.run(command, check=True, timeout=600)


def lend_bytecode(programs: Path) -> None:
    """Gives an environment what Python compiled of the same files for the tests' own, which takes it half a minute.

    Python looks whether it belongs to the source, by time and size, and else compiles that anew.
    """
    own, other = Path(sysconfig.get_path("purelib")), site_packages(programs)
    for compiled in own.rglob("__pycache__/*.pyc"):
        place = other / compiled.relative_to(own)
        if place.parents[1].is_dir() and not place.exists():
            place.parent.mkdir(exist_ok=True)
            try:
                place.hardlink_to(compiled)  # Python replaces such files, and never writes into them.
            except OSError:  # another disk
                shutil.copyfile(compiled, place)


def run(programs: Path, *arguments: str | Path, cwd: Path, timeout: float = 120) -> subprocess.CompletedProcess[str]:
    """Runs a program of an environment where no checkout is, nor what one adds to the search path."""
    command = [programs / arguments[0], *arguments[1:]]
    others = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.run(command, cwd=cwd, env=others, capture_output=True, text=True, timeout=timeout)
