"""The simulated world day by day: people and items that come and go, tastes that move, one span a day.

The people, the items, what is shown and what comes of it are those of the simulated world; what
is new stands in ``worlds/simulated.md``, section Days, whose lines are in quotes beside the constants.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import yaml
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from records.spans import DEFAULT_NAME
from schema.errors import InputError
from schema.loader import SERVING
from schema.surface import EVAL_SPLIT, TRAIN_SPLIT
from worlds.impressions import DAYS_PER_UNIT
from worlds.population import (
    TASTE_CORRELATION,
    Bools,
    Floats,
    Ints,
    Items,
    People,
    Product,
    correlated,
    draw_items,
    draw_people,
)
from worlds.records import Columns, Domain, ExampleColumn, write_domain
from worlds.simulated import (
    HOMEPAGE,
    RADIO,
    VIDEO,
    World,
    homepage_columns,
    radio_columns,
    shipped_folder,
    video_columns,
)

MUSIC_TURNOVER = 0.03  # People: "each day .03 of music's people leave, and as many come"
VIDEO_TURNOVER = 0.01  # People: "and .01 of video's"
KNOWN_TO_VIDEO = 0.7  # People: ".7 of those who come to music have been in video from the start"
ITEM_TURNOVER = 0.03  # Items: "each day .03 of the items are withdrawn, and as many are released"
TASTE_PER_DAY = 0.98  # Tastes: "a of the next day is corr(a, .98)"
NEW_DAYS = 7  # Slices: "in the last 7 days"
HISTORY_DAYS = 30  # History: "the 30 days before the first"

NEW_RELEASE, NEW_PERSON = "new_release", "new_person"
_DAY = 1 / DAYS_PER_UNIT
_BEGIN = 1.0
# The day before the first span, and the span of the source that holds its history.
_HISTORY = 0
LEAST_DAYS = 2


@dataclass(frozen=True)
class DaySizes:
    """How much of everything there is.

    Attributes:
      history: Training impressions of video before the first day.
      source_train: Training impressions of video on each day.
      source_eval: Evaluation impressions of video on each day.
      target_train: Training impressions of homepage on each day, and as many of radio.
      target_eval: Evaluation impressions of each of the two.
      people: People of video alone, on any day.
      music_people: People of music.
      videos: Items that only video has.
      music_items: Items that both products have.
      teacher_embedding: Width of the ids' embeddings in ``video/surface.yaml``.
      teacher_trunk: Trunk of the model there.
      epochs: Epochs of homepage and radio.
    """

    history: int = 40_000
    source_train: int = 8_000
    source_eval: int = 1_000
    target_train: int = 2_000
    target_eval: int = 3_000
    people: int = 2_400
    music_people: int = 600
    videos: int = 1_200
    music_items: int = 600
    teacher_embedding: int = 16
    teacher_trunk: tuple[int, ...] = (128, 64)
    epochs: int = 10


SIZES = {
    # For trying things out, as everywhere.
    "tiny": DaySizes(1_500, 300, 150, 200, 150, 120, 40, 100, 40, 4, (16,), 2),
    "small": DaySizes(),
}


@dataclass(frozen=True)
class Stay:
    """From which day each person or item is there, and on which day no more.

    Attributes:
      comes: [n], the first day.
      leaves: [n], the first day after it.
    """

    comes: Ints
    leaves: Ints

    def there(self, day: int) -> Bools:
        """Who is there on a day, [n]."""
        return (self.comes <= day) & (day < self.leaves)

    def new(self, day: int) -> Bools:
        """Who came in the last days; those who were there from the start did not."""
        return (self.comes > _HISTORY) & (self.comes > day - NEW_DAYS) & (self.comes <= day)


@dataclass(frozen=True)
class Calendar:
    """Everyone and everything that is ever there.

    Attributes:
      people: With the tastes of the day before the first.
      items: Those that are released on a day of the calendar are released on the day before it, so that it shows them.
      stays: When people are in each product.
      items_stay: When items are in both.
      tastes: By day from that before the first, the tastes in each product, [people, 8].
    """

    people: People
    items: Items
    stays: Mapping[Product, Stay]
    items_stay: Stay
    tastes: tuple[Mapping[Product, Floats], ...]

    def world(self, product: Product, day: int) -> World:
        """The world of one product on a day."""
        traits = {each: replace(self.people.traits[each], taste=self.tastes[day][each]) for each in Product}
        moved = {each: self.tastes[day][each] - self.tastes[_HISTORY][each] for each in Product}
        people = replace(
            self.people,
            traits=traits,
            activity=np.where(self.stays[product].there(day), self.people.activity, 0.0),
            profile_video=self.people.profile_video + moved[Product.VIDEO],
            profile_music=self.people.profile_music + moved[Product.MUSIC],
        )
        there = self.items_stay.there(day)
        items = replace(
            self.items,
            popularity={each: np.where(there, of, 0.0) for each, of in self.items.popularity.items()},
            is_new_release=self.items_stay.new(day),
        )
        return World(people, items, refresh=_DAY)

    def times(self, day: int) -> tuple[float, float]:
        """When impressions of a day are."""
        first = HISTORY_DAYS if day == _HISTORY else 1
        # An hour after midnight, so that no rounding takes an impression for one of the day before.
        return _BEGIN + (day - first + 1 / 24) * _DAY, _BEGIN + day * _DAY


def draw_calendar(sizes: DaySizes, days: int, rng: np.random.Generator) -> Calendar:
    """Draws everyone and everything, when they are there, and how tastes move."""
    music = _stay(sizes.music_people, MUSIC_TURNOVER, days, rng)
    video_alone = _stay(sizes.people, VIDEO_TURNOVER, days, rng)
    known = rng.random(len(music.comes)) < KNOWN_TO_VIDEO
    comes = np.concatenate([np.where(known, _HISTORY, music.comes), video_alone.comes])
    # Whoever uses music uses video for as long.
    leaves = np.maximum(music.leaves, music.comes + rng.geometric(VIDEO_TURNOVER, len(music.comes)))
    people = draw_people(len(comes), len(music.comes), rng)
    of_videos, of_music = (_stay(each, ITEM_TURNOVER, days, rng) for each in (sizes.videos, sizes.music_items))
    items_stay = Stay(*(np.concatenate(each) for each in zip(_ends(of_videos), _ends(of_music), strict=True)))
    items = draw_items(len(of_videos.comes), len(of_music.comes), rng)
    # Released in the course of the day before, so that the table of ages has it.
    released = _BEGIN + (items_stay.comes - 2 + rng.random(len(items_stay.comes))) * _DAY
    absent = np.full(len(video_alone.comes), _HISTORY - 1)
    return Calendar(
        people=people,
        items=replace(items, release=np.where(items_stay.comes > _HISTORY, released, items.release)),
        stays={
            Product.VIDEO: Stay(comes, np.concatenate([leaves, video_alone.leaves])),
            Product.MUSIC: Stay(*(np.concatenate([each, absent]) for each in _ends(music))),
        },
        items_stay=items_stay,
        tastes=_tastes(people, days, rng),
    )


def _ends(stay: Stay) -> tuple[Ints, Ints]:
    return stay.comes, stay.leaves


def _stay(count: int, turnover: float, days: int, rng: np.random.Generator) -> Stay:
    """`count` from the start, and the same part of them on each day; each leaves with that chance from day to day."""
    newcomers = np.repeat(np.arange(1, days + 1), max(1, round(turnover * count)))
    comes = np.concatenate([np.full(count, _HISTORY), newcomers])
    return Stay(comes, comes + rng.geometric(turnover, len(comes)))


def _tastes(people: People, days: int, rng: np.random.Generator) -> tuple[Mapping[Product, Floats], ...]:
    found: list[Mapping[Product, Floats]] = [{each: people.traits[each].taste for each in Product}]
    kept, moved = TASTE_PER_DAY, np.sqrt(1 - TASTE_PER_DAY**2)
    for _ in range(days):
        of_video = rng.standard_normal(found[0][Product.VIDEO].shape)
        news = {Product.VIDEO: of_video, Product.MUSIC: correlated(of_video, TASTE_CORRELATION, rng)}
        found.append({each: kept * found[-1][each] + moved * news[each] for each in Product})
    return tuple(found)


_COLUMNS: Mapping[str, tuple[Product, Callable[..., Columns]]] = {
    HOMEPAGE: (Product.MUSIC, homepage_columns),
    RADIO: (Product.MUSIC, radio_columns),
    VIDEO: (Product.VIDEO, video_columns),
}


def draw_days(sizes: DaySizes, days: int, seed: int) -> dict[str, dict[str, Columns]]:
    """Draws the three surfaces: columns by ``span-N/split`` by surface name; video begins with span 0, its history."""
    calendar = draw_calendar(sizes, days, np.random.default_rng(seed))
    target = dict.fromkeys(range(1, days + 1), (sizes.target_train, sizes.target_eval))
    source = {_HISTORY: (sizes.history, sizes.source_eval)}
    source |= dict.fromkeys(range(1, days + 1), (sizes.source_train, sizes.source_eval))
    counts = {HOMEPAGE: target, RADIO: target, VIDEO: source}
    return {
        name: {
            f"{DEFAULT_NAME.format(SPAN=day)}/{split}": _columns(calendar, name, day, count, [seed, day, place, part])
            for day, of_splits in counts[name].items()
            for part, (split, count) in enumerate(zip((TRAIN_SPLIT, EVAL_SPLIT), of_splits, strict=True))
        }
        for place, name in enumerate(_COLUMNS)
    }


def _columns(calendar: Calendar, name: str, day: int, count: int, seed: list[int]) -> Columns:
    product, draw = _COLUMNS[name]
    columns = draw(calendar.world(product, day), count, calendar.times(day), np.random.default_rng(seed))
    new = calendar.stays[product].new(day)[columns["user_id"].values]
    return {**columns, NEW_PERSON: ExampleColumn(new.astype(np.int64))}


def write_days(out: Path, size: str | DaySizes, days: int, seed: int, progress: Callable[[str], None]) -> list[Path]:
    """Writes ``out/homepage``, ``out/radio`` and ``out/video``, each a surface with one folder of examples a day.

    Args:
      out: Folder for the three; made if absent.
      size: A key of `SIZES`, or sizes of one's own.
      days: How many days, ``span-1`` and so on; video has ``span-0`` too, its history.
      seed: The same seed, days and sizes give the same bytes.
      progress: Told what was written, one line at a time.

    Returns:
      The three folders.

    Raises:
      InputError: There is no such size, there are too few days, or a folder already holds something else.
    """
    sizes = _resolve(size)
    if days < LEAST_DAYS:
        raise InputError(f"--days {days}: expected {LEAST_DAYS} or more; without --days, the world has one period")
    origin = {"world": "simulated days", "seed": seed, "days": days, "sizes": asdict(sizes)}
    progress(f"drawing {days} days of {sizes.source_train:,} source and 2 x {sizes.target_train:,} target examples")
    return [
        write_domain(out, Domain(name, splits, *_surface_folder(name, sizes), origin=origin), progress)
        for name, splits in draw_days(sizes, days, seed).items()
    ]


def _resolve(size: str | DaySizes) -> DaySizes:
    if isinstance(size, DaySizes):
        return size
    if size not in SIZES:
        raise InputError(f"world size: expected one of {', '.join(SIZES)} with --days; found {size!r}")
    return SIZES[size]


def _surface_folder(name: str, sizes: DaySizes) -> tuple[str, str]:
    """The shipped surface and schema, with the slice of new people, and a model for so many rows."""
    surface, schema = shipped_folder(name)
    content = yaml.safe_load(surface)
    content["slices"][NEW_PERSON] = {"features": {NEW_PERSON: 1}}
    if name == VIDEO:
        for feature in ("user_id", "item_id"):
            content["features"][feature]["embedding"] = sizes.teacher_embedding
        content["model"]["trunk"] = list(sizes.teacher_trunk)
    else:
        content["training"] |= {"epochs": sizes.epochs, "continue_from": "served"}
    message = text_format.Parse(schema, schema_pb2.Schema())
    feature = message.feature.add(name=NEW_PERSON, type=schema_pb2.INT, not_in_environment=[SERVING])
    feature.presence.min_fraction, feature.presence.min_count = 1.0, 1
    feature.shape.SetInParent()
    feature.int_domain.min, feature.int_domain.max = 0, 1
    head = f"# The shipped {name} surface, for a world of days.\n"
    return head + yaml.safe_dump(content, sort_keys=False), text_format.MessageToString(message)
