"""What the page says of `surface.yaml`: what is not as by default, and what changed since the last run."""

from __future__ import annotations

import dataclasses

import pytest

from components.evaluation_report import (
    configuration,
)
from components.evaluation_report.sources import Sources
from contracts.decision import MadeOf
from schema.training import Model, Training
from tests.components.evaluation_report import handmade
from tests.components.evaluation_report.reading import table, texts


def test_the_configuration_is_what_differs_from_the_defaults():
    sources = handmade.sources()
    of = sources.surface.model_copy(update={"training": Training(epochs=7, seed=3), "model": Model(trunk=(8, 4))})
    section = configuration.section(dataclasses.replace(sources, surface=of))
    assert texts(table(section, "configuration")) == [
        ["tasks.click.distil.from", '"click"'],
        ["model.trunk", "[8, 4]"],
        ["training.epochs", "7"],
        ["training.seed", "3"],
    ]


def test_a_configuration_of_defaults_alone_says_so():
    tasks = {name: task.model_copy(update={"distil": None}) for name, task in handmade.two_tasks().tasks.items()}
    of = handmade.two_tasks().model_copy(update={"tasks": tasks})
    section = configuration.section(dataclasses.replace(handmade.sources(), surface=of))
    assert section.tables == ()
    assert section.notes[0] == "Everything is as by default."


def with_configurations(then: MadeOf | None, now: MadeOf | None) -> Sources:
    """A second run, on the second of March, after one on the first."""
    made = handmade.sources(runs=2)
    (day, first), (today, second) = made.decisions
    decisions = [(day, first.model_copy(update={"made_of": then})), (today, second.model_copy(update={"made_of": now}))]
    return dataclasses.replace(made, decisions=decisions, decision=decisions[-1][1])


def made_of(version: str = "1.0", **keys: object) -> MadeOf:
    return MadeOf(version=version, configuration=keys)


def test_the_configuration_is_compared_with_the_last_runs():
    then = made_of(
        training={"epochs": 5, "seed": 0, "trunk": [8, 4]},
        tasks={"click": {"gates": [{"at_least": 0.5}, {"at_least": 0.6}]}, "old": {"weight": 2}},
    )
    now = made_of(
        "1.1",
        training={"epochs": 7, "seed": 0, "trunk": [8]},
        tasks={"click": {"gates": [{"at_least": 0.5}, {"at_least": 0.7}]}},
        group="request",
    )
    section = configuration.section(with_configurations(then, now))
    assert texts(table(section, "changes")) == [
        ["(version of crosskd)", "1.0", "1.1"],
        ["group", "-", '"request"'],
        ["tasks.click.gates.1.at_least", "0.6", "0.7"],
        ["tasks.old.weight", "2", "-"],
        ["training.epochs", "5", "7"],
        ["training.trunk", "[8, 4]", "[8]"],
    ]
    assert section.notes == ("6 changes since the last run (2026-03-01 04:30 UTC).",)


@pytest.mark.parametrize(
    ("then", "now", "said"),
    [
        (
            made_of(a=1),
            made_of(a=1),
            "Nothing changed since the last run (2026-03-01 04:30 UTC): the same",
        ),
        (None, made_of(a=1), "How the last run (2026-03-01 04:30 UTC) was configured is not known"),
    ],
)
def test_why_no_change_is_listed_is_said(then, now, said):
    section = configuration.section(with_configurations(then, now))
    assert [each.name for each in section.tables] == ["configuration"]
    assert section.notes[-1].startswith(said)


def test_a_single_change_is_one():
    section = configuration.section(with_configurations(made_of(a=1), made_of(a=2)))
    assert section.notes[-1] == "1 change since the last run (2026-03-01 04:30 UTC)."


def test_the_configuration_of_a_first_run_has_nothing_before_it():
    section = configuration.section(handmade.sources(runs=1))
    assert section.notes == ("There is no run before this one to compare with.",)


def test_of_very_many_changes_the_page_lists_some_and_counts_all():
    now = {f"key{number:03}": number for number in range(250)}
    section = configuration.section(with_configurations(made_of(name="s"), made_of(name="s", **now)))
    assert len(table(section, "changes").rows) == configuration.MOST_CHANGES
    assert section.notes[-1].startswith("250 changes since")
