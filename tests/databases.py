"""Database servers on loopback, from Debian's packages, for tests that share metadata by one."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ml_metadata.proto import metadata_store_pb2 as mlmd

PASSWORD = "secret"
USER = DATABASE = "crosskd"
_SECONDS = 60
_POSTGRESQL = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))


def missing() -> list[str]:
    """Debian packages that the tests need and this machine has not."""
    found = {"mariadb-server": shutil.which("mariadbd"), "postgresql": _POSTGRESQL}
    return [package for package, there in found.items() if not there]


@contextmanager
def mariadb() -> Iterator[str]:
    """A MariaDB server with an empty database; its URL."""
    account = _account("mysql")
    with _folder(account) as folder:
        install = ["mariadb-install-db", "--no-defaults", f"--datadir={folder}/data", "--skip-test-db"]
        _run([*install, "--auth-root-authentication-method=normal"], account)
        port, at = _free_port(), f"--socket={folder}/socket"
        serve = ["mariadbd", "--no-defaults", f"--datadir={folder}/data", at, f"--port={port}"]
        with _serving([*serve, "--bind-address=127.0.0.1"], account, folder):
            client = ["mariadb", "--no-defaults", "--user=root", at, "--execute"]
            _wait_for([*client, "select 1"], account)
            name = f"{USER}@'%'"
            _run([*client, f"create database {DATABASE}; create user {name} identified by '{PASSWORD}'"], account)
            _run([*client, f"grant all on {DATABASE}.* to {name}"], account)
            yield f"mysql://{USER}@127.0.0.1:{port}/{DATABASE}"


@contextmanager
def postgresql() -> Iterator[mlmd.ConnectionConfig]:
    """A PostgreSQL server with an empty database; how ML Metadata reaches it."""
    account, programs = _account("postgres"), _POSTGRESQL[-1].parent
    with _folder(account) as folder:
        password = folder / "password"
        password.write_text(PASSWORD)
        password.chmod(0o644)
        data = f"{folder}/data"
        initialise = [f"{programs}/initdb", "-D", data, "-U", USER, "--auth=scram-sha-256", f"--pwfile={password}"]
        _run(initialise, account)
        port = _free_port()
        serve = [f"{programs}/postgres", "-D", data, "-p", str(port), "-k", str(folder), "-h", "127.0.0.1"]
        with _serving(serve, account, folder):
            _wait_for([f"{programs}/pg_isready", "-h", "127.0.0.1", "-p", str(port)], account)
            create = [f"{programs}/createdb", "-h", "127.0.0.1", "-p", str(port), "-U", USER, DATABASE]
            _run(create, account, PGPASSWORD=PASSWORD)
            reached = {"host": "127.0.0.1", "port": str(port), "user": USER, "password": PASSWORD, "dbname": DATABASE}
            yield mlmd.ConnectionConfig(postgresql=mlmd.PostgreSQLDatabaseConfig(**reached))


def _account(name: str) -> str | None:
    """The account that a server runs as; neither server runs as root."""
    return name if os.getuid() == 0 else None


@contextmanager
def _folder(account: str | None) -> Iterator[Path]:
    """A folder that the account owns; its path is short, since a socket lies in it."""
    with tempfile.TemporaryDirectory(dir="/tmp") as made:
        if account is not None:
            user = pwd.getpwnam(account)
            os.chown(made, user.pw_uid, user.pw_gid)
        yield Path(made)


def _run(command: list[str], account: str | None, **variables: str) -> None:
    environment = {**os.environ, **variables}
    done = subprocess.run(command, user=account, cwd="/", env=environment, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{command[0]}: {done.stdout}{done.stderr}")


@contextmanager
def _serving(command: list[str], account: str | None, folder: Path) -> Iterator[None]:
    with (folder / "log").open("w") as log:
        server = subprocess.Popen(command, user=account, cwd="/", stdout=log, stderr=log)
        try:
            yield
        finally:
            server.terminate()
            server.wait(timeout=_SECONDS)


def _wait_for(command: list[str], account: str | None) -> None:
    until = time.monotonic() + _SECONDS
    while subprocess.run(command, user=account, cwd="/", capture_output=True).returncode:
        if time.monotonic() > until:
            raise TimeoutError(f"the server did not answer within {_SECONDS} s: {command}")
        time.sleep(0.2)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
