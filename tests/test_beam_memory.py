"""What Beam remembers during tests is what it would find out."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import apache_beam as beam
import pytest
from apache_beam.coders import VarIntCoder
from apache_beam.options.pipeline_options import PipelineOptions, StandardOptions, TypeOptions
from apache_beam.transforms import core
from apache_beam.transforms.userstate import BagStateSpec, get_dofn_specs

from tests import beam_memory


class Counting(beam.DoFn):
    SEEN = BagStateSpec("seen", VarIntCoder())
    OF_STATE = beam.DoFn.StateParam(SEEN)

    def __init__(self, start: int):
        self.start = start

    def process(self, element: int, seen: Any = OF_STATE, *more: int, step: int = 2) -> list[int]:
        return [self.start + element]

    @staticmethod
    def alone(value: int = 3) -> int:
        return value

    @classmethod
    def of_class(cls, value: int = 4) -> int:
        return value


def wrapped(function: Callable[..., int]) -> Callable[..., int]:
    @functools.wraps(function)
    def outer(*given: Any) -> int:
        return function(*given)

    return outer


class Decorated:
    @wrapped
    def grown(self, by: int, times: int = 1) -> int:
        return by * times

    def __call__(self, value: int = 5) -> int:
        return value


FUNCTIONS: list[Callable[..., Any]] = [
    *(Counting(1).process, Counting(2).process, Counting.process, Counting(1).alone, Counting.alone),
    *(Counting.of_class, Counting(1).of_class, Counting(1).setup, Counting(1).start_bundle),
    *(Decorated().grown, Decorated.grown, Decorated(), Decorated().__call__, functools.partial(min, 3), str.strip),
    *(len, lambda value, other=7: value, Counting),
]


# By number: a name of theirs would hold an address, which each process of a test run has another of.
@pytest.mark.parametrize("function", FUNCTIONS, ids=[str(number) for number, _ in enumerate(FUNCTIONS)])
def test_arguments_are_those_that_beam_finds(function: Callable[..., Any]) -> None:
    expected = beam_memory.look_at(function)
    assert beam_memory.arguments_of(function) == expected
    beam_memory.arguments_of(function)[0].append("changed by whoever asked")
    assert beam_memory.arguments_of(function) == expected


def test_steps_with_state_are_told_from_those_without() -> None:
    assert core.get_function_args_defaults is beam_memory.arguments_of
    for _ in range(2):
        assert get_dofn_specs(Counting(1)) == ({Counting.SEEN}, set())
        assert get_dofn_specs(beam.Map(len).fn) == (set(), set())


def test_views_share_the_options_that_they_are_of() -> None:
    assert PipelineOptions.view_as is beam_memory.view_as
    options = PipelineOptions(["--runner=FnApiRunner", "--no_pipeline_type_check"])
    other = PipelineOptions([])
    view = options.view_as(TypeOptions)
    plain = beam_memory.view_anew(options, TypeOptions)
    assert view.get_all_options() == plain.get_all_options()
    assert not view.pipeline_type_check
    assert other.view_as(TypeOptions).pipeline_type_check
    plain.pipeline_type_check = True
    assert options.view_as(TypeOptions).pipeline_type_check
    options.view_as(StandardOptions).runner = "another"
    assert view.view_as(StandardOptions).runner == "another"
    assert other.view_as(StandardOptions).runner is None
