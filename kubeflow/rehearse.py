"""Executes the Dockerfile's lines without Docker, and starts what they make as a container would.

COPY and RUN of the build stage are executed in a folder of their own, with the image's paths
inside of it.  Then the environment is made read-only and the entry point is started in it by
the image's user, in the image's variables.  It prints the size of what the last stage copies.

It needs the package registry, root to become the image's user, and a Python that this user can read,
in place of the image's, with what compiles one of the packages (Debian: g++, python3.11-dev).

    python kubeflow/rehearse.py --into /tmp/image --python /usr/bin/python3.11
"""

from __future__ import annotations

import argparse
import fnmatch
import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
DOCKERFILE = PROJECT / "kubeflow" / "Dockerfile"
_INSIDE = ("/opt/crosskd", "/build")


@dataclass(frozen=True)
class Instruction:
    """One instruction of a Dockerfile: its word, and the rest of it in one line."""

    word: str
    rest: str


def read_stages(text: str) -> list[list[Instruction]]:
    """The instructions of each stage, in order."""
    lines = "\n".join(line for line in text.splitlines() if not line.startswith("#")).replace("\\\n", " ")
    stages: list[list[Instruction]] = []
    for line in filter(None, map(str.strip, lines.splitlines())):
        word, _, rest = line.partition(" ")
        if word == "FROM":
            stages.append([])
        if stages:
            stages[-1].append(Instruction(word, " ".join(rest.split())))
    return stages


def environment_of(stage: list[Instruction]) -> dict[str, str]:
    """The variables that a stage sets."""
    words = [word for each in stage if each.word == "ENV" for word in shlex.split(each.rest)]
    return dict(word.split("=", 1) for word in words)


def one(stage: list[Instruction], word: str) -> str:
    """The rest of a stage's only instruction of this word."""
    (found,) = [each.rest for each in stage if each.word == word]
    return found


def build(stage: list[Instruction], root: Path, python: str) -> None:
    """Executes a build stage under `root`, with `python` for the image's."""
    work = root / one(stage, "WORKDIR").lstrip("/")
    work.mkdir(parents=True)
    kept = set(kept_files())
    for each in stage:
        if each.word == "COPY":
            *sources, target = each.rest.split()
            for source in sources:
                _copy(source, work / target, is_folder=target.endswith("/"), kept=kept)
        elif each.word == "RUN":
            print(f"RUN {each.rest}", flush=True)
            subprocess.run(["/bin/sh", "-ec", inside(each.rest, root, python)], cwd=work, env=_clean(), check=True)


def kept_files() -> Iterator[Path]:
    """Tracked and new files that .dockerignore lets through, relative to the project."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in listed.stdout.splitlines():
        if (PROJECT / name).is_file() and not is_ignored(name):
            yield Path(name)


def is_ignored(name: str) -> bool:
    """Whether .dockerignore keeps a file out: the last pattern that fits says."""
    ignored = False
    for line in (PROJECT / ".dockerignore").read_text().splitlines():
        pattern = line.removeprefix("!").removeprefix("**/")
        if not pattern or line.startswith("#"):
            continue
        parents = [name, *map(str, Path(name).parents)]
        tails = [Path(each).name for each in parents] if "**/" in line else parents
        if any(fnmatch.fnmatch(each, pattern) for each in tails):
            ignored = not line.startswith("!")
    return ignored


def inside(line: str, root: Path, python: str = "python") -> str:
    """A shell line with the image's paths under `root`, and `python` for the image's."""
    for path in _INSIDE:
        line = line.replace(path, str(root / path.lstrip("/")))
    parts = [part.strip() for part in line.split("&&")]
    return " && ".join(python + part.removeprefix("python") if part.startswith("python ") else part for part in parts)


def start(stage: list[Instruction], root: Path, arguments: list[str]) -> subprocess.CompletedProcess[str]:
    """Starts the entry point as the image would: its user, variables and folder, nothing writable but /tmp."""
    user, group = map(int, one(stage, "USER").split(":"))
    command = json.loads(one(stage, "ENTRYPOINT"))
    variables = environment_of(stage)
    variables["PATH"] = inside(variables["PATH"], root).replace("$PATH", "/usr/bin:/bin")
    command[0] = str(root / "opt/crosskd/bin" / command[0])
    return subprocess.run(
        [*command, *arguments],
        user=user,
        group=group,
        extra_groups=[],
        cwd=one(stage, "WORKDIR"),
        env=variables,
        capture_output=True,
        text=True,
        check=False,
    )


def megabytes(folder: Path) -> float:
    """The size of all files under a folder."""
    return sum(each.lstat().st_size for each in folder.rglob("*") if not each.is_dir()) / 1e6


def _copy(source: str, target: Path, *, is_folder: bool, kept: set[Path]) -> None:
    files = [each for each in kept if each == Path(source) or Path(source) in each.parents]
    if not files:
        raise SystemExit(f"COPY {source}: nothing of it is in the build; see .dockerignore")
    for file in files:
        is_tree = file != Path(source)
        to = target / file.relative_to(source) if is_tree else (target / file.name if is_folder else target)
        if to.is_dir():
            to = to / file.name
        to.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(PROJECT / file, to)


def _clean() -> dict[str, str]:
    """The variables of a fresh container, and how to reach the package registry."""
    kept = ("PIP_", "UV_", "SSL_CERT", "HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy")
    registry = {name: value for name, value in os.environ.items() if name.startswith(kept)}
    return {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": "/root", "LANG": "C.UTF-8", **registry}


def main() -> None:
    """Builds, starts and measures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--into", type=Path, required=True, help="An empty folder for the image's files.")
    parser.add_argument("--python", default=sys.executable, help="A Python in place of the image's.")
    arguments = parser.parse_args()
    root = arguments.into.resolve()
    first, last = read_stages(DOCKERFILE.read_text())
    build(first, root, arguments.python)
    image = root / "opt/crosskd"
    subprocess.run(["chmod", "-R", "a-w,a+rX", str(image)], check=True)
    started = start(last, root, ["--help"])
    if started.returncode:
        raise SystemExit(f"the entry point ended with {started.returncode}:\n{started.stderr[-3000:]}")
    print(f"the entry point starts as {one(last, 'USER')}; {image}: {megabytes(image):,.0f} MB")


if __name__ == "__main__":
    main()
