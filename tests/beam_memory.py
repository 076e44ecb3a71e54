"""Lets Beam remember what it works out anew at every step of every pipeline: a sixth of a small run's time.

For each step Beam looks several times at the signature of every method, and for each comparison of
types it parses all options with a new parser.  Both answers depend on nothing that changes.  On data of a
real size that is nothing; the tests make some hundred pipelines of a few rows.
"""

from __future__ import annotations

import types
import weakref
from collections.abc import Callable
from typing import Any

from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.transforms import core

Arguments = tuple[list[str], list[Any]]

look_at = core.get_function_args_defaults
view_anew = PipelineOptions.view_as
_OF_METHODS: weakref.WeakKeyDictionary[types.FunctionType, Arguments] = weakref.WeakKeyDictionary()
_VIEWS: weakref.WeakKeyDictionary[PipelineOptions, dict[type, PipelineOptions]] = weakref.WeakKeyDictionary()


def arguments_of(function: Callable[..., Any]) -> Arguments:
    """What `get_function_args_defaults` says; of a method it depends on the function, not on what that is bound to."""
    plain = function.__func__ if isinstance(function, types.MethodType) else None
    if not isinstance(plain, types.FunctionType):
        return look_at(function)
    if plain not in _OF_METHODS:
        _OF_METHODS[plain] = look_at(function)
    names, defaults = _OF_METHODS[plain]
    return [*names], [*defaults]


def view_as(options: PipelineOptions, kind: type[PipelineOptions]) -> PipelineOptions:
    """What `view_as` says: a view reads and writes the options that it is of, so that one is enough."""
    views = _VIEWS.setdefault(options, {})
    if kind not in views:
        views[kind] = view_anew(options, kind)
    return views[kind]


def remember() -> None:
    """From here on, Beam remembers, in this process and in those forked from it."""
    core.get_function_args_defaults = arguments_of
    PipelineOptions.view_as = view_as


remember()
