"""What all tests share: a browser, for those that look at pages."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.browser import VARIABLE, executable

_LEFT_OUT = pytest.StashKey[int]()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves out the tests that need a browser where there is none."""
    if executable() is not None:
        return
    needing = [item for item in items if item.get_closest_marker("browser")]
    if needing:
        config.hook.pytest_deselected(items=needing)
        config.stash[_LEFT_OUT] = len(needing)
        items[:] = [item for item in items if item not in needing]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Says so."""
    left_out = config.stash.get(_LEFT_OUT, 0)
    if left_out:
        terminalreporter.write_line(
            f"{left_out} tests of pages were left out: they need Chromium. Install it (Debian: apt-get install "
            f"chromium), or set {VARIABLE} to its path.",
            yellow=True,
        )


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable())
        yield browser
        browser.close()
