"""What breaks the clients of a model that serves, told from signatures alone."""

from __future__ import annotations

from dataclasses import replace

import pytest

from records.clients import Break, breaks, listed, refusal
from records.parsed_columns import ParsedColumn
from records.saved_model import TensorType
from records.served import ServedModel, ServingSignature
from schema.serving import BreakingChange

ONE: TensorType = ("float32", (None,))
COLUMNS = {
    "user": ParsedColumn("int64", required=True, shape=()),
    "match": ParsedColumn("float32", required=True, shape=()),
    "genres": ParsedColumn("string"),
}
SUCCESSOR = ServingSignature({"click": ONE, "minutes": ONE}, COLUMNS, {"click": "binary", "minutes": "regression"})
SERVED = ServedModel(SUCCESSOR.outputs, COLUMNS, SUCCESSOR.kinds, 17)


def test_the_same_and_less_that_is_asked_and_more_that_is_answered_break_nobody() -> None:
    fewer = {name: column for name, column in COLUMNS.items() if name != "match"}
    lenient = {**COLUMNS, "match": replace(COLUMNS["match"], required=False)}
    more = replace(SUCCESSOR, outputs={**SUCCESSOR.outputs, "save": ONE}, kinds={**SUCCESSOR.kinds, "save": "binary"})
    for each in (SUCCESSOR, replace(SUCCESSOR, columns=fewer), replace(SUCCESSOR, columns=lenient), more):
        assert breaks(each, SERVED) == []
        assert refusal(breaks(each, SERVED), SERVED, None) is None


@pytest.mark.parametrize(
    ("successor", "broken"),
    [
        (
            replace(SUCCESSOR, outputs={"click": ONE}),
            [Break("outputs", "minutes", "the output minutes goes away")],
        ),
        (
            replace(SUCCESSOR, kinds={"click": "binary", "minutes": "binary"}),
            [Break("outputs", "minutes", "the output minutes changes its kind from regression to binary")],
        ),
        (
            replace(SUCCESSOR, columns={**COLUMNS, "shelf": ParsedColumn("string", required=True, shape=())}),
            [Break("inputs", "shelf", "the input shelf becomes required")],
        ),
        (
            replace(SUCCESSOR, columns={**COLUMNS, "genres": ParsedColumn("string", required=True, shape=())}),
            [Break("inputs", "genres", "the input genres becomes required")],
        ),
        (
            replace(SUCCESSOR, columns={**COLUMNS, "user": ParsedColumn("string", required=True, shape=())}),
            [Break("inputs", "user", "the input user changes from int64 to string")],
        ),
    ],
    ids=["an output less", "another kind", "an input more", "a default less", "another type"],
)
def test_what_breaks_clients_is_named_with_the_word_that_allows_it(
    successor: ServingSignature, broken: list[Break]
) -> None:
    assert breaks(successor, SERVED) == broken
    (only,) = broken
    word = f"serving: {{breaking_change: {{version: 17, {only.side}: [{only.name}]}}}}"
    assert refusal(broken, SERVED, None) == (
        f"Clients of version 17, which serves, would break: {only.sentence}. When all of them are ready, say so in "
        f"surface.yaml, for this change alone: {word}."
    )
    declared = {"outputs": [], "inputs": [], only.side: [only.name]}
    assert refusal(broken, SERVED, BreakingChange(version=17, **declared)) is None
    spent = refusal(broken, SERVED, BreakingChange(version=16, **declared))
    assert spent is not None
    assert spent.endswith("(The one that is declared is for version 16.)")


def test_a_word_covers_what_it_names_alone() -> None:
    broken = breaks(replace(SUCCESSOR, outputs={}), SERVED)
    assert listed(broken) == "the output click goes away; the output minutes goes away"
    said = refusal(broken, SERVED, BreakingChange(version=17, outputs=("click",)))
    assert said is not None
    assert "would break: the output minutes goes away. When" in said
    assert "{version: 17, outputs: [click, minutes]}" in said


def test_a_kind_that_nobody_wrote_down_is_not_held_against_the_successor() -> None:
    other = replace(SUCCESSOR, kinds={"click": "regression", "minutes": "binary"})
    assert breaks(other, replace(SERVED, kinds={})) == []
    assert len(breaks(other, SERVED)) == 2
