"""The entry point of every container, on Vertex and on open-source Kubeflow Pipelines 2.

TFX's own (`kubeflow_v2_run_executor`) runs on Vertex alone.  This one does the same work with
TFX's own parts, takes the same arguments and some more, and differs where the open-source
backend does: artifacts without a class (see `invocation`), files that a launcher carries (see
`storage`), and run parameters inside of execution properties.  Buckets that speak S3, which TFX
and Beam do not read, are read by `records.buckets`.
"""

from __future__ import annotations

import argparse
import json
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from absl import app, logging
from absl.flags import argparse_flags
from google.protobuf import json_format
from kfp.pipeline_spec import pipeline_spec_pb2
from tfx.dsl.components.base import base_beam_executor, base_executor
from tfx.dsl.io import fileio
from tfx.orchestration.kubeflow.v2.container import kubeflow_v2_entrypoint_utils as tfx_utils
from tfx.orchestration.portable import outputs_utils
from tfx.utils import import_utils

from components.run_outcome.executor import OutcomeError
from contracts.outcome import Exit
from pipeline.failures import input_error
from pipeline.kfp import invocation, refusals
from pipeline.kfp.overrides import override
from pipeline.kfp.parameters import PREFIX, resolve
from pipeline.kfp.spans import check_window
from pipeline.kfp.storage import Storage, storage_of
from records import buckets  # noqa: F401 - registers the file system
from schema.errors import InputError


@dataclass
class Call:
    """One call of a container.

    Attributes:
      executor_class: The executor.
      message: The ExecutorInput.
      inputs_spec: The component's input definitions.
      classes: Import paths of artifact classes, `inputs` and `outputs` by key.
      storage: Where its artifacts are.
    """

    executor_class: type[base_executor.BaseExecutor]
    message: pipeline_spec_pb2.ExecutorInput
    inputs_spec: pipeline_spec_pb2.ComponentInputsSpec
    classes: dict[str, dict[str, str]]
    storage: Storage


def main(arguments: argparse.Namespace) -> int:
    """Runs one node.

    Returns:
      The exit code: 0; 2 where the input is bad, so that no attempt is worth another; 3 or 4 where
      the run's student is not blessed, or not pushed, and the run was to end so.
    """
    logging.set_verbosity(logging.INFO)
    call = _read_call(arguments)
    output_file = call.message.outputs.output_file
    refused = refusals.recall(output_file)
    if refused is not None:
        logging.error("Not tried again: %s", refused)
        return Exit.BAD_INPUT
    try:
        _write_files(json.loads(arguments.files))
        run(call)
    except OutcomeError as outcome:
        logging.error("%s", outcome)
        return outcome.code
    except Exception as error:
        found = input_error(error)
        if found is None:
            raise
        logging.error("%s", found)
        refusals.remember(output_file, str(found))
        return Exit.BAD_INPUT
    return 0


def _write_files(files: dict[str, str]) -> None:
    for path, content in files.items():
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_text(content)


def run(call: Call) -> None:
    """Runs the executor, and writes what it made of its outputs."""
    message, storage = call.message, call.storage
    known = invocation.uris_of(message.inputs) | invocation.uris_of(message.outputs)
    invocation.give_classes(message.inputs.artifacts, call.classes["inputs"], storage, known)
    invocation.give_classes(message.outputs.artifacts, call.classes["outputs"], storage, known)
    run_parameters = _settle_parameters(call)
    _take_in_what_was_driven(call)
    _execute(call, run_parameters)


def _execute(call: Call, run_parameters: dict[str, Any]) -> None:
    names: dict[int, str] = {}
    message, storage = call.message, call.storage
    inputs = invocation.parse(message.inputs.artifacts, storage, names)
    outputs = invocation.parse(message.outputs.artifacts, storage, names)
    wholes = {key: found for key, (found,) in outputs.items()}
    exec_properties = _exec_properties(call)
    override(exec_properties, run_parameters)
    executor = _executor(call, shlex.split(str(run_parameters.get("beam_args", ""))))
    logging.info("%s: inputs %s, outputs %s, properties %s", call.executor_class, inputs, outputs, exec_properties)
    executor.Do(inputs, outputs, exec_properties)
    outputs_utils.tag_output_artifacts_with_version(outputs)
    _write(message.outputs.output_file, invocation.result(outputs, wholes, storage, names))


def _read_call(arguments: argparse.Namespace) -> Call:
    message = pipeline_spec_pb2.ExecutorInput()
    json_format.Parse(arguments.json_serialized_invocation_args, message, ignore_unknown_fields=True)
    inputs_spec = pipeline_spec_pb2.ComponentInputsSpec()
    json_format.Parse(arguments.json_serialized_inputs_spec_args, inputs_spec, ignore_unknown_fields=True)
    return Call(
        executor_class=import_utils.import_class_by_path(arguments.executor_class_path),
        message=message,
        inputs_spec=inputs_spec,
        classes=json.loads(arguments.artifact_classes),
        storage=storage_of(message.outputs.output_file),
    )


def _settle_parameters(call: Call) -> dict[str, Any]:
    """Takes the run parameters out of the message, and puts their values where texts refer to them."""
    values = call.message.inputs.parameter_values
    names = [name for name in values if name.startswith(PREFIX)]
    run_parameters: dict[str, Any] = {
        name.removeprefix(PREFIX): json_format.MessageToDict(values.pop(name)) for name in names
    }
    check_window(run_parameters)
    for value in values.values():
        if value.WhichOneof("kind") == "string_value":
            value.string_value = resolve(value.string_value, run_parameters)
    return run_parameters


def _take_in_what_was_driven(call: Call) -> None:
    """Vertex runs TFX's driver of an ExampleGen before, which leaves span and fingerprint of its input."""
    output_file = call.message.outputs.output_file
    if fileio.exists(output_file):
        driven = pipeline_spec_pb2.ExecutorOutput()
        with fileio.open(output_file, "r") as file:
            json_format.Parse(file.read(), driven, ignore_unknown_fields=True)
        invocation.merge(call.message, driven)


def _exec_properties(call: Call) -> dict[str, Any]:
    inputs = call.message.inputs
    parsed = tfx_utils.parse_execution_properties(inputs.parameter_values, inputs.parameters, call.inputs_spec)
    return dict(parsed)


def _executor(call: Call, beam_args: list[str]) -> base_executor.BaseExecutor:
    folder, _, _ = call.message.outputs.output_file.rpartition("/")
    place = {"unique_id": folder.rpartition("/")[2], "tmp_dir": f"{folder}/.temp"}
    if issubclass(call.executor_class, base_beam_executor.BaseBeamExecutor):
        beam_context = base_beam_executor.BaseBeamExecutor.Context(beam_pipeline_args=[*beam_args], **place)
        return call.executor_class(beam_context)
    return call.executor_class(base_executor.BaseExecutor.Context(**place))


def _write(output_file: str, message: pipeline_spec_pb2.ExecutorOutput) -> None:
    fileio.makedirs(output_file.rpartition("/")[0])
    with fileio.open(output_file, "w") as file:
        file.write(json_format.MessageToJson(message))


def parse_arguments(argv: list[str]) -> argparse.Namespace:
    """Reads the arguments of a container.

    Raises:
      InputError: There are arguments that nobody knows.
    """
    parser = argparse_flags.ArgumentParser(description="Runs one node of the pipeline.")
    parser.add_argument("--executor_class_path", required=True, help="Import path of the executor.")
    parser.add_argument("--json_serialized_invocation_args", required=True, help="An ExecutorInput.")
    parser.add_argument("--json_serialized_inputs_spec_args", required=True, help="The input definitions.")
    parser.add_argument("--artifact_classes", required=True, help="Import paths of classes by key.")
    parser.add_argument("--files", default="{}", help="Files to write first, by path.")
    known, unknown = parser.parse_known_args(argv[1:])
    if unknown:
        raise InputError(f"the entry point does not know the arguments {unknown}")
    return known


if __name__ == "__main__":
    app.run(main, flags_parser=parse_arguments)
