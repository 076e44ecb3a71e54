"""The pages of `crosskd ab` and `crosskd monitor`: what they say, and, in a browser, that they say it to everyone."""

from __future__ import annotations

from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe

from contracts.two_teachers import Compared
from crosskd import ab_page, monitor_page, teachers_page
from crosskd.monitor import Watched
from crosskd.teachers import TwoTeachers
from evidence.ab.readout import ReadoutTerms, read_out
from evidence.ab.spec import LogMetric, LogSpec
from evidence.side_by_side import compare
from evidence.watch.judging import Tolerance, alerts
from records.logs import read_log
from tests.browser import open_page
from tests.evidence.ab.logs import people, write_log
from tests.evidence.test_side_by_side import SURFACE, drawn
from tests.evidence.watch.handmade import promise, span

AUC, SLICE = ("click", "auc", ""), ("click", "auc", "shelf=3")


def watched(page: Path, *, bad: bool) -> Watched:
    """Two days of an earlier version, and five of this one, of which the last two may be bad."""
    promised = promise({AUC: (0.75, 0.002), SLICE: (0.72, 0.004), ("click", "calibration", ""): (1.0, 0.01)})
    good = {AUC: (0.751, 0.004), SLICE: (0.722, 0.01), ("click", "calibration", ""): (1.01, 0.02)}
    worse = {**good, SLICE: (0.55, 0.01)} if bad else good
    spans = [
        span(f"day-{day}", worse if day > 5 else good, version=7, drifted={"age": 0.02 * day}) for day in range(3, 8)
    ]
    return Watched(
        surface="home",
        version=7,
        pushed_at="2026-01-01T00:00:00+00:00",
        alerts=alerts(promised, spans if bad else spans[:3], Tolerance()),
        spans=spans if bad else spans[:3],
        earlier=[span(f"day-{day}", good, version=6) for day in (1, 2)],
        immature=["day-8"],
        trained=["day-0"],
        promise=promised,
        page=str(page),
    )


def page_of_monitor(folder: Path, *, bad: bool) -> Path:
    path = folder / "monitor" / "index.html"
    monitor_page.write(watched(path, bad=bad), path)
    return path


def page_of_experiment(folder: Path) -> Path:
    metrics = (LogMetric("minutes", "minutes"), LogMetric("a <b> of plays", "minutes", "plays"))
    spec = LogSpec("user", metrics, "arm", "day", slices=("country",))
    log = read_log([write_log(people(600, lift=0.3), folder / "log.parquet")], spec.columns)
    path = folder / "ab.html"
    ab_page.write(read_out(log, spec, ReadoutTerms("control")), path)
    return path


def page_of_teachers(folder: Path, noise: float = 1.5) -> Path:
    path = folder / "teachers.html"
    compared = Compared(examples=4000, left_out=3, side_by_side=compare(SURFACE, drawn(4, 4000, noise)))
    told = TwoTeachers(
        surface="library", old=("a/teacher", "f" * 64), new=("b/<new>", "0" * 64), span="7", compared=compared
    )
    teachers_page.write(told, path)
    return path


def test_the_page_of_two_teachers_names_the_task_on_which_the_new_one_is_worse(tmp_path: Path):
    text = page_of_teachers(tmp_path).read_text(encoding="utf-8")
    assert "The new one is worse on borrowed." in text and "WORSE on borrowed: a student would learn it" in text
    assert "of span 7; 3 left out" in text and "b/&lt;new&gt;" in text
    assert "genre=crime" in text and "calibration" in text
    assert "It is worse on no task." in page_of_teachers(tmp_path, 0.01).read_text(encoding="utf-8")


def test_the_page_of_what_is_watched_names_alerts_spans_and_versions(tmp_path: Path):
    text = page_of_monitor(tmp_path, bad=True).read_text(encoding="utf-8")
    for part in ("2 alert(s), up to day-7", "shelf=3", "day-6", "version 6", "day-8", "day-0", "80.0%", "90.0%"):
        assert part in text, part
    quiet = page_of_monitor(tmp_path, bad=False).read_text(encoding="utf-8")
    assert "Quiet up to day-5" in quiet and "Nothing got worse since the push." in quiet


def test_the_page_of_an_experiment_escapes_names(tmp_path: Path):
    text = page_of_experiment(tmp_path).read_text(encoding="utf-8")
    assert "a &lt;b&gt; of plays" in text and "a <b> of" not in text
    assert "country=fr" in text and "2026-03-07" in text


@pytest.mark.browser
@pytest.mark.parametrize("which", ["monitor", "quiet", "ab", "teachers"])
@pytest.mark.parametrize("width", [1280, 390])
def test_the_pages_open_for_everyone(chromium, tmp_path: Path, which: str, width: int):
    pages = {"ab": page_of_experiment, "teachers": page_of_teachers}
    path = pages[which](tmp_path) if which in pages else page_of_monitor(tmp_path, bad=which == "monitor")
    for dark in (False, True):
        opened = open_page(chromium, path, dark=dark, width=width)
        assert (opened.complaints, opened.requests) == ([], [])
        found = Axe().run(opened.page)
        assert found.violations_count == 0, found.generate_report()
        wide = opened.page.evaluate("document.documentElement.scrollWidth")
        assert wide <= width
        opened.page.context.close()
