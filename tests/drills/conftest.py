from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.drills import shelf
from tests.drills.product import Candidate, Product, without


@dataclass(frozen=True)
class Evaluated:
    """A good candidate that was evaluated and not judged, and where its evaluations are."""

    candidate: Candidate
    evaluations: dict[str, Path]


@pytest.fixture(scope="session")
def product(tmp_path_factory) -> Product:
    """A product in which a good first student serves; drills leave it as it is."""
    made = Product(tmp_path_factory.mktemp("product"))
    outcome = made.judge(made.good)
    assert outcome.pushed, outcome.sentence
    return made


@pytest.fixture(scope="session")
def evaluated(product) -> Evaluated:
    candidate = product.candidate("evaluated", shelf.Quality(mark=0.2))
    run = product.run(without(product.nodes(candidate), "BlessingGate", "Pusher")).run
    kinds = ("evaluation", "control_evaluation")
    return Evaluated(candidate, {kind: Path(run.output("Evaluator", kind)[0]) for kind in kinds})
