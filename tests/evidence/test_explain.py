from __future__ import annotations

from evidence.explain import Facts, IdFacts, Labels, TeacherQuality, sentences
from evidence.result import ExperimentResult, Finding, Mean
from evidence.verdicts import Effect
from schema.base import TaskKind
from schema.surface import Side

LABELS = Labels(fill_rate=0.4, filled=["z1"], bad=0, read=100, quality={"click": TeacherQuality("auc", 0.51)})


def _result(verdict: Effect, shuffled: float = 0.6) -> ExperimentResult:
    means = [("control", 0.6), ("student", 0.65), ("shuffled", shuffled), ("gaussian", 0.59)]
    return ExperimentResult(
        surface="tiny",
        runs=["one"],
        seeds=5,
        settings=["as configured"],
        confidence=0.95,
        verdicts=1,
        clusters=None,
        tasks={"click": TaskKind.BINARY},
        arms=[],
        means=[Mean(arm=arm, task="click", slice=None, mean=mean, std=0.01) for arm, mean in means],
        findings=[
            Finding(
                candidate="student",
                task="click",
                slice=None,
                metric="auc",
                distilled=True,
                examples=100,
                positives=40,
                verdict=verdict,
            )
        ],
        small_slices=0,
        seconds=1.0,
    )


def _facts(**update: object) -> Facts:
    ids = IdFacts("item_id", Side.ITEM, rows_per_id=6.4, new=0.09, known_to_teacher=0.99, read_by_teacher=True)
    return Facts(**{"target_rows": 1000, "source_rows": 20_000, "labels": LABELS, "ids": [ids], **update})


def test_a_sound_setting_is_described_without_warnings():
    text = "\n".join(sentences(_facts(), _result(Effect.KNOWLEDGE)))
    assert "the gain is the teacher's knowledge" in text
    assert "20,000 training rows, 20.0 times the target's 1,000." in text
    assert "item_id: 6.4 training rows for each item; 9% of the evaluation examples" in text
    assert "99% of the evaluation examples are of items that the teacher was trained on." in text
    assert "40% of the teacher's inputs do not exist on the target and are filled with defaults (z1)." in text
    assert "the teacher's AUC on the target is 0.5100, worse than the control's 0.6000. That is close to chance" in text
    assert "trials" not in text.replace("In trials nothing helped as much", "")
    assert "give surface.yaml an `unlabelled:` section" in text
    assert "under-regularized" not in text


def test_what_made_trials_fail_is_said():
    strange = IdFacts("item_id", Side.ITEM, rows_per_id=2.0, new=0.6, known_to_teacher=0.1, read_by_teacher=True)
    unread = IdFacts("user_id", Side.USER, rows_per_id=2.0, new=0.0, known_to_teacher=None, read_by_teacher=False)
    facts = _facts(source_rows=2_000, ids=[strange, unread])
    text = "\n".join(sentences(facts, _result(Effect.NONE, shuffled=0.62)))
    assert "as good as the control, within the margin" in text
    assert "in trials small sources taught little" in text
    assert "Where the teacher never saw the items, trials showed nothing beyond noise." in text
    assert "without, trials with many new users or items failed" in text
    assert "user_id: the teacher does not read it" in text
    assert "shuffled soft labels alone move the control by +0.0200" in text


def test_no_ids_and_no_source():
    labels = Labels(fill_rate=0.0, filled=[], bad=3, read=100, quality={})
    facts = _facts(source_rows=None, ids=[], labels=labels)
    text = "\n".join(sentences(facts, _result(Effect.REGULARISATION)))
    assert "All of the teacher's inputs exist on the target." in text
    assert "3 of 100 examples could not be labelled" in text
    assert "the source was not given (--source)" in text
    assert "students without id embeddings gained nothing" in text
    assert "noise in the teacher's place gains as well" in text


def test_pairs_never_shown_are_advised_only_where_the_teacher_can_know_them():
    def advised(**update: object) -> bool:
        return any("never shown" in line for line in sentences(_facts(**update), _result(Effect.NONE)))

    unread = IdFacts("user_id", Side.USER, rows_per_id=2.0, new=0.0, known_to_teacher=None, read_by_teacher=False)
    strange = IdFacts("item_id", Side.ITEM, rows_per_id=2.0, new=0.0, known_to_teacher=0.1, read_by_teacher=True)
    unasked = IdFacts("item_id", Side.ITEM, rows_per_id=2.0, new=0.0, known_to_teacher=None, read_by_teacher=True)
    assert advised()
    assert advised(ids=[unasked])
    assert not advised(pairs=True)
    assert not advised(ids=[unread])
    assert not advised(ids=[strange])
    assert not advised(ids=[])
