"""What a column's name says by itself."""

import pytest

from crosskd.draft import names


@pytest.mark.parametrize(
    ("name", "found"), [("userId", ["user", "id"]), ("user_id", ["user", "id"]), ("Hour-Of-Day", ["hour", "of", "day"])]
)
def test_words_are_the_same_in_every_spelling(name, found):
    assert names.words(name) == found


@pytest.mark.parametrize(
    ("name", "found"), [("ad_size", True), ("address", False), ("news", True), ("newsletter", False)]
)
def test_some_beginnings_are_whole_words(name, found):
    assert names.begins(name, names.ITEMS) is found


@pytest.mark.parametrize(
    ("name", "found"),
    [
        *((name, True) for name in ("user_id", "article_no", "customerNr", "player_guid", "job_code", "sku", "ean")),
        *((name, False) for name in ("customer_age", "seat_no", "country_code", "tv_number", "position")),
    ],
)
def test_ids_are_known_by_their_last_word_and_the_thing_that_they_name(name, found):
    assert names.of_an_id(name) is found


@pytest.mark.parametrize(
    ("name", "point", "duration"),
    [
        ("event_time", True, False),
        ("shown_at", True, False),
        ("time_on_page", False, True),
        ("time_spent", False, True),
        ("daytime", False, False),
    ],
)
def test_a_point_in_time_is_no_duration(name, point, duration):
    assert names.of_a_time(name) is point
    assert names.of_a_duration(name) is duration


@pytest.mark.parametrize(
    ("name", "is_one", "may_be_one"),
    [
        ("clicked", True, True),
        ("was_borrowed", True, True),
        ("playable", False, True),
        ("installments", False, True),
        ("viewer_likes", False, False),  # says something of the user
        ("click_count", False, True),  # a sum over the past
        ("saved_before", False, True),
        ("clicked_at", False, True),  # a point in time
        ("hour", False, False),
    ],
)
def test_an_action_is_known_in_its_forms_and_a_trace_of_one_by_its_beginning(name, is_one, may_be_one):
    assert names.of_an_action(name) is is_one
    assert names.tells_of_an_action(name) is may_be_one
