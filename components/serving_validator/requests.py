"""Requests as a server gets them: real examples without what does not exist when serving."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

import tensorflow as tf

from components.serving_validator.requirements import Requirements
from records.example_artifacts import files_in
from records.record_files import first_records
from schema.errors import InputError
from schema.surface import EVAL_SPLIT

# ASCII: TensorFlow quotes the request in its error, which Python must be able to decode.
_GARBAGE = b"this is no tf.Example"


@dataclass(frozen=True)
class Requests:
    """What is sent.

    Attributes:
      full: Serialized tf.Examples as the evaluation reads them, labels included.
      stripped: The same ones with features only.
      malformed: What no model can answer, by description.
      files: All files of the evaluation split, whose every row must get an answer that is one.
    """

    full: list[bytes]
    stripped: list[bytes]
    malformed: dict[str, bytes]
    files: list[str]

    def with_columns(self, columns: Iterable[str]) -> list[bytes]:
        """The same requests with these columns alone, for a model that takes others."""
        return [_strip(record, frozenset(columns)) for record in self.full]


def read_requests(example_uris: Sequence[str], requirements: Requirements) -> Requests:
    """Makes requests of the first examples of the evaluation split.

    Args:
      example_uris: Folders of Examples artifacts.
      requirements: What the surface asks.

    Raises:
      InputError: There is no example.
    """
    folders = [f"{uri.rstrip('/')}/Split-{EVAL_SPLIT}" for uri in example_uris]
    files = sorted(path for folder in folders for path in files_in(folder))
    full: list[bytes] = []
    for path in files:
        full += _read(path, requirements.serving.requests - len(full))
    if not full:
        raise InputError(f"{' '.join(folders)}: expected examples to make requests of, found none")
    stripped = [_strip(record, requirements.features) for record in full]
    return Requests(full, stripped, _malformed(stripped[0], requirements), files)


def _read(path: str, most: int) -> list[bytes]:
    if most <= 0:
        return []
    return first_records(path, most)


def _strip(record: bytes, features: Collection[str]) -> bytes:
    example = tf.train.Example.FromString(record)
    kept = {name: value for name, value in example.features.feature.items() if name in features}
    return bytes(tf.train.Example(features=tf.train.Features(feature=kept)).SerializeToString(deterministic=True))


def _malformed(record: bytes, requirements: Requirements) -> dict[str, bytes]:
    """Garbage, and the record without each required feature or with a value of no type it can have."""
    found = {"garbage bytes": _GARBAGE}
    for name in requirements.required:
        example = tf.train.Example.FromString(record)
        del example.features.feature[name]
        found[f"a request without {name}"] = example.SerializeToString()
        example.features.feature[name].CopyFrom(_of_another_type(record, name))
        found[f"a request with {name} of another type"] = example.SerializeToString()
    return found


def _of_another_type(record: bytes, name: str) -> tf.train.Feature:
    feature = tf.train.Example.FromString(record).features.feature[name]
    if feature.WhichOneof("kind") == "bytes_list":
        return tf.train.Feature(float_list=tf.train.FloatList(value=[0.5]))
    return tf.train.Feature(bytes_list=tf.train.BytesList(value=[b"text"]))
