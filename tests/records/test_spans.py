from pathlib import Path

import pytest

from records.spans import SpanFolders, Window, choose, span_folders
from schema.errors import InputError


def folders(base: Path, *names: str) -> Path:
    for name in names:
        (base / name).mkdir(parents=True)
    return base


def test_one_folder_of_examples_has_no_spans(tmp_path):
    assert span_folders(folders(tmp_path, "train", "eval")) is None


def test_folders_named_span_are_found_and_others_are_not(tmp_path):
    found = span_folders(folders(tmp_path, "span-2", "span-10", "span-1", "span-x", "span-03", "train"))
    assert found == SpanFolders(tmp_path, "span-{SPAN}")
    assert found.available() == [1, 2, 10]
    assert found.folder(10) == tmp_path / "span-10"


def test_a_pattern_with_a_width_below_other_folders(tmp_path):
    folders(tmp_path, "day0007/home", "day0012/home", "day13/home", "day0014/radio")
    found = span_folders(tmp_path / "day{SPAN:4}" / "home")
    assert found.base == tmp_path
    assert found.available() == [7, 12]
    assert found.folder(7) == tmp_path / "day0007" / "home"


def test_days_are_counted_from_1970(tmp_path):
    folders(tmp_path, "1970-01-02", "2026-03-01", "2026-02-28", "latest")
    found = span_folders(tmp_path / "{YYYY}-{MM}-{DD}")
    assert found.available() == [1, 20512, 20513]
    assert found.title(20513) == "2026-03-01"
    assert str(choose(found, None, 2)) == "2026-02-28:2026-03-01"
    assert choose(found, "2026-02-28", None) == Window(found, 20512, 20512)


@pytest.mark.parametrize("name", ["{SPAN}/{SPAN}", "{YYYY}-{MM}", "{span}", "{SPAN:0}", "{SPAN", "{VERSION}"])
def test_a_pattern_that_is_none(tmp_path, name):
    with pytest.raises(InputError, match=r"expected \{SPAN\}, \{SPAN:4\} or \{YYYY\}-\{MM\}-\{DD\}"):
        span_folders(tmp_path / name)


@pytest.fixture
def week(tmp_path) -> SpanFolders:
    return span_folders(folders(tmp_path, *(f"span-{day}" for day in (1, 2, 3, 5, 6, 7))))


@pytest.mark.parametrize(
    ("span", "length", "spans"),
    [
        (None, None, [7]),
        ("latest", 3, [5, 6, 7]),
        ("3", None, [3]),
        ("3", 2, [2, 3]),
        ("1:3", None, [1, 2, 3]),
    ],
)
def test_windows(week, span, length, spans):
    assert list(choose(week, span, length).spans) == spans


def test_a_hole_is_named(week):
    with pytest.raises(InputError, match=r"the window 3:7 has holes: .* each of its 5 spans, found none for 4\. Put"):
        choose(week, "latest", 5)


def test_more_spans_than_there_are(week):
    with pytest.raises(InputError, match=r"found none for -7, -6, -5, -4, -3, -2, -1, 0, 4\."):
        choose(week, "latest", 15)


@pytest.mark.parametrize(
    ("span", "length", "message"),
    [
        ("monday", None, "--span monday: expected a whole number"),
        ("1:3", 3, "--span 1:3 and --window 3 contradict each other"),
        ("3:1", None, "the first span comes after the last one"),
    ],
)
def test_what_makes_no_sense(week, span, length, message):
    with pytest.raises(InputError, match=message):
        choose(week, span, length)


def test_no_spans_at_all(tmp_path):
    with pytest.raises(InputError, match=r"expected folders named \{SPAN\}, found none"):
        choose(span_folders(tmp_path / "{SPAN}"), None, None)
