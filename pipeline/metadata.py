"""Where ML Metadata are kept: a file, or a database server that a team shares."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit

from ml_metadata.proto import metadata_store_pb2 as mlmd

from pipeline.secrets import PASSWORD_VARIABLE, keep_out_of_logs
from schema.errors import InputError

_PORT = 3306


def is_server(metadata: str) -> bool:
    """Whether metadata are kept by a database server, not in a file."""
    return "://" in metadata


def connection(metadata: str, *, read_only: bool = False) -> mlmd.ConnectionConfig:
    """How to reach the metadata.

    Args:
      metadata: The path of an SQLite file, or `mysql://user@host:port/database` for MySQL and
        MariaDB.  The password comes from CROSSKD_METADATA_PASSWORD.
      read_only: For a file, whether it is only read; else its folder is made if need be.

    Raises:
      InputError: It is neither.
    """
    config = mlmd.ConnectionConfig()
    if not is_server(metadata):
        if not read_only:  # SQLite makes the file, and not the folder.
            Path(metadata).parent.mkdir(parents=True, exist_ok=True)
        config.sqlite.filename_uri = metadata
        mode = mlmd.SqliteMetadataSourceConfig
        config.sqlite.connection_mode = mode.READONLY if read_only else mode.READWRITE_OPENCREATE
        return config
    url = checked_url(metadata)
    config.mysql.host, config.mysql.port = str(url.hostname), url.port or _PORT
    config.mysql.user, config.mysql.database = unquote(url.username or ""), url.path.strip("/")
    # Not in the URL, which would stand in process lists and shell histories.
    config.mysql.password = os.environ.get(PASSWORD_VARIABLE, "")
    keep_out_of_logs()
    return config


def checked_url(metadata: str) -> SplitResult:
    """The parts of a database's URL.

    Raises:
      InputError: It is not one, or holds a password.
    """
    url = urlsplit(metadata)
    if url.password is not None:
        raise InputError(f"--metadata: expected no password in the URL; give it in the variable {PASSWORD_VARIABLE}")
    if url.scheme.startswith("postgres"):
        raise InputError(
            "--metadata: ML Metadata 1.17 cannot keep a text with a backslash in PostgreSQL, and the pipeline's "
            "configuration has such texts; expected mysql://user@host:port/database (MySQL or MariaDB)"
        )
    try:
        complete = url.scheme == "mysql" and url.hostname and url.username and url.path.strip("/") and url.port != 0
        complete = complete and not (url.query or url.fragment or ":" in unquote(url.username or ""))
    except ValueError:
        complete = False
    if not complete:
        raise InputError(f"--metadata: expected mysql://user@host:port/database, found {_shown(metadata)!r}")
    return url


def _shown(metadata: str) -> str:
    """What may be said of a URL that is none: a password may stand before any @, or after a ?."""
    scheme, separator, rest = metadata.partition("?")[0].partition("#")[0].partition("://")
    user, at, place = rest.rpartition("@")
    if separator and ":" not in unquote(user):
        return f"{scheme}://{rest}"
    return f"***@{place}" if at else f"***@{scheme.rpartition('@')[2]}" if "@" in scheme else scheme
