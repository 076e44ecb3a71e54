"""Promises and spans by hand."""

from __future__ import annotations

from collections.abc import Mapping

from contracts.watch import Distance, Promise, WatchedDrift, WatchedMetric, WatchedSpan

Value = tuple[float | None, float | None]


def metric(task: str, name: str, part: str, value: float | None, error: float | None, examples: int) -> WatchedMetric:
    return WatchedMetric(task=task, metric=name, slice=part, examples=examples, value=value, error=error)


def promise(values: Mapping[tuple[str, str, str], Value], *, version: int = 1, examples: int = 20_000) -> Promise:
    """A promise of metrics by task, metric and slice."""
    return Promise(
        version=version,
        run_id="run",
        decision="Blessed.",
        metrics=tuple(metric(*key, *value, examples) for key, value in values.items()),
        coverage={"user": 0.9},
        frequent={},
        notes=(),
    )


def span(
    name: str,
    values: Mapping[tuple[str, str, str], Value],
    *,
    version: int = 1,
    examples: int = 5000,
    drifted: Mapping[str, float] | None = None,
) -> WatchedSpan:
    """What a span showed; `drifted` has Jensen-Shannon divergences by column."""
    return WatchedSpan(
        span=name,
        version=version,
        pushed_as=1,
        digest="",
        rows=examples,
        metrics=tuple(metric(*key, *value, examples) for key, value in values.items()),
        drift=tuple(
            WatchedDrift(column=column, distance=Distance.JENSEN_SHANNON, value=value, threshold=0.1)
            for column, value in (drifted or {}).items()
        ),
        coverage={"user": 0.8},
    )
