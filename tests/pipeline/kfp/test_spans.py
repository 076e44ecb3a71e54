import pytest

from pipeline.kfp.spans import check_window, earlier, name_of, spans_before
from schema.errors import InputError


@pytest.mark.parametrize(
    ("span", "before", "expected"),
    [
        ("20260301", 1, "20260228"),
        ("2026-03-01", 2, "2026-02-27"),
        ("20260101", 1, "20251231"),
        ("7", 3, "4"),
        ("1", 1, "0"),
        ("0010", 1, "0009"),
        ("20261", 1, "20260"),  # No day: January has no first digit alone.
        ("20269999", 1, "20269998"),
    ],
)
def test_the_spans_before_a_span(span, before, expected):
    assert earlier(span, before) == expected


@pytest.mark.parametrize("span", ["monday", "2026-1-3", "-1", "0", ""])
def test_what_is_not_counted_back_from(span):
    with pytest.raises(InputError, match=r"expected a day .*whole number of at least 1, since 1 earlier span are"):
        earlier(span, 1)


def test_names():
    assert [name_of(before) for before in (0, 1, 12)] == ["span", "span_minus_1", "span_minus_12"]
    assert [spans_before(name) for name in ("span", "span_minus_12", "span_minus_0", "span_minus_x", "seed")] == [
        *(0, 12, 0, 0, 0),
    ]


def test_the_spans_of_a_window_follow_on_each_other():
    check_window({"span": "20260301", "span_minus_1": "20260228", "seed": 3})
    check_window({"span_minus_1": "20260228"})
    with pytest.raises(InputError, match="'span_minus_2': expected '1', which is 2 before '3', found '0'"):
        check_window({"span": "3", "span_minus_1": "2", "span_minus_2": "0"})
