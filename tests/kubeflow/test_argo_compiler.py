"""The compiled pipeline through Kubeflow's real Argo compiler: what Argo is told of windows and policies.

Left out unless CROSSKD_KFP_COMPILER names the program that `argo_compiler.go` says how to build:
`pytest -m kubeflow tests/kubeflow/test_argo_compiler.py`.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

import schema
from pipeline.kfp.compiler import MOST_SPANS, CompileRequest, compile_job
from pipeline.kfp.parameters import Defaults
from pipeline.kfp.platform import read_platform
from pipeline.kfp.policies import Policies
from schema.loader import load_surface

pytestmark = pytest.mark.kubeflow

COMPILER_VARIABLE = "CROSSKD_KFP_COMPILER"
# What etcd takes of one object.
MOST_BYTES = 1_500_000
POLICIES = Policies.model_validate(
    {
        "run": {
            "deadline_hours": 12,
            "keep_hours": 24,
            "keep_hours_after_success": 1.5,
            "keep_hours_after_failure": 72,
        },
        "nodes": {
            "TeacherLabeler": {"labels": {"job": "label"}, "annotations": {"example.com/scrape": "true"}},
            "Trainer.student": {"labels": {"job": "train"}, "annotations": {"example.com/scrape": "false"}},
        },
    }
)


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> tuple[Path, Path]:
    loaded = load_surface(Path(schema.__path__[0]) / "homepage")
    defaults = Defaults(
        "s3://data/{SPAN}", "20261125", "s3://teacher", "abc", "s3://serving", 3, "", "--runner=FnApiRunner"
    )
    text = loaded.schema_path.read_text()
    request = CompileRequest(loaded.surface, text, "registry/crosskd:1", "s3://root/x", defaults, POLICIES, MOST_SPANS)
    job = compile_job(request)
    platform = read_platform(["crosskd-data=/data"], []).document(job, POLICIES)
    folder = tmp_path_factory.mktemp("argo")
    (folder / "job.json").write_text(json.dumps(job))
    (folder / "kubernetes.json").write_text(json.dumps(platform["platforms"]["kubernetes"]))
    return folder / "job.json", folder / "kubernetes.json"


def compiled(files: tuple[Path, Path], **variables: str) -> dict[str, Any]:
    words = [os.environ[COMPILER_VARIABLE], *map(str, files)]
    done = subprocess.run(words, env={**os.environ, **variables}, capture_output=True, text=True, check=True)
    return dict(yaml.safe_load(done.stdout))


@pytest.fixture(scope="module")
def workflow(files) -> dict[str, Any]:
    return compiled(files)


def test_kubernetes_keeps_the_longest_window(workflow):
    assert 1_000_000 < len(json.dumps(workflow)) < MOST_BYTES


def test_a_run_is_bounded(workflow):
    assert workflow["spec"]["activeDeadlineSeconds"] == 12 * 3600
    assert workflow["spec"]["ttlStrategy"] == {
        "secondsAfterCompletion": 24 * 3600,
        "secondsAfterSuccess": 5400,
        "secondsAfterFailure": 72 * 3600,
    }


@pytest.mark.parametrize(
    ("name", "label", "annotation"),
    [
        ("teacher-labeler", "label", "true"),
        ("teacher-labeler-before-1", "label", "true"),
        ("trainer-student", "train", "false"),
    ],
)
def test_a_pod_has_its_labels_and_annotations(workflow, name, label, annotation):
    templates = {each["name"]: each for each in workflow["spec"]["templates"]}
    (task,) = [each for each in templates["root"]["dag"]["tasks"] if each["name"] == name]
    given = {each["name"]: each["value"] for each in task["arguments"]["parameters"] if "metadata" in each["name"]}
    metadata = templates[task["template"].replace("executor", "impl")]["metadata"]
    for kind, key, value in (("label", "job", label), ("annotation", "example.com/scrape", annotation)):
        name_of = f"{{{{inputs.parameters.pod-metadata-{kind}-key}}}}"
        assert metadata[f"{kind}s"][name_of] == f"{{{{inputs.parameters.pod-metadata-{kind}-val}}}}"
        assert (given[f"pod-metadata-{kind}-key"], given[f"pod-metadata-{kind}-val"]) == (key, value)


def test_a_priority_class_is_the_installations(files, workflow):
    """As the policies say, where they refuse it."""
    assert "podPriorityClassName" not in workflow["spec"]
    patched = compiled(files, COMPILED_PIPELINE_SPEC_PATCH='{"podPriorityClassName": "ranking"}')
    assert patched["spec"]["podPriorityClassName"] == "ranking"
