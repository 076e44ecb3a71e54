"""The counterpart: a good student is pushed, in each of the three settings."""

from dataclasses import replace
from pathlib import Path

import pytest

from contracts.decision import BoundKind, Verdict
from contracts.provenance import Provenance
from pipeline.runners import Runner
from records import documents
from tests.drills import shelf
from tests.drills.product import Product

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def new_product(tmp_path_factory) -> Product:
    return Product(tmp_path_factory.mktemp("new"))


@pytest.fixture(scope="module")
def first(new_product):
    return new_product.judge(new_product.good, runner=Runner.LOCAL)


@pytest.fixture(scope="module")
def better(new_product, first):
    return new_product.judge(new_product.candidate("better", shelf.BETTER), runner=Runner.BEAM)


def served_newest(product: Product) -> Path:
    return Path(product.settings.serving) / product.versions()[-1]


def test_on_the_first_run_the_decision_says_so(first):
    assert first.pushed
    assert first.decision.first_run
    assert first.verdict("days", BoundKind.LAST_BLESSED) is Verdict.NOT_JUDGED
    assert first.verdict("days", BoundKind.ABSOLUTE) is first.verdict("days", BoundKind.CONTROL) is Verdict.PASS
    assert "first run: no blessed model yet" in first.decision.sentence


def test_a_slice_with_too_few_positives_is_reported_and_not_judged(first):
    assert first.pushed
    (gate,) = (each for each in first.decision.gates if each.slice == "rare")
    assert gate.verdict is Verdict.NOT_JUDGED
    assert gate.examples == shelf.RARE_ROWS
    assert gate.sentence == (
        f"borrowed auc, slice rare (genre=rare): not judged, {gate.positives} positives and 50 are needed."
    )
    assert 0 < gate.student.value <= 1


def test_better_than_the_last_blessed(better, new_product):
    assert better.pushed
    assert not better.decision.first_run
    (gate,) = (each for each in better.decision.gates if (each.task, each.kind) == ("days", BoundKind.LAST_BLESSED))
    assert gate.verdict is Verdict.PASS
    assert gate.difference.value > 0.1
    assert len(new_product.versions()) == 2


def test_what_is_pushed_is_the_student_with_its_decision(better, new_product):
    provenance = documents.find(str(served_newest(new_product)), Provenance)
    assert provenance.model == str(new_product.folder / "better")
    assert provenance.decision == better.decision.sentence
    assert provenance.origin.surface == "shelf"
    student = new_product.folder / "better" / "Format-Serving" / "saved_model.pb"
    assert (served_newest(new_product) / "saved_model.pb").read_bytes() == student.read_bytes()


def test_equal_to_the_last_blessed_on_new_data(better, new_product):
    candidate = replace(
        new_product.candidate("equal", replace(shelf.BETTER, mark=0.2)),
        examples=shelf.write_labelled(new_product.folder / "tomorrow", seed=1),
    )
    outcome = new_product.judge(candidate)
    assert outcome.pushed
    changes = {g.difference.value for g in outcome.decision.gates if g.kind is BoundKind.LAST_BLESSED}
    assert changes == {0.0}
    assert len(new_product.versions()) == 3
    again = new_product.judge(candidate)
    assert again.decision == outcome.decision
    assert not again.pushed
    executed = {node for node, each in again.run.nodes.items() if each.state != "CACHED"}
    assert executed <= {"Student", "Control", "Labelled", "Report", "LastBlessed"}  # importers and resolvers
