import shutil
from pathlib import Path

import pytest
from tfx.dsl.components.base import base_executor
from tfx.orchestration.portable.data_types import ExecutionInfo
from tfx.types import standard_artifacts

from components.last_served.component import LastServed
from components.last_served.driver import Driver
from components.last_served.executor import Executor
from components.last_served.finding import find_baseline
from contracts.provenance import Origin, Provenance
from records import documents
from records.content import content_fingerprint
from records.sessions import load_error
from schema.errors import InputError
from tests.components.model_pusher.handmade import cut
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


def provenance(serving: Path, version: int, model: Path, restores: int | None = None, uri: str = "gone") -> None:
    """Says of a served version what it was pushed as."""
    documents.write(
        str(serving / str(version)),
        Provenance(
            version=version,
            pushed_at="",
            model=uri,
            model_fingerprint=content_fingerprint(str(saved_model(model))),
            decision="",
            origin=Origin(surface="shelf"),
            restores=restores,
        ),
    )


@pytest.fixture
def history(models, tmp_path) -> Path:
    """Versions 1 (a) and 2 (b), with their provenance."""
    serving = tmp_path / "serving"
    for version, name in ((1, "a"), (2, "b")):
        serve(serving, {version: models / name})
        provenance(serving, version, models / name)
    return serving


def compared_with(candidate: Path, serving: Path) -> int | None:
    found = find_baseline(str(serving), str(saved_model(candidate)))
    return found.version if found else None


def test_what_was_rolled_back_is_no_baseline(models, history):
    serve(history, {3: models / "a"})
    provenance(history, 3, models / "a", restores=1)
    assert compared_with(models / "c", history) == 3
    assert compared_with(models / "b", history) == 3
    # It serves again, and was the first: it is compared with nothing, as then.
    assert compared_with(models / "a", history) is None


def test_a_damaged_version_does_not_lower_the_bar(models, history):
    provenance(history, 2, models / "b", uri=str(models / "b"))
    cut(history / "2")
    found = find_baseline(str(history), str(saved_model(models / "c")))
    assert (found.version, found.folder) == (2, str(saved_model(models / "b")))
    copied = find(models / "c", history, history.parent / "out")
    assert copied.get_int_custom_property("served_version") == 2
    assert load_error(str(saved_model(history.parent / "out"))) is None


def test_a_rollback_that_is_damaged_has_a_copy_in_the_version_that_it_restores(models, history):
    serve(history, {3: models / "a"})
    provenance(history, 3, models / "a", restores=1)
    cut(history / "3")
    found = find_baseline(str(history), str(saved_model(models / "c")))
    assert (found.version, found.folder) == (3, str(history / "1"))


def test_without_any_whole_copy_it_is_what_was_served_before(models, history):
    cut(history / "2")
    assert compared_with(models / "c", history) == 1
    cut(history / "1", 100)
    assert compared_with(models / "c", history) is None


def test_a_candidate_is_known_in_its_damaged_version(models, history):
    cut(history / "2")
    assert compared_with(models / "b", history) == 1
    assert compared_with(models / "a", history) is None


def test_the_driver_takes_what_serves_into_the_cache_key(models, history):
    def content(candidate: Path) -> str:
        given = standard_artifacts.Model()
        given.uri = str(candidate)
        info = ExecutionInfo(input_dict={"candidate": [given]}, exec_properties={"serving": str(history)})
        return Driver(None).run(info).exec_properties["content"].string_value

    served = content_fingerprint(str(saved_model(models / "b")))
    assert content(models / "c") == served
    serve(history, {3: models / "c"})
    assert content(models / "c") == served  # the same run again, after its push
    assert content(models / "b") != served  # and that of another one
    for version in "123":
        shutil.rmtree(history / version)
    assert content(models / "c") == "nothing"


def test_a_destination_is_required():
    with pytest.raises(InputError, match="LastServed: serving: expected the push destination"):
        LastServed(candidate=standard_artifacts.Model, serving="")
