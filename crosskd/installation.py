"""What is installed here: this project's packages, who else claims their names, and what they run on.

The names of the packages (`schema`, `pipeline`, `models`, ...) are also those of packages in the
index: installing one of these overwrites ours without a word, and a folder on PYTHONPATH takes their
place.  Nothing but the standard library is imported, and none of the packages: this is for
environments that are incomplete or mixed up, and runs at the start of every command.
"""

from __future__ import annotations

import base64
import csv
import functools
import hashlib
import importlib.metadata
import importlib.util
import re
import shlex
import sys
from collections.abc import Iterator
from importlib.machinery import ModuleSpec
from importlib.metadata import Distribution
from pathlib import Path

from crosskd import stacks

NAME = "crosskd"
# What to do about an intruder.
ADVICE = (
    "Take the other one away (`pip uninstall`, or off PYTHONPATH) and install crosskd again, "
    "or give crosskd an environment of its own."
)
_HERE = Path(__file__).parent
# Where all packages lie: the checkout, or the environment's site-packages.
_HOME = _HERE.parent
_PINNED = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([^\s;\\]+)", re.M)


def packages() -> list[str]:
    """The names of this project's packages, as setup.py found them when it was installed."""
    return (_ours().read_text("top_level.txt") or "").split()


def version() -> str:
    """The version of crosskd that is installed."""
    return _ours().version


@functools.cache
def _ours() -> Distribution:
    """What was installed; a checkout in the working directory may also hold metadata of an older build."""
    return next(each for each in importlib.metadata.distributions(name=NAME) if each.read_text("RECORD") is not None)


def intruders() -> list[str]:
    """A sentence for each package of this project that is not, or not wholly, its own; some milliseconds."""
    elsewhere = {name: said for name in packages() if (said := _from_elsewhere(name))}
    return [*elsewhere.values(), *_damaged(set(packages()) - set(elsewhere))]


def _from_elsewhere(name: str) -> str | None:
    """Says what Python would import as `name`, if that is not this project's package."""
    spec = importlib.util.find_spec(name)
    if spec is None:
        return f"the package `{name}` is gone, as after another distribution was uninstalled; it lay in {_HOME / name}"
    found, own = _place(spec), _HOME / name
    if own.is_dir() and (found if found.is_dir() else found.parent).samefile(own):
        return None
    owners = [*_owners([f"{name}.py"], found.parent), *_owners([f"{name}/__init__.py"], found.parent.parent)]
    by = f" (installed by {' and '.join(owners)})" if owners else ""
    return f"`{name}` is imported from {found}{by}, not from {own}"


def _place(spec: ModuleSpec) -> Path:
    """The file of a module, or the folder of a package that has no `__init__.py`."""
    folders = list(spec.submodule_search_locations or [])
    return Path(spec.origin or (folders[0] if folders else "nowhere"))


def _damaged(names: set[str]) -> Iterator[str]:
    """Says which installed files of the packages `names` another distribution removed or overwrote.

    A file that somebody edited by hand is nobody else's, and is let pass.  In editable mode the
    files lie in the checkout, where no installer writes.
    """
    gone, changed = [], []
    for file, recorded in _installed_files(names):
        path = _HOME / file
        if not path.is_file():
            gone.append(file)
        elif _sha256(path) != recorded:
            changed.append(file)
    if gone:
        yield f"{_some(gone)} of crosskd are gone, as after another distribution was uninstalled"
    for owner, files in (_owners(changed, _HOME) if changed else {}).items():
        yield f"{_some(files)} of crosskd were overwritten by {owner}"


def _installed_files(names: set[str]) -> Iterator[tuple[str, str]]:
    """The files of the packages `names` that were installed with a hash, and it; compiled files have none."""
    for file, recorded, _size in csv.reader((_ours().read_text("RECORD") or "").splitlines()):
        if recorded and file.partition("/")[0] in names:
            yield file, recorded


def _sha256(path: Path) -> str:
    """The hash of a file as an installer records it."""
    digest = hashlib.sha256(path.read_bytes()).digest()
    return "sha256=" + base64.urlsafe_b64encode(digest).decode("ascii").rstrip("=")


def _owners(files: list[str], folder: Path) -> dict[str, list[str]]:
    """The other distributions that list some of `files` as installed by them into `folder`, and which."""
    owners = {}
    for each in importlib.metadata.distributions():
        record = "\n" + (each.read_text("RECORD") or "")
        listed = [file for file in files if f"\n{file}," in record]
        if listed and each.metadata["Name"] != NAME and Path(str(each.locate_file(""))).samefile(folder):
            owners[f"the distribution {each.metadata['Name']} {each.version}"] = listed
    return owners


def _some(files: list[str]) -> str:
    return ", ".join(files[:3]) + (f" and {len(files) - 3} more files" if len(files) > 3 else "")


def requirements() -> Path:
    """The pinned requirements that fit here: a wheel brings its own, a checkout has them beside the packages.

    Raises:
      UnfitError: Nothing is pinned for this Python on this system.
    """
    file = stacks.choose(stacks.here()).file("base")
    shipped = _HERE / file
    return shipped if shipped.is_file() else _HOME / file


def pinned(requirements: Path) -> dict[str, str]:
    """The version of each package that a file of pinned requirements names."""
    return dict(_PINNED.findall(requirements.read_text(encoding="utf-8")))


def installed(package: str) -> str | None:
    """The version of a package that is installed here; None where it is absent."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def absent() -> list[str]:
    """The names of the pinned requirements that are not installed here."""
    return [package for package in pinned(requirements()) if installed(package) is None]


def install_command() -> str:
    """The command that installs the pinned requirements into this environment."""
    python = shlex.quote(sys.executable)
    pip = f"{python} -m pip install" if importlib.util.find_spec("pip") else f"uv pip install --python {python}"
    return f"{pip} --no-deps --require-hashes -r {shlex.quote(str(requirements()))}"
