import shutil
from pathlib import Path

import pytest
from tfx.dsl.components.base import base_executor
from tfx.orchestration.portable.data_types import ExecutionInfo
from tfx.types import standard_artifacts

from components.continuation.component import Continuation
from components.continuation.driver import Driver
from components.continuation.examples import trained_on
from components.continuation.executor import Executor
from components.continuation.finding import find_earlier
from contracts.continuation import StartingPoint
from contracts.provenance import Origin, Provenance, TrainingLeft
from records import documents
from records.manifest import Manifest
from records.training_states import ArmState, data_of, folder_of, leave
from schema.errors import InputError
from tests.components.continuation.states import write_state


class Destination:
    """A push destination, whose versions have provenance and no model."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.serving = str(folder / "serving")

    def push(
        self, version: int, data: str | None, lineage: tuple[str, ...] = (), **more: object
    ) -> TrainingLeft | None:
        left = None
        if data is not None:
            runs = {
                role: write_state(self.folder / f"run-{version}" / role, role, data, lineage)
                for role in ("student", "control")
            }
            left = TrainingLeft(digest=leave(self.serving, runs), data=data, lineage=lineage)
        provenance = Provenance(
            version=version,
            pushed_at="",
            model="",
            model_fingerprint="",
            decision="",
            origin=Origin(surface="shelf", data_span=more.pop("data_span", None)),
            training=left,
            **more,
        )
        documents.write(f"{self.serving}/{version}", provenance)
        return left

    def restore(self, version: int, restores: int) -> None:
        earlier = documents.read(f"{self.serving}/{restores}", Provenance)
        documents.write(
            f"{self.serving}/{version}", earlier.model_copy(update={"version": version, "restores": restores})
        )


@pytest.fixture
def days(tmp_path) -> Destination:
    """Versions 1, 2 and 3, of the spans 11, 12 and 13."""
    destination = Destination(tmp_path)
    for version in (1, 2, 3):
        destination.push(version, f"span/{10 + version}", tuple(f"span/{10 + each}" for each in range(1, version))[-1:])
    return destination


def test_a_run_continues_from_the_one_whose_student_serves(days):
    found = find_earlier(days.serving, "span/14")
    assert (found.version, found.left.data) == (3, "span/13")
    assert found.sentence == "Continues from the run of version 3, trained on span/13."


def test_a_repeated_run_starts_where_the_first_one_did_and_never_from_later_spans(days):
    assert find_earlier(days.serving, "span/13").version == 2
    assert find_earlier(days.serving, "span/12").version == 1
    cold = find_earlier(days.serving, "span/11")
    assert (cold.version, cold.left) == (None, None)
    assert cold.sentence == "Cold start: nothing serves yet that was trained on earlier examples."


def test_after_a_rollback_it_is_the_run_of_what_serves_again(days):
    days.restore(4, 2)
    assert (found := find_earlier(days.serving, "span/14")).version == 4
    assert found.left.data == "span/12"
    assert find_earlier(days.serving, "span/12").version == 1


def test_examples_without_spans_are_known_by_their_content(tmp_path):
    destination = Destination(tmp_path)
    destination.push(1, "examples/a")
    destination.push(2, "examples/b", ("examples/a",))
    assert find_earlier(destination.serving, "examples/c").version == 2
    assert find_earlier(destination.serving, "examples/b").version == 1
    assert find_earlier(destination.serving, "examples/a").version is None


def test_nothing_serves(tmp_path):
    assert find_earlier(str(tmp_path / "serving"), "span/1").version is None


@pytest.mark.parametrize("data_span", [None, "2026-01-30:2026-01-31", "20:30"])
def test_what_left_nothing_is_a_cold_start_that_says_so(tmp_path, data_span):
    destination = Destination(tmp_path)
    destination.push(1, None, data_span=data_span)
    found = find_earlier(destination.serving, "span/90000")
    assert found.version is None
    assert found.sentence.startswith("Cold start: the run that pushed version 1, which serves, left nothing")


def test_a_version_without_provenance_that_was_ours_is_an_error(days):
    documents.write(f"{days.serving}/3", Manifest(files={}))
    Path(days.serving, "3", Provenance.FILE).unlink()
    with pytest.raises(InputError, match=r"expected the provenance of what serves"):
        find_earlier(days.serving, "span/14")


@pytest.mark.parametrize("role", ["student", "control"])
@pytest.mark.parametrize("harm", ["file", "document", "folder", "changed", "exchanged"])
def test_what_is_damaged_or_gone_is_an_error_and_no_cold_start(days, harm, role):
    left = documents.read(f"{days.serving}/3", Provenance).training
    folder = Path(folder_of(days.serving, left.digest, role))
    if harm == "file":
        (folder / "weights.npz").unlink()
    elif harm == "document":
        (folder / ArmState.FILE).write_text("{")
    elif harm == "folder":
        shutil.rmtree(folder.parent)
    elif harm == "changed":
        (folder / "weights.npz").write_text("another")
    else:
        shutil.rmtree(folder)
        write_state(folder, role, "span/13", content="of somebody else")
    with pytest.raises(InputError, match=r"(?s)damaged or gone: .*(`crosskd rollback`)"):
        find_earlier(days.serving, "span/14")


def examples(folder: Path, content: dict[str, bytes]) -> standard_artifacts.Examples:
    found = standard_artifacts.Examples()
    found.uri, found.split_names = str(folder), '["train", "eval"]'
    for split, data in content.items():
        (folder / f"Split-{split}").mkdir(parents=True)
        (folder / f"Split-{split}" / "data-0.gz").write_bytes(data)
    return found


def test_each_arm_is_handed_what_its_own_lineage_left(days, tmp_path):
    outputs = {}
    for role in ("student", "control"):
        outputs[role] = standard_artifacts.Model()
        outputs[role].uri = str(tmp_path / "out" / role)
    given = {"examples": [examples(tmp_path / "examples", {"train": b"1", "eval": b"2"})]}
    properties = {"serving": days.serving, "data_span": "8:14"}
    Executor(base_executor.BaseExecutor.Context()).Do(
        given, {role: [each] for role, each in outputs.items()}, properties
    )
    for role in ("student", "control"):
        folder = tmp_path / "out" / role / "Format-Serving"
        point = documents.read(str(folder), StartingPoint)
        assert (point.role, point.version, point.data, point.lineage) == (role, 3, "span/14", ("span/13",))
        assert (folder / "training_state" / "weights.npz").read_text() == f"{role} of span/13"


def test_the_driver_takes_what_is_continued_from_into_the_cache_key(days, tmp_path):
    given = {"examples": [examples(tmp_path / "examples", {"train": b"1", "eval": b"2"})]}

    def content(span: str) -> str:
        info = ExecutionInfo(input_dict=given, exec_properties={"serving": days.serving, "data_span": span})
        return Driver(None).run(info).exec_properties["content"].string_value

    digests = {
        version: documents.read(f"{days.serving}/{version}", Provenance).training.digest for version in (1, 2, 3)
    }
    assert content("14") == digests[3]
    assert content("13") == digests[2]
    days.push(5, "span/14", ("span/13",))
    assert content("14") == digests[3]  # the same run again, after its push
    assert content("11") == "nothing"


def test_examples_are_known_by_content_however_their_files_are_named(tmp_path):
    (tmp_path / "in" / "train").mkdir(parents=True)
    (tmp_path / "in" / "train" / "of-the-user.gz").write_bytes(b"1")
    copied = examples(tmp_path / "copied", {"train": b"1", "eval": b"2"})
    (tmp_path / "in" / "eval.gz").write_bytes(b"2")
    files = {"train": [str(tmp_path / "in" / "train" / "of-the-user.gz")], "eval": [str(tmp_path / "in" / "eval.gz")]}
    assert trained_on(copied, "") == data_of(None, files)
    assert trained_on(copied, "") != data_of(None, {"train": files["eval"], "eval": files["train"]})
    assert trained_on(copied, "2026-01-30:2026-01-31") == "span/20484"


def test_a_destination_is_required():
    with pytest.raises(InputError, match="Continuation: serving: expected the push destination"):
        Continuation(examples=standard_artifacts.Examples, serving="")
