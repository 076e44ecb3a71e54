import pytest
from tfx.dsl.components.base import base_executor
from tfx.types import standard_artifacts

from components.run_outcome.executor import Executor, OutcomeError
from contracts.artifacts import GateDecision
from contracts.decision import Decision
from contracts.outcome import Exit, Outcome
from records import documents


def end(folder, *, blessed: bool, pushed: bool, unless: Outcome) -> None:
    decision, model = GateDecision(), standard_artifacts.PushedModel()
    decision.uri = str(folder)
    sentence = "Every gate was passed." if blessed else "AUC is too low."
    documents.write(
        decision.uri,
        Decision(surface="s", blessed=blessed, first_run=True, sentence=sentence, gates=(), checks=(), metrics=()),
    )
    model.set_int_custom_property("pushed", int(pushed))
    model.set_string_custom_property("sentence", "Pushed as version 7." if pushed else "Not pushed: it was superseded.")
    Executor(base_executor.BaseExecutor.Context()).Do(
        {"decision": [decision], "pushed_model": [model], "page": []}, {}, {"fails_unless": unless.value}
    )


@pytest.mark.parametrize("unless", Outcome)
def test_a_run_whose_student_is_pushed_ends_well(tmp_path, unless):
    end(tmp_path, blessed=True, pushed=True, unless=unless)


@pytest.mark.parametrize("unless", Outcome)
def test_a_student_that_is_not_blessed_ends_as_locally(tmp_path, unless):
    with pytest.raises(OutcomeError, match=r"^Not blessed: AUC is too low\.$") as ended:
        end(tmp_path, blessed=False, pushed=False, unless=unless)
    assert ended.value.code is Exit.NOT_BLESSED


def test_a_student_that_is_blessed_and_not_pushed_ends_as_locally_unless_that_was_not_asked(tmp_path):
    with pytest.raises(OutcomeError, match=r"^Blessed, and not pushed: it was superseded\.$") as ended:
        end(tmp_path, blessed=True, pushed=False, unless=Outcome.PUSHED)
    assert ended.value.code is Exit.NOT_PUSHED
    end(tmp_path, blessed=True, pushed=False, unless=Outcome.BLESSED)
