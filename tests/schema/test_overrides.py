from __future__ import annotations

import pytest

from schema.errors import InputError
from schema.overrides import override


def overridden(text: str) -> dict:
    content = {"tasks": {"click": {"distil": {"from": "click"}}, "skip": {"kind": "binary"}}, "name": "home"}
    override(content, text)
    return content


def test_a_value_is_yaml():
    assert overridden("model.trunk=[32, 16]")["model"] == {"trunk": [32, 16]}
    assert overridden("name=x=y")["name"] == "x=y"


def test_a_key_that_is_absent_is_made():
    distil = overridden("tasks.click.distil.schedule.from=0.5")["tasks"]["click"]["distil"]
    assert distil == {"from": "click", "schedule": {"from": 0.5}}


def test_a_star_is_what_has_the_key_after_it():
    tasks = overridden("tasks.*.distil.loss=kl")["tasks"]
    assert tasks == {"click": {"distil": {"from": "click", "loss": "kl"}}, "skip": {"kind": "binary"}}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("tasks.click.weight", "expected key.path=value"),
        ("tasks..weight=1", "expected key.path=value"),
        ("name.first=1", "expected a mapping before the key 'first', found 'home'"),
        ("tasks.*.gates.loss=1", "nothing under `\\*` has the key"),
    ],
)
def test_what_is_no_change_is_refused(text, message):
    with pytest.raises(InputError, match=message):
        overridden(text)
