"""Starts a worker of Beam's Python SDK for a task manager: what the program `boot` of Beam's images does.

Flink starts it with `--environment_type=PROCESS`, as a process beside the task manager, with the
worker's id and where to ask for everything else.
"""

from __future__ import annotations

import argparse
import os

import grpc
from apache_beam.portability.api import beam_provision_api_pb2 as provision
from apache_beam.portability.api import beam_provision_api_pb2_grpc as provision_grpc
from apache_beam.runners.worker import sdk_worker_main
from google.protobuf import json_format, text_format


def main() -> None:
    """Asks for the pipeline's options and the runner's addresses, and works until the runner hangs up."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--id", required=True)
    parser.add_argument("--provision_endpoint", required=True)
    given, _ = parser.parse_known_args()
    with grpc.insecure_channel(given.provision_endpoint) as channel:
        asked = provision_grpc.ProvisionServiceStub(channel).GetProvisionInfo(
            provision.GetProvisionInfoRequest(), metadata=[("worker_id", given.id)]
        )
    os.environ["WORKER_ID"] = given.id
    os.environ["PIPELINE_OPTIONS"] = json_format.MessageToJson(asked.info.pipeline_options)
    for name in ("logging", "control"):
        address = getattr(asked.info, f"{name}_endpoint")
        os.environ[f"{name.upper()}_API_SERVICE_DESCRIPTOR"] = text_format.MessageToString(address)
    sdk_worker_main.main([])


if __name__ == "__main__":
    main()
