import pytest

from pipeline.kfp.storage import Storage, storage_of


def test_with_a_launcher_every_artifact_is_on_the_containers_disk():
    storage = storage_of("/tmp/kfp_outputs/output_metadata.json")
    assert storage == Storage(launched=True)
    # As LocalPathForURI of Kubeflow's launcher has them.
    for uri, path in {
        "minio://b/v2/x": "/minio/b/v2/x",
        "s3://b/v2/x": "/s3/b/v2/x",
        "gs://b/v2/x": "/gcs/b/v2/x",
    }.items():
        assert storage.path(uri) == path
        assert storage.uri(path) == uri


def test_a_path_on_a_volume_is_what_it_is():
    assert Storage(launched=True).path("/data/teacher") == "/data/teacher"
    assert Storage(launched=True).uri("/data/teacher") == "/data/teacher"


def test_without_a_launcher_uris_stay():
    storage = storage_of("gs://root/1/task/executor_output.json")
    assert storage.path("gs://b/x") == "gs://b/x"
    assert storage.uri("/gcs/b/x") == "/gcs/b/x"


@pytest.mark.parametrize("root", ["/mnt", "/mnt/"])
def test_the_launchers_folders_may_lie_elsewhere(monkeypatch, root):
    monkeypatch.setenv("CROSSKD_MOUNT_ROOT", root)
    assert storage_of("/tmp/x").path("s3://b/x") == "/mnt/s3/b/x"


def test_metadata_that_is_no_path_is_left_alone():
    storage = Storage(launched=True)
    assert storage.uris_in("/minio/b/model") == "minio://b/model"
    assert (storage.uris_in(3.0), storage.uris_in("blessed")) == (3.0, "blessed")
