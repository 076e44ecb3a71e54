"""A root in which two students were pushed, as it is when the second one was trained and is not served yet."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import yaml

from records.versions import Versions
from schema.loader import SCHEMA_FILE, SURFACE_FILE

SURFACE = "homepage"


@dataclass(frozen=True)
class World:
    """The folder of everything.

    Attributes:
      folder: Where the demonstration's world and teacher lie, and its root.
    """

    folder: Path

    @property
    def root(self) -> Path:
        """The root of both runs."""
        return self.folder / SURFACE

    @property
    def versions(self) -> Versions:
        """What is served of it."""
        return Versions(str((self.root / "serving" / SURFACE).absolute()))

    @property
    def surface(self) -> Path:
        """The surface of the second run: the first one's with another seed."""
        return self.folder / "other" / SURFACE

    def run(self) -> None:
        """The second run, from the command line: `crosskd run`."""
        examples = self.folder / "world" / SURFACE
        given = {"surface": self.surface, "examples": examples, "teacher": self.folder / "teacher", "root": self.root}
        crosskd("run", *(part for name, value in given.items() for part in (f"--{name}", str(value))))


def crosskd(*arguments: str) -> None:
    """A command in a process of its own.

    Raises:
      RuntimeError: It failed.
    """
    binary = Path(sys.executable).with_name("crosskd")
    done = subprocess.run([str(binary), *arguments], capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"crosskd {' '.join(arguments)} ended with {done.returncode}:\n{done.stderr[-2000:]}")


def prepare(folder: Path) -> World:
    """Runs the pipeline twice, once; later calls put the root back as it was then.

    The version that the second run pushed is taken away: the same run again finds everything in the
    cache and pushes it anew, which is what a server then sees of the end of any run.

    Raises:
      RuntimeError: A run failed, or did not push.
    """
    world, kept = World(folder), folder / "prepared"
    if not kept.is_dir():
        shutil.rmtree(world.root, ignore_errors=True)
        crosskd("demo", "--out", str(folder), "--surface", SURFACE)
        _write_other_surface(world)
        world.run()
        if len(world.versions.versions()) != 2:
            raise RuntimeError(f"{world.versions.base}: expected two versions, found {world.versions.versions()}")
        shutil.copytree(world.root, folder / "prepared.part")
        (folder / "prepared.part").rename(kept)
    shutil.rmtree(world.root, ignore_errors=True)
    shutil.copytree(kept, world.root)
    shutil.rmtree(world.versions.path(world.versions.versions()[-1]))
    return world


def _write_other_surface(world: World) -> None:
    source = world.folder / "world" / SURFACE
    world.surface.mkdir(parents=True, exist_ok=True)
    shutil.copy(source / SCHEMA_FILE, world.surface)
    content = yaml.safe_load((source / SURFACE_FILE).read_text(encoding="utf-8"))
    content["training"]["seed"] += 1
    (world.surface / SURFACE_FILE).write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
