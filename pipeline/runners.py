"""Runs the pipeline on one machine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum

from apache_beam.options.pipeline_options import StandardOptions
from tfx.orchestration.beam.beam_dag_runner import BeamDagRunner
from tfx.orchestration.local.local_dag_runner import LocalDagRunner
from tfx.orchestration.pipeline import Pipeline

from pipeline.beam_options import LOCAL_BEAM_RUNNER


class Runner(StrEnum):
    """Which of TFX's local runners orchestrates."""

    BEAM = "beam"
    LOCAL = "local"


def run(pipeline: Pipeline, runner: Runner) -> None:
    """Runs the pipeline and returns when all of its nodes are done.

    Raises:
      Exception: Whatever a node raised; Beam wraps it in a RuntimeError.
    """
    with offline_beam():
        if runner is Runner.BEAM:
            BeamDagRunner().run(pipeline)
        else:
            LocalDagRunner().run(pipeline)


@contextmanager
def offline_beam() -> Iterator[None]:
    """Within it, a Beam pipeline that names no runner runs in memory, without a download.

    BeamDagRunner opens its own `beam.Pipeline()` without arguments, so that there is no
    other place to say so.
    """
    before = StandardOptions.DEFAULT_RUNNER
    StandardOptions.DEFAULT_RUNNER = LOCAL_BEAM_RUNNER
    try:
        yield
    finally:
        StandardOptions.DEFAULT_RUNNER = before
