"""Two runs on one page, as values and in a real browser; the slicing tool by clicks."""

from __future__ import annotations

import dataclasses
import json

import pytest
from axe_playwright_python.sync_playwright import Axe

from components.evaluation_report import slicer
from components.evaluation_report.comparison import ComparedRun, changed_keys, compare
from components.evaluation_report.contents import compose
from components.evaluation_report.page import render, render_comparison
from contracts.decision import Measurement
from evaluation.results import TaskMetrics
from schema.surface import Surface
from tests.browser import Opened, open_page
from tests.components.evaluation_report import handmade


def run(name: str, student: float = 0.7, surface: Surface | None = None) -> ComparedRun:
    sources = handmade.sources(student=student)
    sliced = slicer.SlicedRun(name, sources.against_control, sources.against_last)
    return ComparedRun(
        name, surface or sources.surface, sources.decision, sources.labels, sliced, {"Transform": 12.5 + student}
    )


def other_surface() -> Surface:
    content = handmade.two_tasks().model_dump(by_alias=True)
    content["training"]["epochs"] = 3
    return Surface.model_validate(content)


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pages")
    (folder / "report.html").write_text(render(compose(handmade.sources())))
    compared = compare(run("monday"), run("tuesday", 0.55, other_surface()))
    (folder / "comparison.html").write_text(render_comparison(compared))
    return folder


def test_the_difference_of_two_runs_has_the_interval_of_independent_ones():
    assert slicer.difference([0.7, 0.69, 0.71], [0.75, 0.72, 0.78]) == [
        0.05,
        pytest.approx(0.018377, rel=1e-4),
        pytest.approx(0.081623, rel=1e-4),
    ]
    assert slicer.difference([0.7, None, None], [0.6, 0.5, 0.7]) == [-0.1, None, None]


def test_metrics_gates_and_configuration_stand_beside_each_other():
    page = compare(run("monday"), run("tuesday", 0.55, other_surface()))
    assert (page.title, page.first, page.second) == ("tiny", "monday: blessed", "tuesday: not blessed")
    found = {section.name: section for section in page.sections}
    click = next(row for row in found["metrics"].tables[0].rows if row[1].text == "AUC")
    assert [cell.text for cell in click[:3]] == ["click", "AUC", "0.7000"]
    assert (click[4].value, click[6].value) == (0.55, pytest.approx(-0.15))
    assert found["gates"].lead.startswith("5 gates, of which 1 were judged otherwise")
    assert [[cell.text for cell in row] for row in found["configuration"].tables[0].rows] == [
        ["training.epochs", "10", "3"]
    ]
    assert found["data"].tables[0].rows[1][1].value == 1000
    assert [cell.value for cell in found["durations"].tables[0].rows[0][1:]] == [13.2, 13.05]


def test_runs_of_one_surface_have_no_key_that_differs():
    assert changed_keys(handmade.two_tasks(), handmade.two_tasks()) == []


def test_the_tool_has_every_slice_and_says_what_it_leaves_out(monkeypatch):
    sources = handmade.sources()
    sliced = slicer.SlicedRun("x", sources.against_control, sources.against_last)
    content = slicer.data(sources.surface, [sliced])
    assert content["features"] == ["new_release", "shelf"]
    assert content["tasks"] == {"click": "auc", "minutes": "r2"}
    new = next(row for row in content["rows"] if row["slice"] == [["new_release", "1"]] and row["metric"] == "auc")
    assert (new["examples"], new["views"][slicer.MINUS_CONTROL][0]) == (90, -0.05)
    monkeypatch.setattr(slicer, "MOST_ROWS", 2)
    few = slicer.data(sources.surface, [sliced])
    assert (len(few["rows"]), few["left_out"]) == (2, len(content["rows"]) - 2)
    assert all(row["slice"] == [] for row in few["rows"])


def test_the_score_is_sliced_and_compared_as_tasks_are():
    content = {**handmade.two_tasks().model_dump(by_alias=True), "group": "page", "score": "click * minutes"}
    surface = Surface.model_validate(content)
    sources = handmade.sources()
    scored = TaskMetrics({"ndcg_at_10": Measurement(value=0.5), "labelled_examples": Measurement(value=90)})
    slices = {(): {**sources.against_control.slices[()], "score": scored}}
    against = dataclasses.replace(sources.against_control, slices=slices)
    sliced = slicer.SlicedRun("x", against, sources.against_last)
    found = slicer.data(surface, [sliced])
    assert found["tasks"] == {"click": "auc", "minutes": "r2", "score": "ndcg_at_10"}
    (row,) = (each for each in found["rows"] if each["task"] == "score")
    assert (row["metric"], row["views"]) == ("ndcg_at_10", {slicer.STUDENT: [0.5, None, None]})
    one = ComparedRun("monday", surface, sources.decision, sources.labels, sliced)
    rows = compare(one, one).sections[0].tables[0].rows
    assert [cell.text for cell in rows[-1][:3]] == ["score", "NDCG@10", "0.5000"]


def test_data_cannot_end_their_script_element():
    assert "</script>" not in slicer.as_json({"a": "</script><script>"})
    assert json.loads(slicer.as_json({"a": "</script>"})) == {"a": "</script>"}


def sliced(opened: Opened) -> list[list[str]]:
    rows = opened.page.locator(".sliced tbody tr").all()
    return [[each.replace("\N{MINUS SIGN}", "-") for each in row.locator("th,td").all_inner_texts()] for row in rows]


def values(opened: Opened, column: int = 3) -> list[float]:
    return [float(row[column]) for row in sliced(opened)]


@pytest.mark.browser
class TestInABrowser:
    def test_it_shows_the_change_against_the_control_largest_slices_first(self, chromium, pages):
        opened = open_page(chromium, pages / "report.html")
        assert opened.complaints == opened.requests == []
        found = sliced(opened)
        assert found[0][0] == "overall"
        assert len(found) == 5
        assert opened.page.locator(".said").inner_text().startswith("5 slices; in ")

    def test_a_click_sorts_and_a_second_one_turns_round(self, chromium, pages):
        opened = open_page(chromium, pages / "report.html")
        opened.page.click(".sliced [data-key=value]")
        assert values(opened) == sorted(values(opened))
        assert values(opened)[0] == pytest.approx(-0.05)
        opened.page.click(".sliced [data-key=value]")
        assert values(opened) == sorted(values(opened), reverse=True)
        assert opened.page.locator(".sliced th:has([data-key=value])").get_attribute("aria-sort") == "descending"

    def test_small_slices_and_features_are_left_out(self, chromium, pages):
        opened = open_page(chromium, pages / "report.html")
        opened.page.fill("[name=least]", "91")
        assert "new_release=1" not in [row[0] for row in sliced(opened)]
        opened.page.uncheck(".features [value=shelf]")
        assert [row[0] for row in sliced(opened)] == ["overall"]
        opened.page.check(".features [value=shelf]")
        opened.page.fill("[name=text]", "shelf=1")
        assert [row[0] for row in sliced(opened)] == ["shelf=1"]

    def test_task_metric_and_view_are_picked(self, chromium, pages):
        opened = open_page(chromium, pages / "report.html")
        opened.page.select_option("[name=task]", "minutes")
        assert {row[0] for row in sliced(opened)} == {"overall", "new_release=1"}
        opened.page.select_option("[name=view]", "control")
        assert values(opened)[0] == pytest.approx(0.25)
        assert opened.page.locator(".spread").get_attribute("aria-label").startswith("Distribution over slices: from")

    def test_two_runs_are_compared_slice_by_slice(self, chromium, pages):
        opened = open_page(chromium, pages / "comparison.html")
        assert opened.complaints == opened.requests == []
        assert opened.page.locator("[name=view]").input_value() == slicer.BETWEEN
        by_slice = {row[0]: row for row in sliced(opened)}
        assert float(by_slice["overall"][3]) == pytest.approx(-0.15)
        opened.page.select_option("[name=view]", "student")
        opened.page.select_option("[name=run]", label="tuesday")
        assert float({row[0]: row for row in sliced(opened)}["overall"][3]) == pytest.approx(0.55)

    @pytest.mark.parametrize("name", ["report", "comparison"])
    @pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
    def test_axe_finds_no_barrier(self, chromium, pages, name, dark):
        opened = open_page(chromium, pages / f"{name}.html", dark=dark)
        found = Axe().run(opened.page).response["violations"]
        assert [(each["id"], [node["html"][:160] for node in each["nodes"]][:3]) for each in found] == []

    def test_nothing_is_wider_than_a_phone(self, chromium, pages):
        opened = open_page(chromium, pages / "comparison.html", width=360)
        assert opened.page.evaluate("document.documentElement.scrollWidth") <= 360


def test_a_run_that_has_no_evaluation_left_is_compared_all_the_same():
    bare = dataclasses.replace(run("monday"), sliced=slicer.SlicedRun("monday", None, None), labels=None)
    page = compare(bare, bare)
    notes = {section.name: section.notes for section in page.sections}
    assert notes["metrics"] == ("The two runs have no metric of a task in common.",)
    assert notes["explore"] == ("There is no evaluation that could be read.",)
