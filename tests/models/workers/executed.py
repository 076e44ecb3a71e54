"""TFX's own executor of a Trainer, as a container runs it.

python -m tests.models.workers.executed TRANSFORMED OUT SURFACE
"""

from __future__ import annotations

import json
import sys

from absl import logging
from google.protobuf import json_format
from tfx.components.trainer.executor import GenericExecutor
from tfx.proto import trainer_pb2
from tfx.types import artifact_utils, standard_artifacts

from contracts import keys


def main(transformed: str, out: str, surface: str) -> None:
    """Trains the student of Transform's output in a folder."""
    logging.set_verbosity(logging.INFO)
    examples, graph = standard_artifacts.Examples(), standard_artifacts.TransformGraph()
    examples.uri, examples.split_names = transformed, artifact_utils.encode_split_names(["train"])
    examples.set_string_custom_property("payload_format", "FORMAT_TF_EXAMPLE")
    graph.uri = f"{transformed}/graph"
    model, run = standard_artifacts.Model(), standard_artifacts.ModelRun()
    model.uri, run.uri = f"{out}/model", f"{out}/run"
    GenericExecutor().Do(
        {"examples": [examples], "transform_graph": [graph]},
        {"model": [model], "model_run": [run]},
        {
            "run_fn": "models.trainer.run_fn",
            "train_args": json_format.MessageToJson(trainer_pb2.TrainArgs(splits=["train"])),
            "eval_args": json_format.MessageToJson(trainer_pb2.EvalArgs(splits=["train"])),
            "custom_config": json.dumps({keys.SURFACE: surface, "arm": "student"}),
        },
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
