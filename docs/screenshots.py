"""Takes the documentation's pictures of a report, in a real browser: `python docs/screenshots.py ROOT`.

ROOT is the root of a finished `crosskd run`.
"""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from crosskd.summary import quiet_summary
from schema.errors import InputError

PICTURES = Path(__file__).parent / "pictures"
_MARGIN = 20
_EDGES = "name => document.getElementById(name).getBoundingClientRect().toJSON()"


@dataclass(frozen=True)
class Shot:
    """One picture: the window at the top of the page, or one section of it.

    Attributes:
      name: The name of the file.
      section: The section; None for the window.
      dark: Whether the reader prefers dark pages.
      width: The width of the window, in CSS pixels.
      height: The height of the window; also the most of a section that is shown.
      scale: Device pixels per CSS pixel.
    """

    name: str
    section: str | None = None
    dark: bool = False
    width: int = 1200
    height: int = 900
    scale: float = 1.5


SHOTS = (
    Shot("report-light", height=1180),
    Shot("report-dark", dark=True, height=1180),
    Shot("report-phone", width=390, height=844, scale=2),
    Shot("report-phone-slices", section="slices", width=390, height=844, scale=2),
    Shot("report-slices", section="slices", height=1100),
    Shot("report-calibration", section="calibration"),
    Shot("report-labels", section="soft-labels"),
    Shot("report-drift", section="drift"),
    Shot("report-training", section="training", dark=True),
    Shot("report-runs", section="history"),
)


def main(root: Path) -> None:
    """Takes all pictures of the newest run's report under `root`."""
    report = quiet_summary(root, as_json=False).report
    if report is None:
        raise InputError(f"{root}: the newest run has no report; give the same `crosskd run` again to make it")
    PICTURES.mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=os.environ.get("CROSSKD_CHROMIUM") or shutil.which("chromium")
        )
        for shot in SHOTS:
            path = PICTURES / f"{shot.name}.png"
            path.write_bytes(_take(browser, Path(report), shot))
            print(f"{path}: {path.stat().st_size:,} bytes")
        browser.close()


def _take(browser: Browser, report: Path, shot: Shot) -> bytes:
    page: Page = browser.new_page(
        viewport={"width": shot.width, "height": shot.height},
        color_scheme="dark" if shot.dark else "light",
        device_scale_factor=shot.scale,
    )
    page.goto(report.as_uri())
    if shot.section is None:
        picture = page.screenshot()
    else:
        edges = page.evaluate(_EDGES, shot.section)
        height = min(edges["height"] + 2 * _MARGIN, shot.height)
        picture = page.screenshot(
            full_page=True, clip={"x": 0, "y": edges["y"] - _MARGIN, "width": shot.width, "height": height}
        )
    page.close()
    return picture


if __name__ == "__main__":
    main(Path(sys.argv[1]))
