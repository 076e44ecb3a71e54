from typer.testing import CliRunner

from crosskd.main import app
from records.fingerprint import fingerprint
from tests.kubeflow.object_store import ObjectStore, reach


def test_a_teacher_in_a_bucket_has_the_fingerprint_of_its_folder(tmp_path, monkeypatch):
    (tmp_path / "variables").mkdir()
    (tmp_path / "saved_model.pb").write_bytes(b"graph")
    (tmp_path / "variables" / "variables.data").write_bytes(b"values")
    store = ObjectStore("teachers")
    store.upload(tmp_path, "s3://teachers/big")
    reach(store, monkeypatch)
    for uri in ("s3://teachers/big", "minio://teachers/big/", str(tmp_path)):
        done = CliRunner().invoke(app, ["fingerprint", uri])
        assert (done.exit_code, done.output.strip()) == (0, fingerprint(str(tmp_path)))
    store.close()


def test_a_bucket_out_of_reach_is_said_with_what_it_takes(monkeypatch):
    store = ObjectStore("teachers")
    reach(store, monkeypatch)
    store.close()
    done = CliRunner().invoke(app, ["fingerprint", "s3://teachers/big"])
    assert done.exit_code == 2
    assert "AWS_ENDPOINT_URL" in done.output
