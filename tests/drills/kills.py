"""Kills runs, pushes and rollbacks at random moments, and looks at what a model server saw.

    python -m tests.drills.kills FOLDER --kills 200 --minutes 4 --json OUT

One root lives through all of it, on a small disk of its own where one can be mounted.  A round is one
command that must add exactly one version (a `crosskd run` with another seed, or a `crosskd rollback`);
it is given again and again, and killed each time at a random moment and in a random way, until it is
let through.  All the while a watcher copies each version as soon as it can be seen.  After each round:
one version more, the right model serves, the right models are marked as rolled back, and everything
that was ever seen is whole and loads.

With `--stock`, versions are published before, and only rollbacks are killed, which take a second each.
The driver goes on in FOLDER where it was stopped, after `--minutes`; the counts are in OUT.
"""

from __future__ import annotations

import json
import random
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated

import typer

from tests import forked
from tests.crosskd.pushes import keep_metadata, push
from tests.drills.killing import FULL_DISK, LARGE, WAYS, Attempt, SmallDisk, attempt
from tests.drills.watching import Seen, Watcher, check_loads, check_root
from tests.e2e import library

_RUN_KILLS, _ROLLBACK_KILLS = 10, 10
_LET_THROUGH = "let through"
# Where the disk is full: at the start, as soon as a node is at work, or as soon as a rollback is.
_PLACES = (
    *("the start", "RawStatistics", "TeacherLabeler", "Transform"),
    *("Trainer.student", "Trainer.control", "Evaluator"),
    *("ServingValidator", "BlessingGate", "Pusher", "EvaluationReport"),
)
_SURFACE = (
    library.SURFACE.replace(
        "at_least: 0.6, vs_last_blessed: {at_least: -0.02}, vs_control: {at_least: -0.05}", "at_least: 0.1"
    )
    .replace("at_least: 0.55, min_examples: 50, min_positives: 10", "at_least: 0.1, may_be_unjudged: true")
    .replace("at_least: 0.4", "at_least: 0.1")
    .replace("training: {epochs: 4,", "training: {seed: SEED, epochs: 1,")
)


@dataclass
class Story:
    """What happened so far; kept in FOLDER between two calls.

    Attributes:
      seed: Of the next run's training.
      rounds: Rounds by command.
      ways: Attempts by command and the way in which they ended.
      served: The versions that serve, or would after rollbacks, the newest last.
      versions: How many versions there are.
      rejected: Versions whose models must be marked as rolled back.
      loaded: Versions that a server could see, and that were loaded.
      full: Places at which the disk was full.
      pending: The command that was not let through yet.
      took: Seconds that each command took when it was let through, at best.
      stocked: Whether versions were published before, and only rollbacks are killed.
    """

    seed: int = 0
    rounds: dict[str, int] = field(default_factory=dict)
    ways: dict[str, int] = field(default_factory=dict)
    served: list[int] = field(default_factory=list)
    versions: int = 0
    rejected: list[int] = field(default_factory=list)
    loaded: int = 0
    full: list[str] = field(default_factory=list)
    pending: str = ""
    took: dict[str, float] = field(default_factory=dict)
    stocked: bool = False

    @property
    def kills(self) -> int:
        """Attempts that were ended by force, full disks not counted."""
        return sum(count for way, count in self.ways.items() if not way.endswith((_LET_THROUGH, FULL_DISK)))

    def count(self, command: str, way: str) -> None:
        name = f"{command}: {way}"
        self.ways[name] = self.ways.get(name, 0) + 1


class Drill:
    """A root, and the commands that are killed in it."""

    def __init__(self, folder: Path, seed: int, stock: int = 0):
        self.folder = folder
        self.disk = SmallDisk(folder / "disk")
        self.root = self.disk.folder / "root"
        self.story = Story(**json.loads(self._file.read_text())) if self._file.exists() else Story()
        self.random = random.Random(seed + self.story.kills)
        self.seen = Seen(folder / "seen")
        if stock and not self.story.versions:
            check_loads([], fill_with_versions, self.root, stock)
            self.story.served = check_root(self.root, self.seen).versions
            self.story.versions, self.story.stocked = stock, True
            self.keep()
        if not stock and not (folder / "examples").exists():
            library.write_examples(folder / "examples", sizes=(400, 300))
            check_loads([], library.write_teacher, folder / "teacher")
        forked.start_server()

    @property
    def _file(self) -> Path:
        return self.folder / "story.json"

    def keep(self) -> None:
        self._file.write_text(json.dumps(asdict(self.story), indent=2))

    def round(self, kills: int | None = None) -> None:
        """One command that adds one version, killed on its way `kills` times."""
        command = self.story.pending or self._choose()
        self.story.pending = command
        self.keep()
        most = kills if kills is not None else _RUN_KILLS if command == "run" else _ROLLBACK_KILLS
        with Watcher(self.root / "serving" / "library", self.seen):
            for _ in range(most):
                if self._killed(command):
                    break
            else:
                self._expect(attempt(self.arguments(command), self.root, self.disk, None, 0.0), command)
        self._settle(command)

    @property
    def is_exhausted(self) -> bool:
        """Whether no version is left to roll back to, and no run is to make another."""
        return self.story.stocked and not self.story.pending and len(self.story.served) < 2

    def _choose(self) -> str:
        if len(self.story.served) > 1 and (self.story.stocked or self.random.random() < 0.5):
            return "rollback"
        self.story.seed += 1
        return "run"

    def _killed(self, command: str) -> bool:
        """Whether the command came through although it was to be killed."""
        way, trigger, delay = self._plan(command)
        done = attempt(self.arguments(command), self.root, self.disk, (way, trigger), delay)
        if done.finished:
            # It may have been killed after it had said that it was done.
            self.story.count(command, _LET_THROUGH if done.code == 0 else way)
            self._note_time(done, command)
            return True
        self.story.count(command, way)
        if way == FULL_DISK:
            if done.code not in (1, 2) or "Traceback" in done.said or "error:" not in done.said:
                raise RuntimeError(f"{command}: a full disk at {trigger}: exit code {done.code}, {done.said[-2000:]}")
            self.story.full.append(f"{command}: {trigger}")
        check_root(self.root, self.seen)
        self.keep()
        return False

    def _plan(self, command: str) -> tuple[str, str, float]:
        """In which way, after which node was begun, and how many seconds later."""
        left = [place for place in _PLACES if f"{command}: {place}" not in self.story.full]
        if command == "rollback":
            left = [place for place in ("the start", "the intent") if f"{command}: {place}" not in self.story.full]
            if self.disk.mounted and left and self.random.random() < 0.3:
                return FULL_DISK, left[0], 0.0
            most = self.story.took.get(command, 1.0)
            if self.random.random() < 0.5:
                return self.random.choice(WAYS), "the intent", self.random.uniform(0, most / 2)
            return self.random.choice(WAYS), "the start", self.random.uniform(0, most)
        if self.disk.mounted and left and self.random.random() < 0.25:
            return FULL_DISK, left[0], 0.0
        if self.random.random() < 0.5:
            return self.random.choice(WAYS), "Pusher", self.random.uniform(0, 0.8)
        return self.random.choice(WAYS), "the start", self.random.uniform(0, LARGE)

    def arguments(self, command: str) -> list[str]:
        """A command, as it is given each time."""
        if command == "rollback":
            return ["rollback", "--root", str(self.root)]
        surface = self.folder / "surface"
        if not surface.exists():
            library.write_surface(surface)
        (surface / "surface.yaml").write_text(_SURFACE.replace("SEED", str(self.story.seed)))
        folders = {"surface": surface, "examples": self.folder / "examples", "teacher": self.folder / "teacher"}
        return [
            "run",
            *(word for name, path in folders.items() for word in (f"--{name}", str(path))),
            "--root",
            str(self.root),
        ]

    def _expect(self, done: Attempt, command: str) -> None:
        if done.code != 0:
            raise RuntimeError(f"{command}: it was let through, and ended with {done.code}: {done.said[-3000:]}")
        self.story.count(command, _LET_THROUGH)
        self._note_time(done, command)

    def _note_time(self, done: Attempt, command: str) -> None:
        self.story.took[command] = min(done.seconds, self.story.took.get(command, done.seconds))

    def _settle(self, command: str) -> None:
        """What the command must have come to; what was seen on the way must load."""
        story = self.story
        if command == "rollback":
            story.rejected.append(story.served.pop())
        found = check_root(self.root, self.seen)
        if len(found.versions) != story.versions + 1:
            raise RuntimeError(f"{command}: expected {story.versions + 1} versions, found {found.versions}")
        story.versions += 1
        if command == "run":
            if found.model != found.student:
                raise RuntimeError(f"run: {found.model} serves, the newest student is {found.student}")
            story.served.append(found.versions[-1])
        elif found.restores != story.served[-1]:
            raise RuntimeError(f"rollback: expected version {story.served[-1]} to be restored, found {found.restores}")
        if found.marked != sorted(found.models[version] for version in story.rejected):
            raise RuntimeError(f"{command}: marked as rolled back: {found.marked}, expected those of {story.rejected}")
        story.rounds[command] = story.rounds.get(command, 0) + 1
        story.pending = ""
        self.keep()

    def load_what_was_seen(self) -> None:
        """Loads every version that a server could see, as a server does."""
        self.story.loaded += check_loads(self.seen.take())
        self.keep()


def fill_with_versions(root: Path, count: int) -> None:
    """Publishes versions, the first of which cannot be rolled back, under metadata that know their models."""
    names = [f"model-{number}" for number in range(count)]
    for name in names:
        push(root, name, surface="library")
    keep_metadata(root, *names)


def main(
    folder: Annotated[Path, typer.Argument(help="Where all of it happens; given again, it goes on there.")],
    kills: Annotated[int, typer.Option(min=1, help="Kills in all.")] = 200,
    minutes: Annotated[float, typer.Option(help="No round is begun after so many minutes.")] = 60.0,
    seed: Annotated[int, typer.Option(help="Of everything drawn.")] = 0,
    stock: Annotated[int, typer.Option(min=0, help="Versions to publish before; then only rollbacks are killed.")] = 0,
    out: Annotated[Path | None, typer.Option("--json", help="Where the counts go.")] = None,
) -> None:
    """Kill, repeat, and look."""
    folder.mkdir(parents=True, exist_ok=True)
    drill, ends = Drill(folder.resolve(), seed, stock), time.monotonic() + 60 * minutes
    while drill.story.kills < kills and time.monotonic() < ends and not drill.is_exhausted:
        drill.round()
        print(f"{drill.story.kills} kills, {drill.story.rounds}", flush=True)
    drill.load_what_was_seen()
    figures = {"kills": drill.story.kills, **asdict(drill.story), "small_disk": drill.disk.mounted}
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(json.dumps(figures, indent=2) + "\n")
    print(json.dumps(figures))


if __name__ == "__main__":
    typer.run(main)
