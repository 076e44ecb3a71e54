"""Where an artifact's files are, for a container.

Vertex hands over URIs that TFX reads and writes itself.  The launcher of open-source Kubeflow
Pipelines 2 copies inputs from the object store to the container's disk before it starts, and
outputs back after it; so there every path is local, no code needs an object store of its own,
and no zero-byte directory marker comes to be, over which the launcher would stumble when it
fetches a model's nested folders (kubeflow/pipelines issue 13476).
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

from schema.errors import InputError

# As `LocalPathForURI` of Kubeflow's launcher has it.
_FOLDERS = {"gs://": "gcs", "s3://": "s3", "minio://": "minio"}

# Where those folders are; the launcher knows no other place, so only tests set it.
MOUNT_ROOT_VARIABLE = "CROSSKD_MOUNT_ROOT"


@dataclass(frozen=True)
class Storage:
    """The way between URIs and paths.

    Attributes:
      launched: Whether a launcher copies artifacts.
      root: The folder of the launcher's folders, ending in a slash.
    """

    launched: bool
    root: str = "/"

    def path(self, uri: str) -> str:
        """Where a container finds what the backend knows by `uri`."""
        for scheme, folder in _FOLDERS.items():
            if self.launched and uri.startswith(scheme):
                return f"{self.root}{folder}/{uri.removeprefix(scheme)}"
        return uri

    def uri(self, path: str) -> str:
        """The reverse of `path`."""
        for scheme, folder in _FOLDERS.items():
            start = f"{self.root}{folder}/"
            if self.launched and path.startswith(start):
                return scheme + path.removeprefix(start)
        return path

    def uris_in(self, value: Any) -> Any:
        """A value of an artifact's metadata, with URIs for paths."""
        return self.uri(value) if isinstance(value, str) else value


def check_bucket(uri: str, option: str) -> None:
    """Checks that a URI names a folder in an object store that Kubeflow's launcher knows.

    Args:
      uri: The URI.
      option: What it was given as, for messages.

    Raises:
      InputError: It does not.
    """
    scheme, separator, place = uri.partition("://")
    if scheme + separator not in _FOLDERS or not place.strip("/"):
        forms = " or ".join(f"{each}bucket/folder" for each in _FOLDERS)
        raise InputError(
            f"{option}: expected a bucket, {forms}, found {uri!r}. Kubeflow's launcher carries artifacts to and from "
            "an object store."
        )


def storage_of(output_file: str) -> Storage:
    """The storage of a container, known by where the backend wants its result.

    Args:
      output_file: A path with a launcher, a URI without.
    """
    root = os.environ.get(MOUNT_ROOT_VARIABLE, "/").rstrip("/")
    return Storage(launched="://" not in output_file, root=f"{root}/")
