"""What was pushed, or made, and is not there any more, is made anew by the same run."""

import shutil
from pathlib import Path

import pytest

from crosskd.inventory import whole
from records.manifest import damage
from tests.components.model_pusher.handmade import cut
from tests.drills.product import Outcome, Product

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Product:
    product = Product(tmp_path_factory.mktemp("lost"))
    with whole(product.root, pytest.fail):
        assert product.judge(product.good).pushed
    return product


def again(product: Product) -> tuple[Outcome, list[str]]:
    said: list[str] = []
    with whole(product.root, said.append):
        outcome = product.judge(product.good)
    newest = Path(product.settings.serving) / product.versions()[-1]
    assert damage(str(newest), None) is None
    return outcome, said


def test_a_damaged_version_is_repaired_by_the_same_run(made):
    cut(Path(made.settings.serving) / made.versions()[-1])
    outcome, said = again(made)
    assert len(said) == 1
    assert outcome.pushed
    assert "was damaged: variables/variables.data" in outcome.sentence
    executed = {node for node, each in outcome.run.nodes.items() if each.state != "CACHED"}
    assert executed - {"Student", "Control", "Labelled", "Report", "LastBlessed"} == {"Pusher"}


def test_a_decision_and_a_version_that_are_deleted_are_made_anew(made):
    decision = made.outcome(made.versions()).run.output("BlessingGate", "decision")[0]
    (Path(decision) / "decision.json").unlink()
    shutil.rmtree(made.settings.serving)
    outcome, said = again(made)
    assert len(said) == 2
    assert outcome.decision.blessed
    assert len(made.versions()) == 1
    assert outcome.run.nodes["Evaluator"].state == "CACHED"
    outcome, said = again(made)
    assert (outcome.pushed, said) == (False, [])
