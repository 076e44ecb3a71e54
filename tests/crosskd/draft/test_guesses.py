import numpy as np
import pytest

from crosskd.draft import guesses
from crosskd.draft.sample import FROM_TIMES, SampledColumn
from schema.base import TaskKind
from schema.surface import FeatureKind, Side


def column(name: str, kind: str = "INT", **known) -> SampledColumn:
    """A required column of one value; 1,000 examples."""
    facts = {"required": True, "size": 1, "distinct": 500, "rows": 1000, "lowest": 0.0, "highest": 900.0, "median": 7.0}
    return SampledColumn(name=name, type=kind, **{**facts, **known})


def flag(name: str, **known) -> SampledColumn:
    return column(name, distinct=2, lowest=0.0, highest=1.0, median=0.0, **known)


@pytest.mark.parametrize(
    ("found", "kind", "why"),
    [
        (column("user_id"), FeatureKind.CATEGORICAL, "an id by its name"),
        (column("itemId"), FeatureKind.CATEGORICAL, "an id by its name"),
        (column("customer"), FeatureKind.CATEGORICAL, "an id by its name"),
        (column("customer_age"), FeatureKind.NUMERIC, "an integer of 500 values"),
        (column("article_no"), FeatureKind.CATEGORICAL, "an id by its name"),
        (column("player_guid"), FeatureKind.CATEGORICAL, "an id by its name"),
        (column("seat_no"), FeatureKind.NUMERIC, "an integer of 500 values"),
        (column("brand"), FeatureKind.CATEGORICAL, "a code by its name"),
        (column("plays"), FeatureKind.NUMERIC, "an integer of 500 values"),
        (column("shelf", distinct=6), FeatureKind.CATEGORICAL, "an integer of 6 values"),
        (column("shelf", distinct=6, rows=100), FeatureKind.NUMERIC, "an integer of 6 values"),
        (flag("familiar"), FeatureKind.NUMERIC, "0 or 1"),
        (column("score", "FLOAT"), FeatureKind.NUMERIC, "real numbers"),
        (column("genre", "BYTES"), FeatureKind.CATEGORICAL, "a string"),
        (column("profile_id", size=8), FeatureKind.NUMERIC, "several numbers"),
    ],
)
def test_the_kind_rests_on_type_name_and_values(found, kind, why):
    guess = guesses.feature(found)
    assert guess.kind is kind
    assert guess.why.startswith(why)
    assert (guess.embedding is None) is (kind is FeatureKind.NUMERIC)


@pytest.mark.parametrize(
    ("name", "side"),
    [
        ("user_activity", Side.USER),
        ("bookAge", Side.ITEM),
        ("music_profile_match", Side.CROSS),
        ("user_item_affinity", Side.CROSS),
        ("hour", Side.CONTEXT),
        ("uid", Side.USER),
        ("newsletter", Side.CONTEXT),  # no news
        ("news_source", Side.ITEM),
        ("doctor", Side.CONTEXT),  # no document
    ],
)
def test_the_side_rests_on_the_name(name, side):
    assert guesses.feature(column(name)).side is side


def test_what_may_be_absent_gets_a_default_of_its_type():
    assert guesses.feature(column("age", required=False, median=7.4)).default == 7
    assert guesses.feature(column("age", "FLOAT", required=False, median=0.123456)).default == 0.1235
    assert guesses.feature(column("genre", "BYTES", required=False)).default == "unknown"
    assert guesses.feature(column("item_id", required=False)).default == -1
    assert guesses.feature(column("age")).default is None


@pytest.mark.parametrize(
    ("found", "why"),
    [
        (column("scores", "FLOAT", size=None), "different numbers of real numbers"),
        (column("event_time", distinct=900), "a point in time"),
        (column("request_id"), "the name of a request"),
        (column("published", note=FROM_TIMES), "points in time"),
        (column("posted", "BYTES", reads_as="dates"), "dates, as text"),
        (column("country", "BYTES", distinct=1), "the same value in every example"),
        (column("event_id", distinct=1000), "another value in every example"),
        (column("__index_level_0__"), "a number of the row"),
        (column("row", distinct=1000, lowest=5.0, highest=1004.0), "a number of the row"),
        (column("user_id", distinct=1000), None),
        (column("daytime", distinct=900), None),
        (column("time_on_page", distinct=900), None),
        (column("user_id"), None),
    ],
)
def test_what_is_no_feature_says_why(found, why):
    said = guesses.left_out(found)
    assert said is None if why is None else said.startswith(why)


@pytest.mark.parametrize(
    ("found", "question"),
    [
        (column("history", size=None, longest=7), None),
        (column("tags", "BYTES", size=3), None),
        (flag("is_new"), "0 or 1: a feature that a server knows, or what happened afterwards"),
        (column("plays"), "an action, by its name"),
        (column("price", "BYTES", reads_as="numbers"), "numbers as text"),
        (column("headline", "BYTES", distinct=900), "nearly every example has another text"),
        (column("user_name", "BYTES", distinct=900), None),
        (column("slot", distinct=8), "where it was shown, by its name"),
        (column("n", distinct=8, starts_again=True), "where it was shown, as it counts up and starts again"),
        (column("page_view", "BYTES", distinct=125, stands_together=True), "its rows stand together"),
        (column("customer_no", "BYTES", distinct=125, stands_together=True), None),
        (column("time_on_page", "FLOAT"), "how long something took, by its name"),
        (column("revenue", "FLOAT"), "an action, by its name"),
        (flag("is_subscriber"), "0 or 1"),
        (column("playlist_length", required=False), "an action, by its name"),
        (column("price", "FLOAT"), None),
        (column("embedding", "FLOAT", size=8), None),
    ],
)
def test_what_no_sample_tells_is_asked(found, question):
    asked = guesses.unknown(found)
    assert asked is None if question is None else asked[0].startswith(question)


def test_the_line_that_is_proposed_is_a_feature():
    assert guesses.unknown(flag("is_new", required=False))[1] == "{kind: numeric, side: context, default: 0}"


def test_examples_are_put_in_order_by_a_time_that_each_of_them_has():
    columns = [column("hour", distinct=24), column("shown_at", required=False), column("ts", distinct=900)]
    assert guesses.times(columns) == "ts"
    assert guesses.times(columns[:2]) is None
    assert guesses.person([column("item_id"), column("customer_id")]) == "customer_id"
    assert guesses.person([column("customer_id", required=False), column("uid")]) == "uid"


def test_labels_are_flags_or_optional_numbers_with_the_name_of_an_action():
    columns = [
        flag("click"),
        flag("was_borrowed"),
        column("watch_minutes", "FLOAT", required=False),
        column("watch_history", "FLOAT"),  # always there, and no flag
        flag("device"),
        flag("user_likes_jazz"),  # says something of the user
        column("liked", "BYTES"),
        column("click_count", required=False),  # a sum over the past
        column("clicked_at", required=False),  # a point in time
    ]
    assert guesses.labels(columns) == ["click", "was_borrowed", "watch_minutes"]


@pytest.mark.parametrize(
    "name", ["is_subscriber", "playable", "has_trailer", "refundable", "is_returning", "saved_before"]
)
def test_a_flag_of_a_user_an_item_or_the_past_is_no_label(name):
    assert guesses.labels([flag(name)]) == []
    assert guesses.unknown(flag(name))


@pytest.mark.parametrize("name", ["clicked", "was_skipped", "added_to_cart", "replied", "order_value", "watches"])
def test_an_action_is_known_in_the_forms_of_its_word(name):
    assert guesses.labels([column(name, required=False)]) == [name]


def test_examples_are_put_in_order_by_when_they_were_shown_and_not_by_when_the_item_was_made():
    columns = [column("release_date", note=FROM_TIMES), column("played_at", note=FROM_TIMES)]
    assert guesses.times(columns) == "played_at"
    assert guesses.times(columns[:1]) == "release_date"


def test_a_task_is_binary_if_its_label_is_0_and_1_alone():
    assert guesses.task_kind(flag("click")) is TaskKind.BINARY
    assert guesses.task_kind(column("rating", lowest=1.0, highest=5.0, distinct=5)) is TaskKind.REGRESSION
    assert guesses.task_kind(column("share", "FLOAT", lowest=0.0, highest=1.0)) is TaskKind.REGRESSION


def test_the_group_is_the_column_that_names_a_request():
    assert guesses.group([column("user_id"), column("session_id")]) == "session_id"
    assert guesses.group([column("user_id"), flag("session")]) is None
    assert guesses.group([column("session_id", required=False)]) is None


def test_names_are_the_same_whatever_their_spelling():
    assert guesses.same("userId", ["user", "user_id"]) == "user_id"
    assert guesses.same("user", ["user_id"]) is None


@pytest.mark.parametrize(
    ("found", "kind", "many", "sequence", "embedding_of"),
    [
        (column("tags", "BYTES", size=None), FeatureKind.CATEGORICAL, True, None, None),
        (column("genres", "BYTES", size=3), FeatureKind.CATEGORICAL, True, None, None),
        (column("recent_items", size=None), FeatureKind.CATEGORICAL, False, "recent", "item_id"),
        (column("recentItemIds", size=None), FeatureKind.CATEGORICAL, False, "recent", "item_id"),
        (column("recent_items", "BYTES", size=None), FeatureKind.CATEGORICAL, False, "recent", None),
        (column("recent_ages", "FLOAT", size=None), FeatureKind.NUMERIC, False, "recent", None),
        (column("similar_items", size=None), FeatureKind.CATEGORICAL, True, None, "item_id"),
    ],
)
def test_a_list_is_pooled_or_a_part_of_a_sequence(found, kind, many, sequence, embedding_of):
    guess = guesses.feature(found, [found, column("item_id"), column("plays")])
    assert (guess.kind, guess.many, guess.sequence, guess.embedding_of) == (kind, many, sequence, embedding_of)
    assert guess.default is None
    assert (guess.embedding is None) is (kind is FeatureKind.NUMERIC or embedding_of is not None)
    assert guesses.left_out(found) is None


@pytest.mark.parametrize(
    ("times", "ordered"),
    [
        (np.arange(100.0), True),
        (np.arange(100.0)[::-1], False),
        (np.arange(100.0) // 25, True),
        (np.random.default_rng(0).permutation(100).astype(float), False),
        (np.tile(np.arange(10.0), 10), False),  # person by person, each in order
        (np.where(np.arange(100) % 17 == 16, 0.0, np.arange(100)), True),  # some came late
        (np.zeros(1), False),
    ],
    ids=["in order", "backwards", "day by day", "drawn", "by person", "some late", "one row"],
)
def test_rows_are_in_the_order_of_time_if_the_last_ones_are_the_latest(times, ordered):
    assert guesses.in_order(times) is ordered
