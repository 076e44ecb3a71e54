"""Runs the pipeline on one machine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum

from apache_beam.options.pipeline_options import DirectOptions, StandardOptions
from tfx import v1 as tfx
from tfx.orchestration.beam.beam_dag_runner import BeamDagRunner

from pipeline.workers import ProcessRunner

# Beam's DirectRunner downloads a runner binary ("Prism") at run time; this one does not.
LOCAL_BEAM_RUNNER = "FnApiRunner"
PROCESS_BEAM_RUNNER = f"{ProcessRunner.__module__}.{ProcessRunner.__qualname__}"

# The in-memory runner starts no container.  An image is named all the same, because without
# one TFX packs itself into a source distribution for every Beam pipeline, in seconds each.
DEFAULT_BEAM_ARGS = (f"--runner={LOCAL_BEAM_RUNNER}", "--sdk_container_image=unused-in-process")
PROCESS_BEAM_ARGS = (f"--runner={PROCESS_BEAM_RUNNER}", *DEFAULT_BEAM_ARGS[1:])


class Runner(StrEnum):
    """Which of TFX's local runners orchestrates."""

    BEAM = "beam"
    LOCAL = "local"


def run(pipeline: tfx.dsl.Pipeline, runner: Runner) -> None:
    """Runs the pipeline and returns when all of its nodes are done.

    Raises:
      Exception: Whatever a node raised; Beam wraps it in a RuntimeError.
    """
    with offline_beam():
        if runner is Runner.BEAM:
            BeamDagRunner().run(pipeline)
        else:
            tfx.orchestration.LocalDagRunner().run(pipeline)


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


def beam_args(extra: list[str]) -> list[str]:
    """The Beam arguments of a run: the in-memory runner unless `extra` names another."""
    named = any(each.split("=")[0] == "--runner" for each in extra)
    in_processes = DirectOptions(extra).direct_running_mode == "multi_processing"
    return [*([] if named else PROCESS_BEAM_ARGS if in_processes else DEFAULT_BEAM_ARGS), *extra]
