import pytest
from tfx.dsl.components.base import base_executor
from tfx.types import standard_artifacts

from components.teacher_importer.component import TeacherImporter
from components.teacher_importer.executor import Executor
from records.fingerprint import fingerprint
from schema.errors import InputError
from tests.kubeflow.object_store import ObjectStore, reach


@pytest.fixture
def teacher(tmp_path):
    folder = tmp_path / "teacher"
    (folder / "variables").mkdir(parents=True)
    (folder / "saved_model.pb").write_bytes(b"graph")
    (folder / "variables" / "variables.data").write_bytes(b"values")
    return folder


@pytest.fixture
def store():
    running = ObjectStore("elsewhere")
    yield running
    running.close()


def bring(source, expected, out):
    model = standard_artifacts.Model()
    model.uri = str(out)
    properties = {"source": str(source), "teacher_fingerprint": expected}
    Executor(base_executor.BaseExecutor.Context()).Do({}, {"model": [model]}, properties)


def test_a_folder_of_a_volume_is_copied_file_for_file(teacher, tmp_path):
    bring(f"{teacher}/", fingerprint(str(teacher)), tmp_path / "out")
    assert fingerprint(str(tmp_path / "out")) == fingerprint(str(teacher))


def test_a_bucket_is_copied_without_the_markers_over_which_the_launcher_stumbles(teacher, tmp_path, store, monkeypatch):
    store.upload(teacher, "s3://elsewhere/teacher")
    store.client.put_object(Bucket="elsewhere", Key="teacher/variables/", Body=b"")
    reach(store, monkeypatch)
    assert fingerprint("minio://elsewhere/teacher") == fingerprint(str(teacher))
    bring("s3://elsewhere/teacher", fingerprint(str(teacher)), tmp_path / "out")
    assert fingerprint(str(tmp_path / "out")) == fingerprint(str(teacher))


def test_another_teacher_than_was_asked_for_is_not_taken(teacher, tmp_path):
    with pytest.raises(InputError, match=r"expected the fingerprint abc, found [0-9a-f]{64}: the teacher has changed"):
        bring(teacher, "abc", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_no_teacher_at_all(tmp_path, store, monkeypatch):
    with pytest.raises(InputError, match="nowhere: expected the folder of a teacher, candidates or a catalogue"):
        bring(tmp_path / "nowhere", "abc", tmp_path / "out")
    reach(store, monkeypatch)
    with pytest.raises(InputError, match="s3://elsewhere/nothing: expected the folder of a teacher, candidates"):
        bring("s3://elsewhere/nothing", "abc", tmp_path / "out")


@pytest.mark.parametrize(
    "given", [{"source": "", "teacher_fingerprint": "a"}, {"source": "/t", "teacher_fingerprint": ""}]
)
def test_what_is_left_out_when_building(given):
    with pytest.raises(InputError, match="expected a text, found nothing"):
        TeacherImporter(**given)
