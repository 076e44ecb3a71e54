import pytest
from ml_metadata.proto import metadata_store_pb2 as mlmd

from pipeline.metadata import connection
from schema.errors import InputError


@pytest.fixture(autouse=True)
def password(monkeypatch):
    monkeypatch.setenv("CROSSKD_METADATA_PASSWORD", "secret")


def test_a_path_is_a_file_whose_folder_is_made_to_write_it(tmp_path):
    path = tmp_path / "root" / "metadata.sqlite"
    read = connection(str(path), read_only=True)
    assert read.sqlite.connection_mode == mlmd.SqliteMetadataSourceConfig.READONLY
    assert not path.parent.exists()
    config = connection(str(path))
    assert config.sqlite.filename_uri == str(path)
    assert config.sqlite.connection_mode == mlmd.SqliteMetadataSourceConfig.READWRITE_OPENCREATE
    assert path.parent.is_dir()


def test_a_url_is_a_server_and_the_password_is_not_in_it():
    mysql = connection("mysql://crosskd@db.example:3307/metadata").mysql
    assert (mysql.host, mysql.port, mysql.user, mysql.password, mysql.database) == (
        "db.example",
        3307,
        "crosskd",
        "secret",
        "metadata",
    )
    assert connection("mysql://cross%40kd@db.example/metadata").mysql.user == "cross@kd"
    assert connection("mysql://cross%40kd@db.example/metadata").mysql.port == 3306


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("mysql://a:b@host/metadata", "expected no password in the URL"),
        ("oracle://a@host/metadata", "expected mysql://user@host:port/database, found"),
        ("postgresql://a@host/metadata", "cannot keep a text with a backslash in PostgreSQL"),
        ("mysql://host/metadata", "found 'mysql://host/metadata'"),
        ("mysql://a@host", "found 'mysql://a@host'"),
        ("mysql://a@host:port/metadata", "found 'mysql://a@host:port/metadata'"),
    ],
)
def test_what_is_no_url_of_a_database(url, message):
    with pytest.raises(InputError, match=message):
        connection(url)
