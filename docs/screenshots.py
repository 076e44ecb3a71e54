"""Takes the documentation's pictures in a real browser: `python docs/screenshots.py ROOT [NAME ...]`.

ROOT is the root of two finished runs of `crosskd run`; the picture `documentation` is of the site that `make docs`
built.  Without a name, all pictures are taken.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright
from playwright.sync_api import Error as PlaywrightError

from components.evaluation_report.slicer import MINUS_CONTROL
from crosskd.summary import quiet_summary
from schema.errors import InputError

sys.path.insert(0, str(Path(__file__).parent.parent))
from tests.notebooks import lab

_HERE = Path(__file__).parent
PICTURES = _HERE / "pictures"
_FIRST_PAGE = _HERE.parent / "build" / "site" / "index.html"
_BIN = Path(sys.executable).parent
_TRIES = 60
_MARGIN = 20
_EDGES = "name => document.getElementById(name).getBoundingClientRect().toJSON()"


@dataclass(frozen=True)
class Shot:
    """One picture: the window at the top of the page, or one section of it.

    Attributes:
      name: The name of the file.
      section: The section; None for the window.
      comparison: Whether it is of the comparison of the two runs, and not of the newest one's report.
      slices: What is typed into the slicing tool first; empty for nothing.
      dark: Whether the reader prefers dark pages.
      width: The width of the window, in CSS pixels.
      height: The height of the window; also the most of a section that is shown.
      scale: Device pixels per CSS pixel.
    """

    name: str
    section: str | None = None
    comparison: bool = False
    slices: str = ""
    dark: bool = False
    width: int = 1200
    height: int = 900
    scale: float = 1.25


SHOTS = (
    Shot("report-light", height=1060),
    Shot("report-dark", dark=True, height=1060),
    Shot("report-phone", width=390, height=844, scale=2),
    Shot("report-phone-slices", section="slices", width=390, height=844, scale=2),
    Shot("report-slices", section="slices"),
    Shot("slicing", section="explore", height=1000),
    Shot("slicing-chosen", section="explore", slices="new_release", height=1000),
    Shot("report-calibration", section="calibration"),
    Shot("report-labels", section="soft-labels"),
    Shot("report-drift", section="drift"),
    Shot("report-features", section="feature-drift"),
    Shot("report-durations", section="durations"),
    Shot("report-training", section="training", dark=True),
    Shot("report-runs", section="history"),
    Shot("comparison", comparison=True, height=820),
)
_TENSORBOARD, _NOTEBOOK, _DOCUMENTATION = "tensorboard", "jupyterlab", "documentation"


def main(root: Path, names: tuple[str, ...] = ()) -> None:
    """Takes pictures: of the newest run's report under `root`, its comparison with the run before, and beside them.

    Args:
      root: The root.
      names: Which; all of them if there is none.

    Raises:
      InputError: There is no such picture, the newest run has no report, or the site is not built.
    """
    others = {_TENSORBOARD: _tensorboard, _NOTEBOOK: _jupyterlab, _DOCUMENTATION: _documentation}
    known = [*(shot.name for shot in SHOTS), *others]
    if unknown := set(names) - set(known):
        raise InputError(f"no such picture: {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    wanted = names or tuple(known)
    report = quiet_summary(root, as_json=False).report
    if report is None:
        raise InputError(f"{root}: the newest run has no report; give the same `crosskd run` again to make it")
    PICTURES.mkdir(exist_ok=True)
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as folder:
        comparison = Path(folder) / "comparison.html"
        subprocess.run([_BIN / "crosskd", "compare", f"{root}@-1", root, "--out", comparison], check=True)
        browser = playwright.chromium.launch(
            executable_path=os.environ.get("CROSSKD_CHROMIUM") or shutil.which("chromium")
        )
        for shot in (each for each in SHOTS if each.name in wanted):
            path = PICTURES / f"{shot.name}.png"
            path.write_bytes(_take(browser, comparison if shot.comparison else Path(report), shot))
            print(f"{path}: {path.stat().st_size:,} bytes")
        for name in (each for each in others if each in wanted):
            path = PICTURES / f"{name}.png"
            others[name](browser, root, path)
            print(f"{path}: {path.stat().st_size:,} bytes")
        browser.close()


def _tensorboard(browser: Browser, root: Path, path: Path) -> None:
    """Takes the picture of TensorBoard with the losses of all runs under `root`."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    options = ["--logdir", str(root / "artifacts"), "--host", "127.0.0.1", "--port", port]
    with subprocess.Popen([str(_BIN / "tensorboard"), *options], stderr=subprocess.DEVNULL) as server:
        page = browser.new_page(viewport={"width": 1200, "height": 800})
        for _ in range(_TRIES):
            with contextlib.suppress(PlaywrightError):  # it is not up yet
                page.goto(f"http://127.0.0.1:{port}/?tagFilter=epoch_(hard|soft)_loss#timeseries")
                break
            time.sleep(1)
        page.locator("scalar-card line-chart").first.wait_for(timeout=60_000)
        page.wait_for_timeout(3_000)  # until the lines are drawn
        path.write_bytes(page.screenshot())
        server.terminate()


def _jupyterlab(browser: Browser, root: Path, path: Path) -> None:
    """Takes the picture of the slicing notebook in JupyterLab, once it has run and its tool is asked for a view."""
    os.environ["CROSSKD_ROOT"] = str(root.resolve())
    with tempfile.TemporaryDirectory() as folder, lab.serving(Path(folder)) as address:
        page = browser.new_page(viewport={"width": 1200, "height": 900}, device_scale_factor=1.25)
        lab.run_all(page, f"{address}/lab/tree/slicing.ipynb")
        tool = page.frame_locator("iframe[srcdoc]")
        tool.locator("table.sliced tbody tr").first.wait_for(timeout=_TRIES * 2_000)
        tool.locator("[name=view]").select_option(MINUS_CONTROL)
        tool.locator("[name=run]").select_option(index=1)  # the newest
        page.get_by_role("button", name="No", exact=True).click()  # JupyterLab asks whether it may fetch news
        page.locator("iframe[srcdoc]").evaluate("each => each.scrollIntoView({block: 'center'})")
        page.wait_for_timeout(3_000)  # until JupyterLab has drawn what is in sight now
        path.write_bytes(page.screenshot())
        page.close()


def _documentation(browser: Browser, root: Path, path: Path) -> None:
    """Takes the picture of the site's first page, as it opens from disk."""
    if not _FIRST_PAGE.exists():
        raise InputError(f"{_FIRST_PAGE}: no such page; `make docs` builds it")
    page = browser.new_page(viewport={"width": 1280, "height": 900}, device_scale_factor=1.25)
    page.goto(_FIRST_PAGE.as_uri())
    path.write_bytes(page.screenshot())
    page.close()


def _take(browser: Browser, report: Path, shot: Shot) -> bytes:
    page: Page = browser.new_page(
        viewport={"width": shot.width, "height": shot.height},
        color_scheme="dark" if shot.dark else "light",
        device_scale_factor=shot.scale,
    )
    page.goto(report.as_uri())
    if shot.slices:
        page.fill(".slicer input[name=text]", shot.slices)
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
    main(Path(sys.argv[1]), tuple(sys.argv[2:]))
