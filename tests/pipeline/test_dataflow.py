"""Dataflow as far as it goes without the cloud: the labeller's job builds, and serializes, for its runner."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from apache_beam.internal import pickler
from apache_beam.options.pipeline_options import SetupOptions
from apache_beam.portability.api import beam_runner_api_pb2 as api
from apache_beam.runners.dataflow.dataflow_runner import DataflowRunner

from components.teacher_labeler.plan import LabelPlan
from pipeline.beam_options import beam_args
from records.fingerprint import fingerprint
from schema.surface import distilled
from tests.components.teacher_labeler import conftest as tiny

PAGE = Path(__file__).parents[2] / "docs" / "engines.md"


def documented() -> list[str]:
    """The arguments that the documentation gives."""
    (block,) = re.findall(r"```text\n(--runner=DataflowRunner.*?)```", PAGE.read_text(), re.S)
    return block.split()


class Kept(DataflowRunner):
    """The runner itself; it can be looked at when it has built a job."""

    last: DataflowRunner

    def run_pipeline(self, *arguments: Any, **options: Any) -> Any:
        Kept.last = self
        return super().run_pipeline(*arguments, **options)


@pytest.fixture(scope="module")
def teacher(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("teacher")
    return tiny.save_teacher(folder, lambda module, x: {"click": module.scale * x}, {"x": tiny.floats()})


@pytest.fixture(scope="module")
def job(tmp_path_factory, teacher) -> DataflowRunner:
    """A runner that built the labeller's job, and was told not to submit it."""
    folder = tmp_path_factory.mktemp("dataflow")
    examples = tiny.write_examples(folder / "examples", {"train": [[tiny.make_example(x=1.0, clicked=1)]] * 2})
    runner = f"--runner={Kept.__module__}.{Kept.__qualname__}"
    arguments = [runner if each.startswith("--runner=") else each for each in beam_args(documented())]
    with pytest.raises(Exception, match=r"summary\.json"):  # nothing ran that could write it
        tiny.Labeler(folder / "runs", [*arguments, "--dry_run=True"]).run(examples, teacher, tiny.make_surface())
    return Kept.last


def test_the_job_serializes(job):
    content = job.proto_pipeline.SerializeToString()
    again = api.Pipeline.FromString(content)
    names = {each.unique_name for each in again.components.transforms.values()}
    assert {"Label", "Summarize"} <= names
    assert any(name.startswith("Gather/CombinePerKey") for name in names)
    assert len(content) < 1 << 20  # Dataflow takes 10 MB


def test_workers_start_from_our_image_alone_and_import_tfx_first(job):
    images = set()
    for environment in job.proto_pipeline.components.environments.values():
        assert environment.urn == "beam:env:docker:v1"
        images.add(api.DockerPayload.FromString(environment.payload).container_image)
    assert images == {"my-registry/crosskd-beam:1"}
    assert "tfx" in job.job.options.view_as(SetupOptions).beam_plugins


def test_the_job_holds_the_plan(job, teacher):
    (label,) = [each for each in job.proto_pipeline.components.transforms.values() if each.unique_name == "Label"]
    function, *_ = pickler.loads(api.ParDoPayload.FromString(label.spec.payload).do_fn.payload)
    (plan,) = [value for value in vars(function).values() if isinstance(value, LabelPlan)]
    assert plan.teacher_fingerprint == fingerprint(str(teacher))
    assert plan.surface == distilled(tiny.make_surface())
