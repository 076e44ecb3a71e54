"""Beam's local runner, for worker processes that can run TFX's components."""

from __future__ import annotations

from apache_beam.portability.api import beam_provision_api_pb2
from apache_beam.runners.job import utils
from apache_beam.runners.portability.fn_api_runner.fn_runner import ExtendedProvisionInfo, FnApiRunner

# What a worker process imports first: without `tfx`, which stands in for a part of tfx_bsl that its
# wheels lack, TensorFlow Data Validation cannot be imported.
_IMPORTED_FIRST = ["tfx"]


class ProcessRunner(FnApiRunner):
    """The in-memory runner with `--direct_running_mode=multi_processing`, whose workers import TFX first.

    Beam's own gives its worker processes no pipeline options, so that `--beam_plugins`, which
    says what a worker imports when it starts, does not reach them.
    """

    def __init__(self) -> None:
        plugins = utils.dict_to_struct({"beam:option:beam_plugins:v1": _IMPORTED_FIRST})
        info = beam_provision_api_pb2.ProvisionInfo(
            retrieval_token="no-artifacts-are-staged",
            pipeline_options=plugins,
        )
        super().__init__(provision_info=ExtendedProvisionInfo(info))
