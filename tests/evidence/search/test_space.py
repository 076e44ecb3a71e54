"""What there is to try follows from the surface, the run and the teacher."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace

import pytest

from evidence.search.space import AS_IT_IS, SPACE, Change, Facts, controls, together, ways
from models.columns import input_columns, training_columns
from schema.errors import InputError
from schema.overrides import override
from schema.surface import Surface
from tests.evidence.conftest import SURFACE


def load(sets: Sequence[str]) -> Surface:
    content = copy.deepcopy(SURFACE.model_dump(by_alias=True, mode="json", exclude_unset=True))
    for each in sets:
        override(content, each)
    try:
        return Surface.model_validate(content)
    except ValueError as error:
        raise InputError(str(error)) from error


FACTS = Facts(SURFACE, frozenset([*input_columns(SURFACE), *training_columns(SURFACE, distil=True)]))
WITH_PAIRS = replace(
    FACTS, surface=load(["unlabelled.per_row=20"]), pairs=True, columns=FACTS.columns, ids=frozenset({"user"})
)


def test_a_plain_surface_tries_heads_weights_losses_trunks_and_regularisation():
    found = ways(FACTS, load)
    names = [each.name for each in found.students]
    assert names[:3] == [AS_IT_IS, "stacked heads", "own towers"]
    assert {"soft weight .3", "loss bce", "loss kl", "mmoe", "ple", "L2 x 10", "learning rate / 3"} <= set(names)
    by_name = {each.name: each for each in found.students}
    assert by_name["stacked heads"].sets == ("tasks.click.distil.head=stacked", "tasks.minutes.distil.head=stacked")
    assert by_name["loss kl"].sets == ("tasks.click.distil.loss=kl", "tasks.click.distil.temperature=2")
    assert by_name["L2 x 10"].sets == ("model.l2=0.001",)
    assert by_name["L2 x 10"].surface.model.l2 == 0.001


def test_what_does_not_apply_is_left_out_with_the_reason():
    found = ways(FACTS, load).left_out
    assert found["warm start"] == "the surface has no <id>"
    assert found["no pairs"] == "does not apply to this surface or run"
    assert found["loss listwise"] == "does not apply to this surface or run"
    assert "auxiliary heads" not in found  # the surface as it is


def test_pairs_and_embeddings_that_are_there_are_tried():
    facts = replace(WITH_PAIRS, surface=WITH_PAIRS.surface)

    def with_pairs(sets: Sequence[str]) -> Surface:
        return load(["unlabelled.per_row=20", *sets])

    by_name = {each.name: each for each in ways(facts, with_pairs).students}
    assert by_name["no pairs"].surface.unlabelled is None
    assert by_name["5 pairs a row"].surface.unlabelled.per_row == 5
    assert by_name["warm start"].sets == ("warm_start.user={}",)


def test_trust_is_tried_where_the_run_has_what_its_fits_read():
    by_name = {each.name: each for each in ways(replace(FACTS, trust=True), load).students}
    assert by_name["adapter"].surface.distillations()["minutes"].adapter.weight == 1
    assert by_name["reliability"].surface.distillations()["click"].reliability
    assert by_name["half of the gradient"].sets == (
        "tasks.click.distil.trunk_gradient=0.5",
        "tasks.minutes.distil.trunk_gradient=0.5",
    )
    without = ways(FACTS, load).left_out
    assert without["adapter"] == without["reliability"] == "does not apply to this surface or run"


def test_a_column_that_the_run_has_not_made_is_named():
    space = [Change("more", "more", ("features.more={kind: numeric, side: user}",))]
    assert ways(FACTS, load, space=space).left_out == {"more": "the run made no column more"}


def test_a_change_of_one_s_own_comes_first_and_is_not_passed_over_in_silence():
    own = [Change("wide", "wide", ("model.trunk=[32]",))]
    assert [each.name for each in ways(FACTS, load, own).students][:2] == [AS_IT_IS, "wide"]
    with pytest.raises(InputError, match="trunk"):
        ways(FACTS, load, [Change("wide", "wide", ("model.trunk=broad",))])


def test_a_change_that_changes_nothing_or_the_same_as_another_is_tried_once():
    twice = [Change("one", "one", ("model.l2=0.5",)), Change("two", "two", ("model.l2=5.0e-1",))]
    found = ways(FACTS, load, space=twice)
    assert [each.name for each in found.students][:2] == [AS_IT_IS, "one"]
    assert found.left_out == {"two": "the same as one"}


def test_controls_are_what_is_left_without_distillation_and_settings_come_first():
    found = controls(ways(FACTS, load).students)
    assert [each.name for each in found][:2] == [AS_IT_IS, "L2 x 10, dropout + .2"]
    assert [each.name for each in found][-3:] == ["mmoe", "ple", "learned loss weights"]
    assert all(not each.surface.distillations() for each in found)


def test_ways_of_different_axes_are_put_together():
    by_name = {each.name: each for each in ways(FACTS, load).students}
    best = [by_name[name] for name in ("L2 x 10", "stacked heads", "own towers", "loss huber")]
    found = together(best, load)
    assert [each.name for each in found] == [
        "L2 x 10 + stacked heads",
        "L2 x 10 + loss huber",
        "stacked heads + loss huber",
        "L2 x 10 + stacked heads + loss huber",
    ]
    assert found[-1].sets == tuple(each for way in (best[0], best[1], best[3]) for each in way.sets)
    assert together(best[:1], load) == []


def test_every_listed_change_has_a_name_of_its_own():
    assert len({each.name for each in SPACE}) == len(SPACE)
