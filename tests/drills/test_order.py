"""Runs that were cut short, and models that come back after a better one took their place."""

import multiprocessing
import os
import signal
import time
from dataclasses import replace

import pytest

from contracts.decision import BoundKind, Verdict
from tests.drills import shelf
from tests.drills.product import Candidate, Product, without

pytestmark = pytest.mark.slow

# Above every absolute bound, and far behind `shelf.BETTER`.
MEDIOCRE = shelf.Quality(noise=0.6)


@pytest.fixture(scope="module")
def overtaken(tmp_path_factory) -> Product:
    """A product with two mediocre students, one not judged and one not pushed, where a better one serves."""
    made = Product(tmp_path_factory.mktemp("overtaken"))
    made.run(without(made.nodes(mediocre(made, "unjudged")), "BlessingGate", "Pusher"))
    blessed = made.run(without(made.nodes(mediocre(made, "unpushed")), "Pusher"))
    assert blessed.decision.blessed
    better = made.judge(made.candidate("better", shelf.BETTER))
    assert better.pushed
    assert better.decision.first_run  # what was blessed and not pushed is no baseline
    return made


def mediocre(product: Product, name: str) -> Candidate:
    """A candidate that is no worse than its control; its mark is its name's length."""
    quality = replace(MEDIOCRE, mark=0.1 * len(name))
    control = product.folder / "mediocre-control"
    if not control.exists():
        shelf.write_model(control, MEDIOCRE)
    return replace(product.candidate(name, quality), control=control)


@pytest.mark.parametrize("name", ["unjudged", "unpushed"])
def test_a_run_that_was_cut_short_goes_on_after_a_better_one(overtaken, name):
    late = replace(overtaken.candidate_at(name), control=overtaken.folder / "mediocre-control")
    outcome = overtaken.refuse(late)
    assert not outcome.decision.first_run
    assert outcome.verdict("days", BoundKind.ABSOLUTE) is Verdict.PASS
    assert outcome.verdict("days", BoundKind.CONTROL) is Verdict.PASS
    assert outcome.verdict("days", BoundKind.LAST_BLESSED) is Verdict.FAIL
    assert "against the last blessed model" in outcome.decision.sentence


def test_metadata_that_are_lost_do_not_lower_the_bar(overtaken, tmp_path):
    """The metadata know of no blessed model, and the serving folder holds a better one."""
    stranger = Product(tmp_path)
    stranger.settings = replace(stranger.settings, serving=overtaken.settings.serving)
    shelf.write_model(stranger.folder / "mediocre", replace(MEDIOCRE, mark=0.7))
    shelf.write_model(stranger.folder / "mediocre-control", MEDIOCRE)
    outcome = stranger.refuse(replace(stranger.candidate_at("mediocre"), control=stranger.folder / "mediocre-control"))
    assert not outcome.decision.first_run
    assert outcome.verdict("days", BoundKind.LAST_BLESSED) is Verdict.FAIL


def test_a_run_that_is_killed_while_it_evaluates(product):
    candidate = product.candidate("killed", replace(shelf.GOOD, mark=0.3))
    before = product.served()
    started = time.time()
    running = multiprocessing.get_context("spawn").Process(target=product.judge, args=(candidate,))
    running.start()
    while not _evaluates(product, started):
        assert running.is_alive()
        time.sleep(0.01)
    os.kill(running.pid, signal.SIGKILL)
    running.join()
    killed = product.outcome(product.versions())
    assert killed.run.nodes["Evaluator"].state == "RUNNING"
    assert killed.decision is None
    assert product.served() == before
    again = product.judge(candidate)
    assert again.run.nodes["Evaluator"].state == "COMPLETE"
    assert again.pushed


def _evaluates(product: Product, since: float) -> bool:
    """Whether the Evaluator of the run that started then has its folder."""
    folders = (product.root / "artifacts" / "Evaluator" / "evaluation").iterdir()
    return any(folder.stat().st_mtime > since for folder in folders)
