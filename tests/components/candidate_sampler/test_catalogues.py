"""Pairs of people and items from catalogues, who have no training row."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from schema.errors import InputError
from tests.components.candidate_sampler.conftest import ITEMS, SCALE, USERS, Made, run, surface, write

PER_ROW = 20
# The second half have a training row.
PEOPLE = [100, 101, 102, 0, 1, 2]
# Nobody was shown the first three.
NEW_ITEMS = (ITEMS, ITEMS + 1, ITEMS + 2)


def person(user: int, **more: object) -> dict[str, object]:
    """A row of a catalogue, with more than its side: a label and an item, which are none of its business."""
    return {"user": user, "taste": np.float32([user, 1.5]), "clicked": 1, "item": b"item-0", "position": 77, **more}


def item(number: int) -> dict[str, object]:
    row: dict[str, object] = {"item": f"item-{number}".encode(), "content": np.float32([0.25, number]), "new": 1}
    return row | ({"genre": f"genre-{number}".encode()} if number % 2 else {})


def evaluated(rows) -> dict[str, list]:
    """The same rows, and evaluation rows of someone who has no training row, of many items."""
    mine = [{**row, "user": 100, "taste": np.float32([100, 1.5]), "match": 0.0} for row in rows["train"][:40]]
    return {"train": rows["train"], "eval": [*rows["eval"], *mine]}


@pytest.fixture(scope="module")
def made(rows, tmp_path_factory) -> Made:
    folder = tmp_path_factory.mktemp("catalogues")
    people = write(folder / "people", [person(each) for each in PEOPLE])
    items = write(folder / "items", [item(each) for each in (*NEW_ITEMS, 0)])
    asked = surface(per_row=PER_ROW, cross={"match": {"dot": ["taste", "content"], "scale": SCALE}})
    return run(folder / "run", evaluated(rows), asked, people=people, items=items)


def of_users(made: Made) -> Counter[int]:
    return Counter(each["user"][0] for each in made.pairs)


def test_each_person_without_a_row_gets_as_many_pairs_as_a_row_and_those_with_one_no_more(made, rows):
    of_rows = Counter(row["user"] for row in rows["train"])
    assert of_users(made) == {user: PER_ROW * of_rows.get(user, 1) for user in {*of_rows, 100, 101, 102}}


def test_no_pair_of_the_evaluation_split_is_drawn_and_of_its_people_no_label(made, rows):
    of_eval = {(row["user"], row["item"]) for row in evaluated(rows)["eval"]}
    found = {(each["user"][0], each["item"][0]) for each in made.pairs}
    assert sum(user == 100 for user, _ in of_eval) > 10
    assert sum(user == 100 for user, _ in found) > 0
    assert not found & of_eval
    assert not any("clicked" in each for each in made.pairs)


def test_a_pair_has_the_columns_of_its_person_and_its_item_and_a_context_of_some_row(made, rows):
    positions = {row["position"] for row in rows["train"]}
    for each in made.pairs:
        number = int(each["item"][0].removeprefix(b"item-"))
        assert each["taste"] == [each["user"][0], 1.5]
        assert each["content"] == [0.25, number]
        assert each.get("genre") == ([f"genre-{number}".encode()] if number % 2 else None)
        assert each["position"][0] in positions
        assert each["match"] == [pytest.approx(SCALE * (each["user"][0] * 0.25 + 1.5 * number), rel=1e-6)]
        assert set(each) <= {"user", "item", "taste", "content", "match", "position", "genre"}
    contexts = {each["position"][0] for each in made.pairs if each["user"][0] == 101}
    assert len(contexts) > 1


def test_an_item_of_the_catalogue_counts_as_shown_once(made, rows):
    of_items = Counter(each["item"][0] for each in made.pairs)
    shown_once = [each for each, count in Counter(row["item"] for row in rows["train"]).items() if count == 1]
    new = np.mean([of_items[f"item-{each}".encode()] for each in NEW_ITEMS])
    assert new == pytest.approx(np.mean([of_items[each] for each in shown_once]), rel=0.25)
    assert new > PER_ROW / 2


def test_the_report_says_who_and_what_came_from_where(made):
    report = made.report
    people, items = report.catalogues["people"], report.catalogues["items"]
    assert (people.listed, people.with_row, people.drawn) == (6, 3, 3)
    assert (items.listed, items.with_row, items.drawn) == (4, 1, 3)
    assert Path(people.source).name == "people"
    assert (report.users_without_row, report.items_without_row) == (3, 3)
    assert report.unique_users == USERS + 3
    assert report.kept == len(made.pairs)
    assert report.evaluated > 0


def test_new_releases_may_come_from_the_catalogue_alone(rows, tmp_path):
    items = write(tmp_path / "items", [item(each) for each in NEW_ITEMS], parts=1)
    asked = {"weights": "new_release", "new_release": {"column": "new", "value": 1}, "per_row": 2}
    old = {split: [{**row, "new": 0} for row in rows[split]] for split in rows}
    made = run(tmp_path / "run", old, surface(**asked), items=items)
    assert {each["item"][0] for each in made.pairs} == {f"item-{each}".encode() for each in NEW_ITEMS}


def test_without_a_catalogue_everybody_has_a_row(rows, tmp_path):
    report = run(tmp_path, rows, surface()).report
    assert (report.users_without_row, report.items_without_row, report.catalogues) == (0, 0, {})


@pytest.mark.parametrize(
    ("which", "made_of", "message"),
    [
        ("people", [{"user": 100}], r"--people .*people: expected the column 'taste', which every example has, with"),
        (
            "people",
            [{"taste": np.float32([1, 2])}],
            "'user', which identifies them, with 1 value in every row; 1 of 1 rows have",
        ),
        ("people", [person(100), {"user": 101}], "with 2 values in every row; 1 of 2 rows have none"),
        ("items", [{"item": b"item-99"}], r"--items .*items: expected the column 'content', which every example has"),
        ("people", [person(100), person(101), person(100)], "1 of 3 rows that repeat another's id"),
        ("items", [item(99), item(99)], "expected each of the items once"),
        ("people", [], "expected people, found files without a single row"),
        ("people", [person(100, taste=np.float32([1]))], "with 2 values in every row; 1 of 1 rows have 1"),
    ],
)
def test_a_catalogue_that_cannot_be_used_is_an_error(which, made_of, message, rows, tmp_path):
    folder = write(tmp_path / which, made_of, parts=1)
    with pytest.raises(InputError, match=message):
        run(tmp_path / "run", rows, surface(per_row=1), **{which: folder})


def test_a_folder_without_files_is_an_error(rows, tmp_path):
    (tmp_path / "people").mkdir()
    (tmp_path / "people" / "_SUCCESS").touch()
    with pytest.raises(InputError, match=r"--people .*people: expected gzipped TFRecords .* found no file"):
        run(tmp_path / "run", rows, surface(), people=tmp_path / "people")
