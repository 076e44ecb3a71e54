"""The component in a real pipeline: artifacts, cache, and what its constructor refuses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tfx.components.example_gen.import_example_gen.component import ImportExampleGen
from tfx.dsl.components.common.importer import Importer
from tfx.orchestration import metadata
from tfx.orchestration.local import local_dag_runner
from tfx.orchestration.pipeline import Pipeline
from tfx.types import standard_artifacts
from tfx.types.channel import Channel

from components.teacher_labeler.component import TeacherLabeler
from contracts.artifacts import DeadLetters, LabelReportArtifact
from contracts.label_report import LabelReport
from records import documents
from records.fingerprint import fingerprint
from schema.errors import InputError
from schema.surface import Surface, Training
from tests.components.teacher_labeler.conftest import (
    BEAM_ARGS,
    floats,
    make_example,
    make_surface,
    save_teacher,
    write_shard,
)


def _construct(surface: str | None = None, **options: Any) -> TeacherLabeler:
    return TeacherLabeler(
        examples=Channel(type=standard_artifacts.Examples),
        teacher=Channel(type=standard_artifacts.Model),
        surface=make_surface().model_dump_json(by_alias=True) if surface is None else surface,
        teacher_fingerprint="0" * 64,
        **options,
    )


def test_outputs_are_of_their_types() -> None:
    outputs = _construct().with_beam_pipeline_args(["--runner=FnApiRunner"]).outputs

    assert outputs["labelled_examples"].type is standard_artifacts.Examples
    assert outputs["label_report"].type is LabelReportArtifact
    assert outputs["dead_letters"].type is DeadLetters


def test_what_labels_do_not_depend_on_is_not_in_the_cache_key() -> None:
    surface = make_surface()
    trained_otherwise = surface.model_copy(update={"training": Training(epochs=99), "slices": {}})
    click = surface.tasks["click"]
    weighted = surface.model_copy(update={"tasks": {"click": click.model_copy(update={"weight": 0.5})}})
    labelled_otherwise = surface.model_copy(update={"tasks": {"click": click.model_copy(update={"label": "c"})}})

    properties = [
        _construct(given.model_dump_json(by_alias=True)).exec_properties
        for given in (surface, trained_otherwise, weighted, labelled_otherwise)
    ]

    assert properties[0] == properties[1] == properties[2]
    assert properties[0] != properties[3]


def test_a_vocabulary_that_changed_is_in_the_cache_key(tmp_path: Path) -> None:
    path = tmp_path / "genres.tsv"
    surface = make_surface(features={"x": {"dtype": "int", "vocabulary": str(path), "default": 0}})
    properties = []
    for content in ("1\t2\n", "1\t3\n", "1\t2\n"):
        path.write_text(content)
        properties.append(_construct(surface.model_dump_json(by_alias=True)).exec_properties)

    assert properties[0] == properties[2] != properties[1]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_size": 0}, "batch_size: expected at least 1, found 0"),
        ({"compression_level": 10}, "compression_level: expected 0 to 9, found 10"),
        ({"max_bad_fraction": 1.5}, "max_bad_fraction: expected 0 to 1, found 1.5"),
        ({"surface": "{}"}, "surface: expected a Surface as JSON"),
    ],
)
def test_refuses_what_cannot_work(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        _construct(**options)


def test_refuses_a_surface_without_a_teacher() -> None:
    surface = Surface.model_validate(
        {
            "name": "tiny",
            "features": {"x": {"kind": "numeric"}},
            "tasks": {"click": {"kind": "binary", "label": "clicked", "ungated": "a test"}},
        }
    )

    with pytest.raises(InputError, match="surface 'tiny': expected a `teacher:` section, found none"):
        _construct(surface.model_dump_json(by_alias=True))


@pytest.mark.parametrize(
    "feature",
    [
        {"dtype": "int", "default": 0.5},
        {"dtype": "string", "default": 1},
        {"dtype": "float", "size": 3, "default": (1.0, 2.0)},
    ],
)
def test_refuses_defaults_of_another_type_or_size(feature: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=r"teacher.features.x.default: expected . values of type"):
        _construct(make_surface(features={"x": feature}).model_dump_json(by_alias=True))


def _run_pipeline(root: Path, teacher: Path) -> list[Any]:
    """Runs ExampleGen, Importer and TeacherLabeler; returns all LabelReport artifacts so far."""
    example_gen = ImportExampleGen(input_base=str(root / "data"))
    importer = Importer(source_uri=str(teacher), artifact_type=standard_artifacts.Model).with_id("Teacher")
    labeler = TeacherLabeler(
        examples=example_gen.outputs["examples"],
        teacher=importer.outputs["result"],
        surface=make_surface().model_dump_json(by_alias=True),
        teacher_fingerprint=fingerprint(str(teacher)),
    )
    database = metadata.sqlite_metadata_connection_config(str(root / "metadata.db"))
    pipeline = Pipeline(
        pipeline_name="labelling",
        pipeline_root=str(root / "pipeline"),
        components=[example_gen, importer, labeler],
        enable_cache=True,
        metadata_connection_config=database,
        beam_pipeline_args=list(BEAM_ARGS),
    )
    local_dag_runner.LocalDagRunner().run(pipeline)
    with metadata.Metadata(database) as store:
        return store.store.get_artifacts_by_type("crosskd.LabelReport")


@pytest.mark.slow
def test_a_pipeline_labels_once_and_again_for_another_teacher(tmp_path: Path) -> None:
    write_shard(tmp_path / "data" / "part.gz", [make_example(x=float(number), clicked=1) for number in range(30)])
    teacher = save_teacher(tmp_path / "teacher", lambda module, x: {"click": module.scale * x}, {"x": floats()})

    (first,) = _run_pipeline(tmp_path, teacher)
    assert len(_run_pipeline(tmp_path, teacher)) == 1  # served from the cache

    save_teacher(teacher, lambda module, x: {"click": -module.scale * x}, {"x": floats()})
    reports = _run_pipeline(tmp_path, teacher)

    assert len(reports) == 2
    second = next(artifact for artifact in reports if artifact.id != first.id)
    assert documents.read(first.uri, LabelReport).overall.tasks["click"].max == 58.0
    assert documents.read(second.uri, LabelReport).overall.tasks["click"].min == -58.0
