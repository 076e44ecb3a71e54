"""Which URIs Kubeflow takes, and what it makes of them.

After `objectstore/config.go` and `LocalPathForURI` of `component/launcher_v2.go`, release 2.17.0.
"""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass

_PATTERN = re.compile(r"(^[a-z][a-z0-9]+:///?)([^/?]+)(/[^?]*)?(\?.+)?$")
_FOLDERS = {"gs://": "/gcs/", "minio://": "/minio/", "s3://": "/s3/"}


class RefusedError(Exception):
    """Driver, importer or launcher ends with an error before or after the container's command."""


@dataclass(frozen=True)
class Bucket:
    """`Config`: a bucket, and the prefix of all keys in it."""

    scheme: str
    name: str
    prefix: str = ""

    @property
    def prefixed(self) -> str:
        """`PrefixedBucket`."""
        return self.scheme + posixpath.join(self.name, self.prefix).rstrip("/")

    def key(self, uri: str) -> str:
        """`KeyFromURI`.  A prefix that only begins alike is taken for the same, as there."""
        if not uri.startswith(self.prefixed):
            raise RefusedError(f"URI {uri!r} does not have expected bucket prefix {self.prefixed!r}")
        key = uri.removeprefix(self.prefixed).lstrip("/")
        if not key:
            raise RefusedError(f"URI {uri!r} has empty key given prefixed bucket {self.prefixed!r}")
        return posixpath.join(self.prefix, key)


def parse_root(uri: str) -> Bucket:
    """`ParseBucketPathToConfig`: of a pipeline root."""
    scheme, name, path = _match(uri, "unrecognized pipeline root format")
    return Bucket(scheme, name, f"{path.strip('/')}/" if path.strip("/") else "")


def parse_artifact(uri: str) -> Bucket:
    """`ParseBucketConfigForArtifactURI`: the bucket alone."""
    scheme, name, _ = _match(uri, "unrecognized uri format")
    return Bucket(scheme, name)


def check_imported(uri: str, artifact_type: str) -> None:
    """`ImportSpecToMLMDArtifact` of `component/importer_launcher.go`: no path, and oci:// for `system.Model` alone."""
    if not uri:
        raise RefusedError("empty artifact URI runtime value")
    if uri.startswith("oci://"):
        if artifact_type != "system.Model":
            raise RefusedError(f"the {artifact_type} artifact type does not support OCI registries")
        return
    try:
        parse_root(uri)
    except RefusedError as error:
        raise RefusedError(f"no provider scheme found in artifact URI: {uri}") from error


def local_path(uri: str) -> str | None:
    """`LocalPathForURI`; None stands for its error, upon which the launcher copies nothing."""
    for scheme, folder in _FOLDERS.items():
        if uri.startswith(scheme):
            return folder + uri.removeprefix(scheme)
    return None


def _match(uri: str, problem: str) -> tuple[str, str, str]:
    found = _PATTERN.match(uri)
    if found is None:
        raise RefusedError(f"parse bucket config failed: {problem}: {uri!r}")
    if found[1] not in (*_FOLDERS, "mem://"):
        raise RefusedError(f"parse bucket config failed: unsupported Cloud bucket: {uri!r}")
    return found[1], found[2], found[3] or ""
