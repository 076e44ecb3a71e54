"""Beam's arguments on one machine; without TFX, whose import takes many times as long as Beam's."""

from __future__ import annotations

from apache_beam.options.pipeline_options import DirectOptions

from pipeline.workers import ProcessRunner

# Beam's DirectRunner downloads a runner binary ("Prism") at run time; this one does not.
LOCAL_BEAM_RUNNER = "FnApiRunner"
PROCESS_BEAM_RUNNER = f"{ProcessRunner.__module__}.{ProcessRunner.__qualname__}"

# The in-memory runner starts no container.  An image is named all the same, because without
# one TFX packs itself into a source distribution for every Beam pipeline, in seconds each.
DEFAULT_BEAM_ARGS = (f"--runner={LOCAL_BEAM_RUNNER}", "--sdk_container_image=unused-in-process")
PROCESS_BEAM_ARGS = (f"--runner={PROCESS_BEAM_RUNNER}", *DEFAULT_BEAM_ARGS[1:])


def beam_args(extra: list[str]) -> list[str]:
    """The Beam arguments of a run: the in-memory runner unless `extra` names another."""
    named = any(each.split("=")[0] == "--runner" for each in extra)
    in_processes = DirectOptions(extra).direct_running_mode == "multi_processing"
    return [*([] if named else PROCESS_BEAM_ARGS if in_processes else DEFAULT_BEAM_ARGS), *extra]
