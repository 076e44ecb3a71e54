"""Every technique through the Trainer's own `run_fn`: it learns, and what it exports serves."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_transform as tft
from tfx.components.trainer.fn_args_utils import FnArgs

from components.serving_validator.graph import ModelGraph, read_graph
from components.serving_validator.judge import graph_checks
from components.serving_validator.requirements import requirements_of
from contracts.decision import Verdict
from contracts.roles import ModelRole
from models import inputs
from models.export import EXAMPLES_INPUT, SIGNATURE
from models.store import Store
from models.trainer import HISTORY_FILE, run_fn
from schema.distillation import Head
from schema.surface import Surface
from schema.training import Training
from tests.models.conftest import SURFACE
from tests.models.reading import batches_of

CLICK = {"from": "click"}
TECHNIQUES: dict[str, dict[str, Any]] = {
    "tempered": {
        "click": {**CLICK, "loss": "kl", "temperature": 2.0},
        "stay": {"loss": "bce", "temperature": 3.0, "weight": 0.5, "schedule": {"from": 0.0, "steps": 12}},
    },
    "shared, in groups": {
        "click": {**CLICK, "head": "shared"},
        "stay": {"loss": "pairwise"},
        "training": {"batch_by": "group"},
    },
    "stacked, weighted": {
        "click": {**CLICK, "head": "stacked", "loss": "listwise", "temperature": 2.0},
        "training": {"batch_by": "group", "loss_weights": "uncertainty"},
        "weight_column": "importance",
    },
    "mmoe, represented": {
        "click": {**CLICK, "loss": "huber"},
        "representations": {"trunk": {"from": "layer", "weight": 0.5}, "minutes": {"from": "layer"}},
        "model": {"trunk_kind": "mmoe", "experts": 2},
    },
    "trusted by examples": {
        "click": {
            **CLICK,
            "adapter": {"weight": 2.0},
            "reliability": True,
            "weight_column": "importance",
            "trunk_gradient": 0.5,
        },
        "trust": {"folds": 3},
    },
    "ple, stacked": {
        "click": {**CLICK, "head": "stacked"},
        "model": {"trunk_kind": "ple", "trunk": [8, 6], "experts": 2},
    },
}


@dataclass(frozen=True)
class Trained:
    """What `run_fn` left behind."""

    surface: Surface
    history: dict[str, list[float]]
    path: str
    graph: ModelGraph


def surface_of(technique: dict[str, Any]) -> Surface:
    content = SURFACE.model_dump(mode="json", by_alias=True)
    content["tasks"]["click"]["distil"] = technique["click"]
    content["non_serving_heads"]["stay"] |= technique.get("stay", {})
    content["training"] |= {"learning_rate": 0.02, "epochs": 8, **technique.get("training", {})}
    content["model"] |= technique.get("model", {})
    content["representations"] = technique.get("representations", {})
    content["weight_column"] = technique.get("weight_column")
    content["trust"] = technique.get("trust", {})
    return Surface.model_validate(content)


def run(surface: Surface, arm: ModelRole, transformed: Any, folder: Path) -> Trained:
    out = str(folder / "model")
    run_fn(
        FnArgs(
            transform_output=transformed.graph,
            train_files=transformed.train_files,
            model_run_dir=str(folder / "run"),
            serving_model_dir=out,
            custom_config={"surface": surface.model_dump_json(by_alias=True), "arm": arm.value},
        )
    )
    return Trained(surface, json.loads((folder / "run" / HISTORY_FILE).read_text()), out, read_graph(out))


def is_shared(trained: Trained) -> bool:
    distil = trained.surface.tasks["click"].distil
    return distil is not None and distil.head is Head.SHARED


@pytest.fixture(scope="module")
def control(transformed, tmp_path_factory):
    return run(SURFACE, ModelRole.CONTROL, transformed, tmp_path_factory.mktemp("control"))


@pytest.fixture(scope="module", params=TECHNIQUES)
def trained(request, transformed, tmp_path_factory):
    surface = surface_of(TECHNIQUES[request.param])
    return run(surface, ModelRole.STUDENT, transformed, tmp_path_factory.mktemp("student"))


def test_every_loss_falls(trained):
    hard = ["serving_minutes"] if is_shared(trained) else ["serving_minutes", "serving_click"]
    represented = [f"distillation_representation.{name}" for name in trained.surface.representations]
    distil = trained.surface.tasks["click"].distil
    assert distil is not None
    # This teacher says of a click what the student's own feature `match` says: next to nothing to rely on it for.
    relied_on = [] if distil.reliability else ["distillation_click"]
    for name in (*hard, *relied_on, "distillation_stay", *represented):
        assert np.all(np.isfinite(trained.history[name]))
        assert trained.history[name][-1] < trained.history[name][0]
    # A head that says one half of everything costs log 2, where each example counts fully.
    assert relied_on or np.all(np.array(trained.history["distillation_click"]) < 0.2 * np.log(2))


def test_the_export_serves(trained, transformed):
    requests = [_request(row) for row in transformed.raw[:50]]
    outputs = tf.saved_model.load(trained.path).signatures[SIGNATURE](**{EXAMPLES_INPUT: tf.constant(requests)})
    assert set(outputs) == {"click", "minutes"}
    assert np.all(np.isfinite(outputs["minutes"]))
    if is_shared(trained):
        # The teacher's logits are 10 on average, though half of the examples are clicked: the leak.
        assert np.mean(outputs["click"]) > 0.58
    else:
        match = [row["match"] for row in transformed.raw[:50]]
        assert np.corrcoef(outputs["click"], match)[0, 1] > 0.5


def test_only_a_stacked_distillation_head_is_served(trained):
    held = {word for word in ("distillation_click", "distillation_stay") if any(word in n for n in trained.graph.names)}
    distil = trained.surface.tasks["click"].distil
    assert distil is not None
    assert held == ({"distillation_click"} if distil.head == "stacked" else set())
    assert not [name for name in trained.graph.names if "log_variance" in name]


def test_the_serving_validation_takes_each_export_for_what_it_is(trained, control):
    """What is stacked may be served, and only where the surface asks for it; other trunks have another control."""
    requirements = requirements_of(trained.surface)
    checks = list(graph_checks(trained.graph, control.graph, requirements))
    if trained.surface.model != SURFACE.model:
        checks = [check for check in checks if check.name == "no leftovers of training"]
    assert [check.sentence for check in checks if check.verdict is Verdict.FAIL] == []
    if requirements.stacked:
        plain = requirements_of(SURFACE)
        failed = {
            each.name for each in graph_checks(trained.graph, control.graph, plain) if each.verdict is Verdict.FAIL
        }
        assert failed == {"no leftovers of training", "same variables"}


def test_batches_by_group_hold_groups_whole(transformed):
    spec = tft.TFTransformOutput(transformed.graph).transformed_feature_spec()
    wanted = {name: spec[name] for name in ("match", "group/id")}
    by_group = Training(batch_size=64, batch_by="group", validation_fraction=0.2, seed=1)
    data = inputs.transformed(Store(transformed.train_files, wanted), by_group)
    epochs = [
        np.concatenate([labels["group/id"] for _, labels in batches_of(data.epoch(number))]) for number in range(2)
    ]
    for groups in epochs:
        assert len(groups) == 320
        assert np.count_nonzero(np.diff(groups)) == 6  # seven users, one after the other
    assert not np.array_equal(*epochs)


def test_groups_that_do_not_fit_in_memory_are_an_error(transformed):
    spec = tft.TFTransformOutput(transformed.graph).transformed_feature_spec()
    wanted = {name: spec[name] for name in ("match", "group/id")}
    with pytest.raises(inputs.InputError, match=r"400 rows of 12 bytes.*batch_by: rows"):
        inputs.transformed(Store(transformed.train_files, wanted), Training(batch_by="group"), memory_limit=100)


def _request(row: dict[str, Any]) -> bytes:
    features = tf.train.Features()
    features.feature["user"].int64_list.value.append(row["user"])
    features.feature["match"].float_list.value.append(row["match"])
    features.feature["content"].float_list.value.extend(row["content"])
    return tf.train.Example(features=features).SerializeToString()
