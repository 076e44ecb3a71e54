"""What all tests share: a browser, for those that look at pages, and what is left out where it cannot run."""

from __future__ import annotations

import importlib
import signal
import sys
from collections.abc import Iterator

import pytest
import setuptools  # noqa: F401 - It takes the place of distutils, and refuses to be imported after it.
from playwright.sync_api import Browser, sync_playwright

from tests import databases
from tests.browser import VARIABLE, executable

_LEFT_OUT = pytest.StashKey[list[str]]()


def _needs() -> dict[str, str]:
    """Markers whose tests cannot run here, and what a person can do about it."""
    needs = {}
    if executable() is None:
        needs["browser"] = f"Chromium: install it (Debian: apt-get install chromium), or set {VARIABLE} to its path"
    if packages := databases.missing():
        needs["databases"] = f"database servers (Debian: apt-get install --no-install-recommends {' '.join(packages)})"
    return needs


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves out the tests that need what this machine has not, and has slow files begun with.

    Files are dealt out to processes in this order: one that takes minutes must not be the last.
    """
    config.stash[_LEFT_OUT] = []
    for marker, need in _needs().items():
        needing = [item for item in items if item.get_closest_marker(marker)]
        if needing:
            config.hook.pytest_deselected(items=needing)
            config.stash[_LEFT_OUT].append(f"{len(needing)} tests were left out: they need {need}.")
            items[:] = [item for item in items if item not in needing]
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


def pytest_collection_finish() -> None:
    """Where a test uses Beam, it remembers what it works out at every step."""
    if "apache_beam" in sys.modules:
        importlib.import_module("tests.beam_memory")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Says so."""
    for line in config.stash.get(_LEFT_OUT, []):
        terminalreporter.write_line(line, yellow=True)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable())
        yield browser
        browser.close()


@pytest.fixture
def interruptible() -> Iterator[None]:
    """A shell that runs the tests in the background ignores Ctrl-C, and so would the programs that they start."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)
