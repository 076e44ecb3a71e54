"""TFX's Trainer in two containers, as a TFJob of Kubeflow or a custom job of Vertex has them."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import tensorflow as tf

from contracts.history import HISTORY_FILE
from models.workers import local
from models.workers.cluster import VARIABLE
from tests.models.conftest import SURFACE, write_transformed

_REPOSITORY = Path(__file__).parents[3]


@pytest.mark.slow
def test_each_executor_trains_as_one_worker_and_the_chief_alone_writes(tmp_path):
    write_transformed(tmp_path)
    chief, worker = local.addresses(2)
    cluster = {"chief": [chief], "worker": [worker]}
    processes = [
        subprocess.Popen(
            [
                *(sys.executable, "-m", "tests.models.workers.executed"),
                *(str(tmp_path), str(tmp_path / "out"), SURFACE.model_dump_json(by_alias=True)),
            ],
            cwd=_REPOSITORY,
            env={
                **os.environ,
                "CUDA_VISIBLE_DEVICES": "-1",
                VARIABLE: json.dumps({"cluster": cluster, "task": {"type": kind, "index": 0}, "environment": "cloud"}),
            },
            stderr=subprocess.PIPE,
            text=True,
        )
        for kind in ("chief", "worker")
    ]
    said = []
    for process in processes:
        said.append(process.communicate(timeout=600)[1])
        assert process.returncode == 0, said[-1][-4000:]
    # Who writes the history says every epoch.
    assert ["epoch 3 of 3" in each for each in said] == [True, False]
    [model] = (tmp_path / "out" / "model").glob("**/saved_model.pb")
    assert "serving_default" in tf.saved_model.load(str(model.parent)).signatures
    [history] = (tmp_path / "out" / "run").glob(f"**/{HISTORY_FILE}")
    assert len(json.loads(history.read_text())["loss"]) == 3
    assert not list((tmp_path / "out").glob("**/backup"))
