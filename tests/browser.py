"""A real browser for tests of pages: where it is, and what it says."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path

from playwright.sync_api import Browser, ConsoleMessage, Page, Request

VARIABLE = "CROSSKD_CHROMIUM"
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def executable() -> str | None:
    """Chromium's path: what the variable says, or what is on the PATH; None where there is none."""
    return os.environ.get(VARIABLE) or next((path for name in NAMES if (path := shutil.which(name))), None)


@dataclass
class Opened:
    """A page that was opened from disk.

    Attributes:
      page: Playwright's.
      complaints: Whatever it wrote to the console, and errors of its script.
      requests: What it asked for beside itself.
    """

    page: Page
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def hear(self, message: ConsoleMessage) -> None:
        self.complaints.append(message.text)

    def fail(self, error: Exception) -> None:
        self.complaints.append(str(error))

    def ask(self, request: Request) -> None:
        if not request.is_navigation_request() and not request.url.startswith("data:"):
            self.requests.append(request.url)

    def cells(self, table: str) -> list[list[tuple[str, float | None]]]:
        """Text and number of every cell, row by row, as they stand on the page."""
        rows = self.page.eval_on_selector_all(
            f"#table-{table} tbody tr",
            "rows => rows.map(row => [...row.cells].map(one => [one.textContent.trim(), one.dataset.value ?? null]))",
        )
        return [[(text, None if value is None else float(value)) for text, value in row] for row in rows]


def open_page(browser: Browser, path: Path, *, dark: bool = False, width: int = 1280) -> Opened:
    context = browser.new_context(
        color_scheme="dark" if dark else "light", viewport={"width": width, "height": 900}, offline=True
    )
    opened = Opened(context.new_page())
    opened.page.on("console", opened.hear)
    opened.page.on("pageerror", opened.fail)
    opened.page.on("request", opened.ask)
    opened.page.goto(path.as_uri())
    return opened
