"""The simulated two-surface world, the data set that runs with nothing to download.

Two products with the same people: ``video``, the data-rich source, and music, the target,
with the surfaces ``homepage`` and ``radio``.  It shows that the method *can* work and that
the machinery measures it; it is no proof that it works on anyone's data.  The specification
is ``worlds/simulated.md``.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

import schema
from schema.errors import InputError
from schema.loader import SCHEMA_FILE, SURFACE_FILE
from schema.surface import EVAL_SPLIT, TRAIN_SPLIT
from worlds import outcomes
from worlds.impressions import DAYS_PER_UNIT, POSITIONS, REFRESH, Impressions, draw_users, recommend, show
from worlds.population import DIMENSIONS, Floats, Items, People, Product, draw_items, draw_people
from worlds.records import ORIGIN_FILE, Columns, Domain, ExampleColumn, write_domain

VIDEO = "video"
HOMEPAGE = "homepage"
RADIO = "radio"

TRAIN_TIMES = (0.0, 1.0)  # Impressions: "t in [0, 1] for training"
EVAL_TIMES = (1.0, 1.1)  # Impressions: "[1, 1.1] for evaluation"
AGE_SCALE = 50  # Context: "item age log1p(50 age)"
EPOCH = 1_704_067_200  # Time 0 as a timestamp: 2024-01-01, 00:00 UTC
SECONDS_PER_DAY = 86_400


@dataclass(frozen=True)
class Sizes:
    """How much of everything there is.

    Attributes:
      source_train: Training impressions of video.
      source_eval: Evaluation impressions of video.
      target_train: Training impressions of homepage, and as many of radio.
      target_eval: Evaluation impressions of each of the two.
      people: All people.
      music_people: Those of them who use music.
      videos: Items that only video has.
      music_items: Items that both products have.
      teacher_embedding: Width of the ids' embeddings in ``video/surface.yaml``; None keeps
        what the shipped file says.
      teacher_trunk: Trunk of the model in ``video/surface.yaml``; None keeps the shipped one.
    """

    source_train: int = 300_000
    source_eval: int = 20_000
    target_train: int = 15_000
    target_eval: int = 40_000
    people: int = 20_000
    music_people: int = 2_500
    videos: int = 12_000
    music_items: int = 3_000
    teacher_embedding: int | None = None
    teacher_trunk: tuple[int, ...] | None = None


SIZES = {
    # For trying things out: seconds, and too little to show what distillation does.
    "tiny": Sizes(6_000, 1_500, 1_500, 1_500, people=400, music_people=100, videos=300, music_items=100),
    "small": Sizes(),
    # 100 source rows for each target training row, and a teacher of 150 times the student's
    # parameters: the proportions of the case study.
    "paper": Sizes(source_train=1_500_000, teacher_embedding=256, teacher_trunk=(512, 256)),
}


@dataclass(frozen=True)
class World:
    """The people and items, with the latents that decide what happens.

    Attributes:
      people: Everyone.
      items: Everything.
      refresh: How often the legacy recommender's table of ages is made anew, in years.
    """

    people: People
    items: Items
    refresh: float = REFRESH


def draw_world(sizes: Sizes, rng: np.random.Generator) -> World:
    """Draws people and items; the same generator state gives the same world."""
    people = draw_people(sizes.people, sizes.music_people, rng)
    return World(people, draw_items(sizes.videos, sizes.music_items, rng))


def draw_impressions(
    world: World, product: Product, count: int, times: tuple[float, float], rng: np.random.Generator
) -> Impressions:
    """Draws `count` impressions of the legacy recommender, uniformly over `times`."""
    when = rng.uniform(*times, size=count)
    users = draw_users(world.people, product, count, rng)
    shown = recommend(world.people, world.items, product, users, when, rng, world.refresh)
    position = rng.integers(0, POSITIONS, count)
    return show(world.people, world.items, product, users, shown, when, position, rng)


def features(world: World, shown: Impressions) -> dict[str, ExampleColumn]:
    """What the models of the product see of impressions, and the columns to slice by.

    The two products call what they know of a person differently, as two teams would:
    ``user_profile_video`` with ``profile_match``, ``user_profile_music`` with
    ``music_profile_match``.
    """
    people, items = world.people, world.items
    content = items.content[shown.items]
    columns = {
        "user_id": _integers(shown.users),
        "item_id": _integers(shown.items),
        "item_content": _floats(content),
        "position": _integers(shown.position),
        "hour_sin": _floats(np.sin(shown.hour)),
        "hour_cos": _floats(np.cos(shown.hour)),
        "device": _integers(shown.device),
        "item_age": _floats(np.log1p(AGE_SCALE * (shown.times - items.release[shown.items]))),
        "user_activity": _floats(np.log(people.activity[shown.users])),
        "new_release": _integers(items.is_new_release[shown.items]),
        "timestamp": _integers(EPOCH + shown.times * DAYS_PER_UNIT * SECONDS_PER_DAY),
    }
    if shown.z is not None:
        profile = people.profile_video[shown.users]
        columns["user_profile_video"] = _floats(profile)
        columns["profile_match"] = _floats(_match(profile, content))
        columns |= {f"z{number}": _floats(shown.z[:, number - 1]) for number in range(1, shown.z.shape[1] + 1)}
    if shown.familiar is not None:
        profile = people.profile_music[shown.users]
        columns["user_profile_music"] = _floats(profile)
        columns["music_profile_match"] = _floats(_match(profile, content))
        columns["familiar"] = _integers(shown.familiar)
    return columns


def video_columns(world: World, count: int, times: tuple[float, float], rng: np.random.Generator) -> Columns:
    """Draws `count` examples of video; trail_engagement and continue_watching need a click."""
    shown = draw_impressions(world, Product.VIDEO, count, times, rng)
    happened = outcomes.video_outcomes(world.people, world.items, shown, rng)
    return {
        **features(world, shown),
        "click": _integers(happened.click),
        "trail_engagement": _floats(happened.trail_engagement, happened.click),
        "continue_watching": _integers(happened.continue_watching, happened.click),
    }


def homepage_columns(world: World, count: int, times: tuple[float, float], rng: np.random.Generator) -> Columns:
    """Draws `count` examples of music's home page; trail_engagement needs a click."""
    shown = draw_impressions(world, Product.MUSIC, count, times, rng)
    happened = outcomes.homepage_outcomes(world.people, world.items, shown, rng)
    return {
        **features(world, shown),
        "shelf": _integers(shown.shelf),
        "click": _integers(happened.click),
        "trail_engagement": _floats(happened.trail_engagement, happened.click),
        "discovery": _integers(happened.discovery),
    }


def radio_columns(world: World, count: int, times: tuple[float, float], rng: np.random.Generator) -> Columns:
    """Draws `count` examples of music's radio, a stream and so without shelves."""
    shown = draw_impressions(world, Product.MUSIC, count, times, rng)
    engagement = outcomes.radio_outcomes(world.people, world.items, shown, rng)
    return {**features(world, shown), "engagement": _integers(engagement)}


def draw_domains(sizes: Sizes, seed: int) -> dict[str, dict[str, Columns]]:
    """Draws the three surfaces: columns by split by surface name.

    The target surfaces come first, so that another amount of source data leaves them, the
    people and the items as they are.
    """
    rng = np.random.default_rng(seed)
    world = draw_world(sizes, rng)
    target = {TRAIN_SPLIT: (sizes.target_train, TRAIN_TIMES), EVAL_SPLIT: (sizes.target_eval, EVAL_TIMES)}
    source = {TRAIN_SPLIT: (sizes.source_train, TRAIN_TIMES), EVAL_SPLIT: (sizes.source_eval, EVAL_TIMES)}
    return {
        HOMEPAGE: {split: homepage_columns(world, *what, rng) for split, what in target.items()},
        RADIO: {split: radio_columns(world, *what, rng) for split, what in target.items()},
        VIDEO: {split: video_columns(world, *what, rng) for split, what in source.items()},
    }


def without_people(columns: Columns, people: int, part: float, seed: int) -> Columns:
    """The examples of all but a random part of the people: of the others a teacher learns nothing.

    Args:
      columns: Examples with `user_id`.
      people: How many people there are.
      part: Which part of them is left out.
      seed: Draws them, and nothing else of the world.
    """
    left_out = np.random.default_rng([seed, 1]).permutation(people)[: round(part * people)]
    kept = ~np.isin(columns["user_id"].values, left_out)
    return {
        name: replace(each, values=each.values[kept], present=None if each.present is None else each.present[kept])
        for name, each in columns.items()
    }


def write(
    out: Path, size: str | Sizes, seed: int, progress: Callable[[str], None], unknown_people: float = 0.0
) -> list[Path]:
    """Writes ``out/homepage``, ``out/radio`` and ``out/video``.

    Each holds ``train/`` and ``eval/`` and the shipped surface of the same name.

    Args:
      out: Folder for the three; made if absent.
      size: A key of `SIZES`, or sizes of one's own.
      seed: The same seed and sizes give the same bytes.
      progress: Told what was written, one line at a time.
      unknown_people: Part of all people of whom video has no examples; the targets are what they are without.

    Returns:
      The three folders.

    Raises:
      InputError: There is no such size, or a folder already holds something else.
    """
    sizes = resolve(size)
    if not 0 <= unknown_people < 1:
        raise InputError(f"part of unknown people: expected 0 or more and less than 1, found {unknown_people:g}")
    origin = {"world": "simulated", "seed": seed, "sizes": asdict(sizes)}
    origin |= {"unknown_people": unknown_people} if unknown_people else {}
    progress(f"drawing {sizes.source_train:,} source and 2 x {sizes.target_train:,} target training examples")
    domains = draw_domains(sizes, seed)
    if unknown_people:
        domains[VIDEO] = {
            split: without_people(columns, sizes.people, unknown_people, seed)
            for split, columns in domains[VIDEO].items()
        }
    return [
        write_domain(out, Domain(name, splits, *_surface_folder(name, sizes), origin=origin), progress)
        for name, splits in domains.items()
    ]


def read_world(folder: Path) -> World:
    """The people and items behind a folder that `write` made, drawn again from its record.

    Args:
      folder: One of the three surfaces' folders.

    Raises:
      InputError: The folder is not one of these.
    """
    marker = folder / ORIGIN_FILE
    if not marker.is_file():
        raise InputError(f"{folder}: expected a folder that `crosskd world simulated` wrote; it has no {ORIGIN_FILE}")
    origin = json.loads(marker.read_text(encoding="utf-8"))
    if origin.get("world") != "simulated":
        raise InputError(
            f"{marker}: expected a simulated world, whose people can be asked; found {origin.get('world')!r}"
        )
    return draw_world(Sizes(**origin["sizes"]), np.random.default_rng(origin["seed"]))


def resolve(size: str | Sizes) -> Sizes:
    """The sizes of that name.

    Raises:
      InputError: There are none.
    """
    if isinstance(size, Sizes):
        return size
    if size not in SIZES:
        raise InputError(f"world size: expected one of {', '.join(SIZES)}; found {size!r}")
    return SIZES[size]


def shipped_folder(name: str) -> tuple[str, str]:
    """The texts of the shipped surface and schema of that name."""
    folder = Path(schema.__file__).parent / name
    return tuple((folder / each).read_text(encoding="utf-8") for each in (SURFACE_FILE, SCHEMA_FILE))  # type: ignore[return-value]  # two files


def _surface_folder(name: str, sizes: Sizes) -> tuple[str, str]:
    """The texts of the shipped surface and schema, with the teacher's model as `sizes` asks."""
    surface, of_schema = shipped_folder(name)
    return _with_larger_teacher(surface, sizes) if name == VIDEO else surface, of_schema


def _with_larger_teacher(surface: str, sizes: Sizes) -> str:
    if sizes == replace(sizes, teacher_embedding=None, teacher_trunk=None):
        return surface
    content = yaml.safe_load(surface)
    if sizes.teacher_embedding is not None:
        for feature in ("user_id", "item_id"):
            content["features"][feature]["embedding"] = sizes.teacher_embedding
    if sizes.teacher_trunk is not None:
        content["model"]["trunk"] = list(sizes.teacher_trunk)
    return "# The shipped video surface, with a larger model.\n" + yaml.safe_dump(content, sort_keys=False)


def _match(profile: Floats, content: Floats) -> Floats:
    """What a product believes s to be: profile . content / sqrt(d)."""
    return np.einsum("nd,nd->n", profile, content) / np.sqrt(DIMENSIONS)


def _integers(values: NDArray[Any] | None, present: NDArray[np.bool_] | None = None) -> ExampleColumn:
    return ExampleColumn(np.asarray(values).astype(np.int64), present)


def _floats(values: Floats, present: NDArray[np.bool_] | None = None) -> ExampleColumn:
    return ExampleColumn(values.astype(np.float32), present)
