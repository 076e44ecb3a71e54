import pytest
from tfx.dsl.io import fileio, filesystem
from tfx.utils import io_utils

from records.buckets import locally
from tests.kubeflow.object_store import ObjectStore, reach

FILES = {"saved_model.pb": b"graph", "variables/variables.index": b"", "variables/variables.data": b"values"}


@pytest.fixture(scope="module")
def server():
    running = ObjectStore("teachers")
    yield running
    running.close()


@pytest.fixture
def store(server, monkeypatch):
    reach(server, monkeypatch)
    yield server
    for key in server.keys("s3://teachers"):
        server.client.delete_object(Bucket="teachers", Key=key)


@pytest.fixture(params=["s3", "minio"])
def model(store, request):
    """A model as TensorFlow leaves it: with empty objects that stand for its folders."""
    for name, content in {**FILES, "": b"", "variables/": b""}.items():
        store.client.put_object(Bucket="teachers", Key=f"big/1/{name}", Body=content)
    store.client.put_object(Bucket="teachers", Key="big/10/saved_model.pb", Body=b"another")
    return f"{request.param}://teachers/big/1"


def test_files_are_found_and_read(model):
    found = {f"{place}/{name}".removeprefix(f"{model}/") for place, _, names in fileio.walk(model) for name in names}
    assert found == set(FILES)
    assert (fileio.isdir(model), fileio.exists(f"{model}/saved_model.pb"), fileio.isdir(f"{model}/none")) == (
        True,
        True,
        False,
    )
    assert sorted(fileio.listdir(model)) == ["saved_model.pb", "variables"]
    assert fileio.open(f"{model}/variables/variables.data", "rb").read() == b"values"
    assert fileio.open(f"{model}/saved_model.pb").read() == "graph"
    with pytest.raises(filesystem.NotFoundError, match=r"none.pb: there is no such object"):
        fileio.open(f"{model}/none.pb")


def test_patterns_match_within_single_names(model):
    root = model.removesuffix("/1")
    assert fileio.glob(f"{model}/*.pb") == [f"{model}/saved_model.pb"]
    assert fileio.glob(f"{root}/1*/saved_model.pb") == [f"{model}/saved_model.pb", f"{root}/10/saved_model.pb"]
    assert fileio.glob(f"{root}/[1]/variables/variables.data") == [f"{model}/variables/variables.data"]
    assert fileio.glob(f"{root}/*/none.pb") == []


def test_a_folder_comes_to_a_disk_and_goes_again(model):
    with locally(model) as folder:
        assert {str(name): fileio.open(f"{folder}/{name}", "rb").read() for name in FILES} == FILES
    assert not fileio.exists(folder)


def test_what_others_can_read_is_not_copied(tmp_path):
    with locally(str(tmp_path)) as folder:
        assert folder == str(tmp_path)


def test_what_is_written_has_no_empty_objects_for_folders(store, tmp_path):
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "c").write_text("content")
    io_utils.copy_dir(str(tmp_path), "s3://teachers/out")
    with fileio.open("s3://teachers/out/text", "w") as file:
        file.write("words")
    fileio.copy("s3://teachers/out/text", "minio://teachers/out/copy")
    assert store.keys("s3://teachers/out") == {"out/a/b/c": 7, "out/text": 5, "out/copy": 5}
    with pytest.raises(OSError, match="out/copy: there is such an object"):
        fileio.copy("s3://teachers/out/text", "s3://teachers/out/copy")
