"""Pairs that are read from logs of candidates."""

from __future__ import annotations

import pytest

from schema.errors import InputError
from tests.components.candidate_sampler.conftest import run, surface, write


def candidate(user: int, item: str) -> dict[str, object]:
    return {"user": user, "item": item.encode(), "match": 0.5}


def test_candidates_are_kept_as_they_are_unless_shown_evaluated_or_labelled(rows, tmp_path):
    shown, evaluated = (dict(rows[split][0]) for split in ("train", "eval"))
    del shown["clicked"], evaluated["clicked"]
    good = [candidate(99, "item-0"), candidate(1, "another")]
    labelled = candidate(98, "item-1") | {"clicked": 0}
    folder = write(tmp_path / "logs", [good[0], shown, labelled, evaluated, good[1]])
    made = run(tmp_path / "run", rows, surface(), folder)
    assert sorted(made.pairs, key=lambda each: each["user"]) == [
        {name: [value] for name, value in each.items()} for each in (good[1], good[0])
    ]
    found = made.report
    assert (found.drawn, found.kept, found.shown, found.evaluated, found.labelled) == (5, 2, 1, 1, 1)
    assert found.source == str(folder)


def test_candidates_without_an_id_are_an_error(rows, tmp_path):
    folder = write(tmp_path / "logs", [{"user": 1}, {"user": 2}])
    with pytest.raises(InputError, match=r"column 'item': expected the same number of values in every example"):
        run(tmp_path / "run", rows, surface(), folder)


def test_a_folder_without_candidates_is_an_error(rows, tmp_path):
    with pytest.raises(
        InputError, match=r"nothing: expected the folder of a teacher, candidates or a catalogue, found no such"
    ):
        run(tmp_path / "run", rows, surface(), tmp_path / "nothing")
    (tmp_path / "empty").mkdir()
    with pytest.raises(
        InputError, match=r"empty: expected the folder of a teacher, candidates or a catalogue, found an empty"
    ):
        run(tmp_path / "again", rows, surface(), tmp_path / "empty")


def test_nothing_but_shown_pairs_is_an_error(rows, tmp_path):
    folder = write(tmp_path / "logs", rows["train"][:4], parts=1)
    with pytest.raises(InputError, match=r"none of 4 pairs from .*logs can be used: 4 are in the training split"):
        run(tmp_path / "run", rows, surface(), folder)
