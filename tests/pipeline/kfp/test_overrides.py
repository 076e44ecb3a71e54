import json

import pytest

from pipeline.kfp.overrides import override, read_gates, with_gates
from schema.errors import InputError
from schema.loader import load_surface
from schema.surface import Surface
from tests.e2e import library

GATES = {"liked": [{"metric": "auc", "at_least": 0.9, "slice": "crime"}]}


@pytest.fixture(scope="module")
def surface(tmp_path_factory):
    return load_surface(library.write_surface(tmp_path_factory.mktemp("overrides") / "surface")).surface


def test_gates_of_the_score_are_replaced_as_those_of_a_task(surface):
    scored = surface.model_dump(mode="json", by_alias=True) | {"score": "borrowed + liked", "group": "reader"}
    found = with_gates(Surface.model_validate(scored), {"score": [{"metric": "mrr", "at_least": 0.2}]})
    assert [gate.metric for gate in found.score.gates] == ["mrr"]
    with pytest.raises(InputError, match="expected one of the tasks borrowed, liked, found 'score'"):
        with_gates(surface, {"score": []})


def test_gates_of_a_task_are_replaced_and_those_of_others_stay(surface):
    changed = with_gates(surface, GATES)
    assert [(gate.at_least, gate.slice) for gate in changed.tasks["liked"].gates] == [(0.9, "crime")]
    assert changed.tasks["borrowed"] == surface.tasks["borrowed"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("likes: []", "f.yaml: expected one of the tasks borrowed, liked, found 'likes'"),
        (
            "liked: [{metric: auc, at_least: 0.5, slice: war}]",
            r"expected a slice of the surface \(crime\), found 'war'",
        ),
        ("liked: [{metric: r2, at_least: 0.5}]", "gated on one of auc, .*; found r2"),
        ("liked: []", "needs at least one gate"),
        ("- liked", "expected task names with lists of gates, found list"),
        ("liked: [", "f.yaml: not valid YAML"),
    ],
)
def test_gates_that_do_not_fit(surface, text, message):
    with pytest.raises(InputError, match=message):
        read_gates(text, surface, "f.yaml")


def test_gates_from_a_file_become_what_the_run_parameter_takes(surface):
    text = read_gates("liked: [{metric: auc, at_least: 0.9, slice: crime}]", surface, "f.yaml")
    assert json.loads(text) == GATES


def test_a_seed_changes_the_surface_of_a_trainer_and_nothing_else(surface):
    config = {"surface": surface.model_dump_json(by_alias=True), "arm": "student"}
    properties = {"custom_config": json.dumps(config), "other": 1}
    override(properties, {"seed": 5.0})
    changed = json.loads(properties["custom_config"])
    assert type(surface).model_validate_json(changed["surface"]).training.seed == 5
    assert (changed["arm"], properties["other"]) == ("student", 1)


def test_gates_change_the_surface_of_whoever_reads_them(surface):
    gate = {"surface": surface.model_dump_json(by_alias=True)}
    override(gate, {"gates": json.dumps(GATES)})
    assert type(surface).model_validate_json(gate["surface"]) == with_gates(surface, GATES)


def test_without_run_parameters_nothing_changes():
    properties = {"surface": "whatever it is"}
    override(properties, {"gates": "", "seed": None})
    assert properties == {"surface": "whatever it is"}
