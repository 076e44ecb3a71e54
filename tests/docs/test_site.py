"""The site builds strictly, and loads nothing from elsewhere."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree

import pytest

from schema.metrics import METRICS
from tests.browser import open_page
from tests.docs.pages import DOCS

# What a browser fetches by itself, unlike a link.
_FETCHED = re.compile(r"<(?:script|img|iframe|source)[^>]*\ssrc=\"?(https?:)?//|<link[^>]*\shref=\"?(https?:)?//")


def test_every_page_is_there(site):
    pages = {file.relative_to(DOCS).with_suffix(".html").as_posix() for file in DOCS.rglob("*.md")}
    built = {file.relative_to(site).as_posix() for file in site.rglob("*.html")}
    assert pages | {f"reference/{name}.html" for name in ("surface", "metrics", "commands")} <= built


def test_no_page_loads_anything_from_elsewhere(site):
    for file in site.rglob("*.html"):
        assert not _FETCHED.search(file.read_text(encoding="utf-8")), file


def test_the_check_for_foreign_files_sees_them():
    assert _FETCHED.search('<script defer src="https://example.org/x.js">')
    assert _FETCHED.search('<link rel="stylesheet" href="//fonts.example.org/css">')
    assert not _FETCHED.search('<a href="https://example.org">')


def test_the_reference_has_every_key_and_every_command(site):
    surface = (site / "reference" / "surface.html").read_text(encoding="utf-8")
    for key in ("vs_last_blessed", "max_p99_ratio_vs_control", "teacher_task", "from"):
        assert (f"<code>{key}</code>" in surface) is (key != "teacher_task")
    commands = (site / "reference" / "commands.html").read_text(encoding="utf-8")
    assert "crosskd world yahoo-r3" in commands
    assert "--not-served" in commands


def test_the_reference_has_every_metric_with_its_range(site):
    page = (site / "reference" / "metrics.html").read_text(encoding="utf-8")
    for name in METRICS:
        assert f"<code>{name}</code>" in page
    assert "<td>-inf to 1</td>" in page
    assert "<td>near 1</td>" in page


def test_every_diagram_is_drawn_and_shown(site):
    drawn = sorted((site / "diagrams").glob("*.svg"))
    shown = (site / "concepts.html").read_text(encoding="utf-8")
    assert len(drawn) == 6
    for file in drawn:
        title = ElementTree.parse(file).getroot().find("{http://www.w3.org/2000/svg}title")
        assert title is not None and title.text
        assert f"diagrams/{file.name}" in shown


def test_each_door_opens_on_a_page_that_says_what_is_behind_it(site):
    home = (site / "index.html").read_text(encoding="utf-8")
    for door in ("try", "your-data", "every-day", "how"):
        assert f'href="{door}/index.html"' in home
        assert (site / door / "index.html").is_file()


def test_every_page_stands_behind_a_door(site):
    """A page that nobody put in order stands under "More", where nobody looks."""
    assert ">More<" not in re.sub(r"\s", "", (site / "index.html").read_text(encoding="utf-8"))


def test_the_python_reference_has_what_its_page_names(site):
    page = (site / "python.html").read_text(encoding="utf-8")
    for name in ("crosskd.frames.slices", "crosskd.runs.newest_run", "pipeline.pipeline.create_pipeline"):
        assert f'id="{name}"' in page
    assert "no run has started" not in page  # texts of the code are not in it, docstrings are
    assert "The run that started last under" in page


def test_every_table_of_results_says_when_and_at_which_state_it_was_written_down():
    page = (DOCS / "results.md").read_text(encoding="utf-8")
    tables = re.findall(r"(?:^\|.*\n)+\n?(?P<after>.*)", page, re.M)
    assert len(tables) > 20
    dated = re.compile(r"\*Written down on \d{4}-\d\d-\d\d at `[0-9a-f]{7,}`\.\*")
    assert [after for after in tables if not dated.fullmatch(after)] == []


def test_what_was_found_repeats_figures_of_the_results_and_links_to_each():
    found = (DOCS / "findings.md").read_text(encoding="utf-8")
    detail = "".join((DOCS / name).read_text(encoding="utf-8") for name in ("results.md", "labelling.md"))
    figures = re.findall(r"[+-][.\d]+%? \[[^\]]+\]|\b0\.996 |91,967", found)
    assert len(figures) > 15
    assert [figure for figure in figures if figure.split(" [")[0].strip() not in detail] == []


@pytest.mark.browser
def test_search_works_from_disk(site, chromium):
    opened = open_page(chromium, site / "index.html")
    opened.page.click(".md-search__input")
    opened.page.keyboard.type("placebo", delay=20)
    opened.page.wait_for_selector(".md-search-result__link")
    links = opened.page.locator(".md-search-result__link").evaluate_all("links => links.map(link => link.href)")
    assert any("/evidence.html" in link for link in links)
    assert opened.complaints == []
    assert [url for url in opened.requests if not url.startswith("file:")] == []
