"""Which pinned requirements fit an interpreter and its C library.

`make setup` and the image run this file with the bare interpreter, before anything is installed.
So it uses the standard library alone, and syntax that Python 3.6 reads: an interpreter that is
too old gets the message as well.

    python3 -I crosskd/stacks.py dev       # prints requirements/dev.txt, or what fits instead
    python3 -I crosskd/stacks.py compiler  # says what is missing to compile the one package without a wheel
"""

import os
import platform
import shutil
import sys
import sysconfig
from typing import NamedTuple

_COMPILED = "pyfarmhash, which TFDV imports, has no wheel for Linux and is compiled"


class UnfitError(Exception):
    """There are no pinned requirements for this system or interpreter; the message says what would do."""


class Stack(NamedTuple):
    """Versions that were resolved and tested together.

    Attributes:
      minor: The minor version of Python 3 that it is for.
      glibc: The oldest C library that its wheels ask for.
      systems: The first systems that have it, by name.
      suffix: What its files are called: `requirements/base<suffix>.txt`.
    """

    minor: int
    glibc: "tuple[int, int]"
    systems: str
    suffix: str

    def file(self, kind: str) -> str:
        """The file of pinned requirements, relative to the checkout: `base` for running, `dev` for testing as well."""
        return f"requirements/{kind}{self.suffix}.txt"


STACKS = (
    Stack(11, (2, 28), "Debian 10, Ubuntu 20.04, RHEL 8", ""),
    Stack(12, (2, 39), "Debian 13, Ubuntu 24.04", "-py312"),
    Stack(13, (2, 39), "Debian 13, Ubuntu 24.04", "-py313"),
)


class System(NamedTuple):
    """What wheels are chosen by.

    Attributes:
      python: Major and minor version of the interpreter.
      libc: Name and version of the C library, both empty where it is not glibc.
      kind: Operating system and machine, as `platform` names them.
    """

    python: "tuple[int, int]"
    libc: "tuple[str, str]"
    kind: "tuple[str, str]"


def here() -> System:
    """This interpreter's system."""
    return System((sys.version_info[0], sys.version_info[1]), _libc(), (platform.system(), platform.machine()))


def _libc() -> "tuple[str, str]":
    """Asks the C library: before Python 3.8 `platform.libc_ver` reads what the interpreter was built for."""
    try:
        name, version = (os.confstr("CS_GNU_LIBC_VERSION") or "").split()
    except (AttributeError, ValueError):  # another system, or another C library
        return "", ""
    return name, version


def choose(system: System) -> Stack:
    """The stack that fits a system.

    Raises:
      UnfitError: No stack does; the message names interpreters that would do on this system.
    """
    if system.kind != ("Linux", "x86_64") or system.libc[0] != "glibc":
        found = " ".join((*system.kind, system.libc[0] or "without glibc"))
        raise UnfitError(f"TFX has wheels for Linux on x86_64 with glibc alone, and this is {found}: take a container")
    glibc = tuple(int(part) for part in system.libc[1].split(".")[:2])
    fitting = [each for each in STACKS if each.glibc <= glibc]
    for each in fitting:
        if system.python == (3, each.minor):
            return each
    major, minor = system.python
    advice = _interpreters(fitting) if fitting else "no interpreter would do here: take a newer system"
    raise UnfitError(
        f"nothing is pinned for Python {major}.{minor} on glibc {system.libc[1]}; {advice}. "
        f"Pinned are {'; '.join(map(_described, STACKS))}"
    )


def missing_for_compiling() -> "list[str]":
    """What is not here of a C++ compiler and this interpreter's headers, with a package that brings it."""
    compiler = (os.environ.get("CXX") or sysconfig.get_config_var("CXX") or "c++").split()[0]
    headers = os.path.join(sysconfig.get_paths()["include"], "Python.h")  # noqa: PTH118 - as old interpreters have it
    missing = []
    if shutil.which(compiler) is None:
        missing.append(f"the compiler {compiler} (Debian: g++)")
    if not os.path.isfile(headers):  # noqa: PTH113 - the same
        missing.append(f"{headers} (Debian: python3.{sys.version_info[1]}-dev)")
    return missing


def main(arguments: "list[str]") -> "str | None":
    """Prints what is asked for; a text that is returned is an error."""
    if arguments == ["compiler"]:
        missing = missing_for_compiling()
        return f"crosskd: {_COMPILED}. Not here: {' and '.join(missing)}." if missing else None
    if arguments not in (["base"], ["dev"]):
        return f"usage: {sys.executable} -I crosskd/stacks.py base|dev|compiler"
    try:
        print(choose(here()).file(arguments[0]))
    except UnfitError as unfit:
        return f"crosskd: {unfit}."
    return None


def _interpreters(stacks: "list[Stack]") -> str:
    names = " or ".join(f"3.{each.minor}" for each in stacks)
    return f"Python {names} would do here: `make setup PYTHON=/path/to/python3.{stacks[0].minor}`"


def _described(stack: Stack) -> str:
    return "Python 3.{} with glibc {}.{} or newer ({})".format(stack.minor, *stack.glibc, stack.systems)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
