from __future__ import annotations

import json

import pytest
from tfx.types import channel_utils, standard_artifacts

from components.candidate_sampler.component import CandidateSampler
from schema.errors import InputError
from schema.surface import Surface
from tests.components.candidate_sampler.conftest import surface


def sampler(asked: Surface, **more: str) -> CandidateSampler:
    examples = channel_utils.as_channel([standard_artifacts.Examples()])
    schema = channel_utils.as_channel([standard_artifacts.Schema()])
    return CandidateSampler(examples=examples, schema=schema, surface=asked.model_dump_json(by_alias=True), **more)


def test_only_what_pairs_depend_on_is_part_of_the_cache_key():
    plan = json.loads(sampler(surface(per_row=3)).exec_properties["plan"])
    assert plan["per_row"] == 3
    assert plan["user"] == ["user"]
    assert plan["user_side"] == ["user", "taste"]
    assert plan["context_side"] == ["position"]
    assert plan["item_side"] == ["item", "content", "genre"]
    assert plan["labels"] == ["clicked"]
    faster = surface(per_row=3)
    faster = faster.model_copy(update={"training": faster.training.model_copy(update={"learning_rate": 0.5})})
    assert json.loads(sampler(faster).exec_properties["plan"]) == plan


def test_a_surface_without_the_section_is_an_error():
    with pytest.raises(InputError, match="no `unlabelled:` section"):
        sampler(surface().model_copy(update={"unlabelled": None}))


def test_two_ids_of_one_side_must_be_told_apart():
    with pytest.raises(InputError, match=r"unlabelled\.item: .* 2 categorical features .* \(item, genre\)"):
        sampler(surface(item=None))


def test_candidates_need_their_fingerprint():
    with pytest.raises(InputError, match="need each other"):
        sampler(surface(), candidates="somewhere")


def test_a_catalogue_is_part_of_the_cache_key_by_its_fingerprint():
    made = sampler(surface(), people="somewhere", people_fingerprint="abc")
    assert made.exec_properties["people_fingerprint"] == "abc"
    with pytest.raises(InputError, match="items and items_fingerprint need each other"):
        sampler(surface(), items="somewhere")


def test_a_catalogue_beside_candidates_or_for_nothing_is_an_error():
    given = {"people": "p", "people_fingerprint": "a"}
    with pytest.raises(InputError, match="--people: expected no --candidates beside it"):
        sampler(surface(), candidates="c", candidates_fingerprint="b", **given)
    with pytest.raises(InputError, match=r"--people: surface 'made' says `unlabelled: \{catalogue: false\}`"):
        sampler(surface(catalogue=False), **given)
