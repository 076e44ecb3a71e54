from pathlib import Path

import pytest
from tfx.dsl.components.base import base_executor
from tfx.types import standard_artifacts

from components.last_served.component import LastServed
from components.last_served.executor import Executor
from schema.errors import InputError
from tests.drills import shelf


@pytest.fixture(scope="module")
def models(tmp_path_factory) -> Path:
    """Three SavedModels that serve different things, in TFX's layout."""
    folder = tmp_path_factory.mktemp("models")
    for name, mark in (("a", 0.1), ("b", 0.2), ("c", 0.3)):
        shelf.write_model(folder / name, shelf.Quality(mark=mark))
    return folder


def serve(destination: Path, versions: dict[int, Path]) -> None:
    for version, model in versions.items():
        target = destination / str(version)
        for file in [each for each in saved_model(model).rglob("*") if each.is_file()]:
            (target / file.relative_to(saved_model(model))).parent.mkdir(parents=True, exist_ok=True)
            (target / file.relative_to(saved_model(model))).write_bytes(file.read_bytes())


def saved_model(model: Path) -> Path:
    return model / "Format-Serving"


def find(candidate: Path, serving: Path, out: Path) -> standard_artifacts.Model:
    given, found = standard_artifacts.Model(), standard_artifacts.Model()
    given.uri, found.uri = str(candidate), str(out)
    Executor(base_executor.BaseExecutor.Context()).Do(
        {"candidate": [given]}, {"model": [found]}, {"serving": str(serving)}
    )
    return found


def test_the_newest_version_is_copied_as_a_model_artifact(models, tmp_path):
    serve(tmp_path / "serving", {9: models / "a", 10: models / "b"})
    found = find(models / "c", tmp_path / "serving", tmp_path / "out")
    assert found.get_int_custom_property("served_version") == 10
    assert found.get_int_custom_property("absent") == 0
    expected = (saved_model(models / "b") / "saved_model.pb").read_bytes()
    assert (saved_model(tmp_path / "out") / "saved_model.pb").read_bytes() == expected


def test_the_candidate_is_never_compared_with_itself(models, tmp_path):
    serve(tmp_path / "serving", {1: models / "a", 2: models / "b"})
    found = find(models / "b", tmp_path / "serving", tmp_path / "out")
    assert found.get_int_custom_property("served_version") == 1


@pytest.mark.parametrize("served", [{}, {1: "c"}], ids=["nothing", "the candidate alone"])
def test_before_another_model_serves_there_is_none(models, tmp_path, served):
    serve(tmp_path / "serving", {version: models / name for version, name in served.items()})
    found = find(models / "c", tmp_path / "serving", tmp_path / "out")
    assert found.get_int_custom_property("absent") == 1
    assert not (tmp_path / "out").exists()


def test_a_folder_that_is_no_model_is_passed_over(models, tmp_path):
    serve(tmp_path / "serving", {1: models / "a"})
    (tmp_path / "serving" / "2").mkdir()
    assert find(models / "c", tmp_path / "serving", tmp_path / "out").get_int_custom_property("served_version") == 1


def test_a_destination_is_required():
    with pytest.raises(InputError, match="LastServed: serving: expected the push destination"):
        LastServed(candidate=standard_artifacts.Model, serving="")
