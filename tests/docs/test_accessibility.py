"""The documentation's site as axe-core sees it: names, landmarks, table headers, contrast."""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe

from tests.browser import open_page

pytestmark = pytest.mark.browser

# The first page, each door, and what is peculiar to a page: code, wide tables, drawings, made from the code.
PAGES = (
    "index.html",
    "try/index.html",
    "your-data/index.html",
    "every-day/index.html",
    "how/index.html",
    "walkthrough.html",
    "features.html",
    "results.html",
    "notebooks/slicing.html",
    "notebooks/slicing_files/slices.html",  # the slicing tool by itself
    "reference/metrics.html",
    "python.html",
)


LIGHT, DARK, PHONE = (False, 1280), (True, 1280), (False, 390)
CASES = [
    *((name, *LIGHT) for name in PAGES),
    *((name, *DARK) for name in ("index.html", "features.html", "notebooks/slicing_files/slices.html")),
    *((name, *PHONE) for name in ("index.html", "results.html", "notebooks/slicing_files/slices.html")),
]


@pytest.mark.parametrize(("name", "dark", "width"), CASES)
def test_axe_finds_no_barrier(site, chromium, name, dark, width):
    opened = open_page(chromium, site / name, dark=dark, width=width)
    opened.page.locator(".md-content h1, table.sliced").first.wait_for()
    found = Axe().run(opened.page).response["violations"]
    opened.page.context.close()
    assert [(each["id"], [node["html"][:160] for node in each["nodes"]][:3]) for each in found] == []
