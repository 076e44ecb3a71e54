"""The page in a real browser, opened from disk."""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe

from components.evaluation_report.contents import compose
from components.evaluation_report.page import render
from tests.browser import open_page
from tests.components.evaluation_report import handmade

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def blessed(tmp_path_factory):
    return write(tmp_path_factory.mktemp("blessed"), handmade.sources())


@pytest.fixture(scope="module")
def refused(tmp_path_factory):
    return write(tmp_path_factory.mktemp("refused"), handmade.sources(student=0.55, runs=1, labels=None))


def write(folder, sources):
    path = folder / "index.html"
    path.write_text(render(compose(sources)))
    return path


@pytest.fixture(params=["blessed", "refused"])
def page_path(request):
    return request.getfixturevalue(request.param)


def test_it_opens_without_a_complaint_and_asks_for_nothing(chromium, page_path):
    opened = open_page(chromium, page_path)
    assert opened.complaints == []
    assert opened.requests == []


def test_the_decision_is_the_first_thing_to_be_read(chromium, refused):
    opened = open_page(chromium, refused)
    assert opened.page.title() == "tiny: not blessed"
    decision = opened.page.locator("#decision")
    assert decision.inner_text() == handmade.sources(student=0.55).decision.sentence
    assert decision.bounding_box()["y"] < 300


def sort(opened, table, column):
    opened.page.click(f"#table-{table} th:has-text('{column}') button")
    header = opened.page.locator(f"#table-{table} th:has-text('{column}')").first
    return header.get_attribute("aria-sort")


def test_a_column_sorts_by_number_and_back_with_what_is_missing_last(chromium, blessed):
    opened = open_page(chromium, blessed)
    before = opened.cells("slices")
    place = 6
    assert sort(opened, "slices", "student minus control") == "ascending"
    upwards = [row[place][1] for row in opened.cells("slices")]
    known = [value for value in upwards if value is not None]
    assert known == sorted(known)
    assert known[0] == pytest.approx(-0.05)
    assert upwards[len(known) :] == [None] * 3
    assert sort(opened, "slices", "student minus control") == "descending"
    downwards = [row[place][1] for row in opened.cells("slices")]
    assert downwards == [*reversed(known), *[None] * 3]
    assert sorted(map(str, opened.cells("slices"))) == sorted(map(str, before))


def test_a_column_sorts_by_word_from_the_keyboard(chromium, blessed):
    opened = open_page(chromium, blessed)
    opened.page.locator("#table-slices th:has-text('task') button").press("Enter")
    assert [row[1][0] for row in opened.cells("slices")] == ["click"] * 5 + ["minutes"] * 5


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_it_follows_the_readers_colors(chromium, blessed, dark):
    opened = open_page(chromium, blessed, dark=dark)
    ground = opened.page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
    lightness = sum(map(int, ground.removeprefix("rgb(").removesuffix(")").split(","))) / 3
    assert (lightness < 60) == dark
    # One drawing serves both: the student's marks take the color that the page gives them now.
    mark = opened.page.evaluate(
        "getComputedStyle(document.querySelector('#tasks figure svg [fill=\"var(--student)\"]')).fill"
    )
    assert mark == ("rgb(86, 180, 233)" if dark else "rgb(0, 114, 178)")


@pytest.mark.parametrize("width", [360, 1280])
def test_nothing_is_wider_than_the_screen(chromium, page_path, width):
    opened = open_page(chromium, page_path, width=width)
    assert opened.page.evaluate("document.documentElement.scrollWidth") <= width


def test_names_beside_a_plot_are_not_cut_off(chromium, page_path):
    opened = open_page(chromium, page_path, width=360)
    outside = opened.page.evaluate(
        """[...document.querySelectorAll('figure')].flatMap(figure => {
          const card = figure.getBoundingClientRect();
          return [...figure.querySelectorAll('svg text')].filter(text => {
            const box = text.getBoundingClientRect();
            return box.left < card.left || box.right > card.right;
          }).map(text => text.textContent);
        })"""
    )
    assert outside == []


@pytest.mark.parametrize(("name", "dark"), [("blessed", False), ("blessed", True), ("refused", False)])
def test_axe_finds_no_barrier(chromium, request, name, dark):
    """Names, headings, landmarks, table headers, contrast and the rest of WCAG 2.1 AA that a program can check."""
    opened = open_page(chromium, request.getfixturevalue(name), dark=dark)
    opened.page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
    found = Axe().run(opened.page).response["violations"]
    assert [(each["id"], [node["html"][:160] for node in each["nodes"]][:3]) for each in found] == []


def test_no_two_parts_of_the_page_share_a_name(chromium, blessed):
    names = open_page(chromium, blessed).page.evaluate("[...document.querySelectorAll('[id]')].map(each => each.id)")
    assert len(names) == len(set(names))


def test_every_plot_has_a_name_and_its_numbers_beside_it(chromium, blessed):
    opened = open_page(chromium, blessed)
    figures = opened.page.locator("figure")
    assert figures.count() == len(opened.page.query_selector_all("figure details table"))
    for number in range(figures.count()):
        figure = figures.nth(number)
        name = opened.page.locator(f"#{figure.get_attribute('aria-labelledby')}")
        assert name.inner_text().strip()
        figure.locator("summary").click()
        assert figure.locator("tbody tr").first.is_visible()
