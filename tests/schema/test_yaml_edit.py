"""Values are set in a file that a person wrote, and all else in it stays."""

from __future__ import annotations

import difflib
from pathlib import Path

import pytest
import yaml

import schema
from schema.errors import InputError
from schema.overrides import override
from schema.yaml_edit import edited

BLOCKS = """\
# mine
name: home
tasks:
  click: # what counts
    distil:
      from: click   # its task
  skip: {kind: binary}
model:
  trunk:
  - 64
  - 32
  # not wider
  l2: 1.0e-05
training:
"""


def changed(text: str, *changes: str) -> list[str]:
    """The lines that differ, and a comparison of what the new text holds with plain overriding."""
    new, kept = edited(text, changes, "surface.yaml")
    content = yaml.safe_load(text)
    for each in changes:
        override(content, each)
    assert yaml.safe_load(new) == content
    assert kept
    found = difflib.ndiff(text.splitlines(), new.splitlines())
    return sorted(line for line in found if line.startswith(("+ ", "- ")))


@pytest.mark.parametrize(
    ("change", "lines"),
    [
        ("name=page", ["- name: home", "+ name: page"]),
        ("tasks.*.distil.head=stacked", ["+       head: stacked"]),
        ("tasks.skip.weight=2", ["-   skip: {kind: binary}", "+   skip: {kind: binary, weight: 2}"]),
        ("model.l2=0.001", ["-   l2: 1.0e-05", "+   l2: 0.001"]),
        ("model.trunk=[8]", ["-   trunk:", "-   - 64", "-   - 32", "+   trunk: [8]"]),
        ("unlabelled.per_row=5", ["+ unlabelled: {per_row: 5}"]),
        ("training={epochs: 3}", ["- training:", "+ training: {epochs: 3}"]),
        (
            "tasks.click.distil=null",
            ["-     distil:", "-       from: click   # its task", "+     distil: null   # its task"],
        ),
    ],
)
def test_only_the_line_of_the_value_changes(change, lines):
    assert changed(BLOCKS, change) == sorted(lines)


def test_changes_build_on_each_other():
    assert changed(BLOCKS, "warm_start.user={}", "warm_start.item={}", "warm_start.item.from=film") == [
        "+ warm_start: {user: {}, item: {from: film}}"
    ]


def test_the_shipped_surface_keeps_all_of_its_comments():
    text = (Path(schema.__path__[0]) / "homepage" / "surface.yaml").read_text(encoding="utf-8")
    lines = changed(text, "tasks.*.distil.loss=huber", "model.l2=0.001", "unlabelled.per_row=3")
    assert len(lines) == 2 + 2 + 2 + 1
    assert not any("#" in line for line in lines)


def test_a_file_without_a_last_newline_and_one_with_windows_line_ends():
    assert edited("a: 1", ["b=2"], "x")[0] == "a: 1\nb: 2"
    new, kept = edited("a: {b: 1}\r\nc: 2\r\n", ["a.b=3", "c=4"], "x")
    assert kept and new == "a: {b: 3}\r\nc: 4\r\n"


def test_a_value_that_is_used_twice_changes_in_both_places_as_it_does_when_it_is_overridden():
    assert changed("a: &it {b: 1}\nc: *it\n", "c.b=2") == ["+ a: &it {b: 2}", "- a: &it {b: 1}"]


def test_where_the_text_cannot_be_changed_in_place_it_is_written_anew_without_comments():
    new, kept = edited("# mine\na: {b: 1}\n", ["a.@it=7"], "x")
    assert not kept
    assert yaml.safe_load(new) == {"a": {"b": 1, "@it": 7}}


def test_what_fits_no_place_is_refused():
    with pytest.raises(InputError, match="expected a mapping before the key 'first'"):
        edited(BLOCKS, ["name.first=1"], "surface.yaml")
