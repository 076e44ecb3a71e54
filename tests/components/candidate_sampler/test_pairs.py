"""Pairs that are put together from the examples."""

from __future__ import annotations

from collections import Counter

import pytest

from schema.errors import InputError
from tests.components.candidate_sampler.conftest import SCALE, USERS, Made, draw, run, surface

PER_ROW = 20


@pytest.fixture(scope="module")
def made(rows, tmp_path_factory) -> Made:
    return run(tmp_path_factory.mktemp("made"), rows, surface(per_row=PER_ROW))


def pairs_of(rows) -> set[tuple[int, bytes]]:
    return {(row["user"], row["item"]) for row in rows}


def found(made: Made) -> list[tuple[int, bytes]]:
    return [(each["user"][0], each["item"][0]) for each in made.pairs]


def test_no_pair_was_shown_or_is_evaluated(made, rows):
    assert not set(found(made)) & pairs_of(rows["train"])
    assert not set(found(made)) & pairs_of(rows["eval"])


def test_there_are_so_many_for_each_training_example(made, rows):
    per_user = Counter(user for user, _ in found(made))
    of_rows = Counter(row["user"] for row in rows["train"])
    assert per_user == {user: PER_ROW * count for user, count in of_rows.items()}


def test_a_pair_has_the_columns_of_its_user_and_its_item_and_no_label(made):
    for each in made.pairs:
        user, item = each["user"][0], int(each["item"][0].removeprefix(b"item-"))
        assert each["taste"] == [user, 1.5]
        assert each["content"] == [0.25, item]
        assert each.get("genre") == ([f"genre-{item}".encode()] if item % 2 else None)
        assert each["position"][0] in range(5)
        assert set(each) <= {"user", "item", "taste", "content", "match", "seen", "position", "genre"}


def test_context_comes_from_the_user_s_example(made, rows):
    positions = {user: {row["position"] for row in rows["train"] if row["user"] == user} for user in range(USERS)}
    assert all(each["position"][0] in positions[each["user"][0]] for each in made.pairs)


def test_cross_features_are_made_as_the_data_have_them(made):
    for each in made.pairs:
        expected = SCALE * (each["user"][0] * 0.25 + 1.5 * each["content"][1])
        assert each["match"] == [pytest.approx(expected, abs=1e-6)]
        assert each["seen"] == [0]


def test_the_report_counts_what_is_there(made, rows):
    report = made.report
    assert report.kept == len(made.pairs) == PER_ROW * len(rows["train"])
    assert report.drawn == report.kept + report.shown + report.evaluated
    assert report.shown > 0
    assert report.evaluated > 0
    assert report.unique_pairs == len(set(found(made)))
    assert report.unique_users == len({user for user, _ in found(made)})
    assert report.unique_items == len({item for _, item in found(made)})
    assert (report.source, report.labelled, report.given_up) == ("examples", 0, 0)


def test_the_other_splits_are_the_very_same_files(made):
    assert made.splits == ["eval", "train", "unlabelled"]
    for path in sorted(made.inputs.rglob("*.gz")):
        assert path.samefile(made.outputs / path.relative_to(made.inputs))


def test_the_same_seed_draws_the_same_pairs_and_another_one_others(made, rows, tmp_path):
    again = run(tmp_path / "again", rows, surface(per_row=PER_ROW))
    assert again.pairs == made.pairs
    other = run(tmp_path / "other", rows, surface(per_row=PER_ROW, seed=1))
    assert found(other) != found(made)


def test_who_has_seen_everything_gets_fewer(tmp_path):
    rows = [draw(4, 1)[0] | {"user": 1, "item": f"item-{item}".encode()} for item in range(3)]
    rows.append(rows[0] | {"user": 2})
    made = run(tmp_path, {"train": rows, "eval": draw(5, 1)}, surface(per_row=4, cross={"seen": {"value": 0}}))
    assert {user for user, _ in found(made)} == {2}
    assert made.report.given_up == 3 * 4


def test_nothing_left_is_an_error(tmp_path):
    rows = draw(6, 1)
    with pytest.raises(InputError, match=r"none of \d+ pairs from examples can be used: \d+ are in the training"):
        run(tmp_path, {"train": [*rows, *rows], "eval": draw(5, 1)}, surface())


def test_what_one_file_lacks_is_said_by_the_component(rows, tmp_path):
    wrong = [row | {"user": b"a name"} for row in rows["train"]]
    with pytest.raises(InputError, match=r"part-0\.gz: expected gzipped TFRecords of tf\.Example whose columns"):
        run(tmp_path, {**rows, "train": wrong}, surface())


def test_examples_without_an_evaluation_split_are_an_error(rows, tmp_path):
    with pytest.raises(InputError, match="expected a split 'eval'"):
        run(tmp_path, {"train": rows["train"]}, surface())
