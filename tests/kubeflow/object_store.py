"""A real S3 API (moto's server), and the launcher's way to carry folders to and from it (`objectstore`, 2.17.0)."""

from __future__ import annotations

import functools
import logging
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from records import buckets

ACCESS = {"aws_access_key_id": "key", "aws_secret_access_key": "secret", "region_name": "us-east-1"}


def credentials(store: ObjectStore) -> dict[str, str]:
    """The variables by which AWS clients, the launcher among them, find a store."""
    return {
        "AWS_ACCESS_KEY_ID": ACCESS["aws_access_key_id"],
        "AWS_SECRET_ACCESS_KEY": ACCESS["aws_secret_access_key"],
        "AWS_REGION": ACCESS["region_name"],
        "AWS_ENDPOINT_URL": store.endpoint,
    }


def reach(store: ObjectStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets this process find the store, for one test."""
    for name, value in credentials(store).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(buckets, "_store", functools.cache(buckets._store.__wrapped__))


class ObjectStore:
    """Buckets of objects under keys; there are no folders."""

    def __init__(self, *buckets: str) -> None:
        # One line for each of thousands of requests would bury what a failed test says.
        logging.getLogger("werkzeug").setLevel(logging.WARNING)
        self._server = ThreadedMotoServer(port=0, verbose=False)
        self._server.start()
        host, port = self._server.get_host_and_port()
        self.endpoint = f"http://{host}:{port}"
        self.client: Any = boto3.client("s3", endpoint_url=self.endpoint, **ACCESS)
        for bucket in buckets:
            self.client.create_bucket(Bucket=bucket)
            # moto keeps its objects for all servers of a process, so that those of an earlier test are there still.
            for key in self.keys(f"s3://{bucket}/"):
                self.client.delete_object(Bucket=bucket, Key=key)

    def close(self) -> None:
        self._server.stop()

    def keys(self, uri: str) -> dict[str, int]:
        """Keys under a URI, with the sizes of their objects."""
        bucket, prefix = _split(uri)
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        found = [each for page in pages for each in page.get("Contents", [])]
        return {each["Key"]: each["Size"] for each in found if _is_under(each["Key"], prefix)}

    def download(self, uri: str, target: Path) -> None:
        """`DownloadBlob`: every object becomes a file, a marker of a folder as well, which then is in the way."""
        bucket, prefix = _split(uri)
        for key in self.keys(uri):
            path = target / key.removeprefix(prefix).strip("/")
            path.parent.mkdir(parents=True, exist_ok=True)
            self.client.download_file(bucket, key, str(path))

    def upload(self, source: Path, uri: str) -> None:
        """`UploadBlob`: files only; one file becomes one object."""
        bucket, prefix = _split(uri)
        if source.is_file():
            self.client.upload_file(str(source), bucket, prefix)
        for file in [each for each in source.rglob("*") if each.is_file()]:
            self.client.upload_file(str(file), bucket, f"{prefix}/{file.relative_to(source)}")


def _split(uri: str) -> tuple[str, str]:
    bucket, _, key = uri.partition("://")[2].partition("/")
    return bucket, key.rstrip("/")


def _is_under(key: str, prefix: str) -> bool:
    return not prefix or key == prefix or key.startswith(f"{prefix}/")
