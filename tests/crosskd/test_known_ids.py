"""A teacher as a catalogue of the ids that it knows."""

from __future__ import annotations

from pathlib import Path

import pytest
import tensorflow as tf

from crosskd.intake import pairs_from_at_hand
from crosskd.known_ids import write_known_ids
from records.examples import files_of
from records.record_files import first_records
from schema.errors import InputError
from schema.loader import SurfaceFolder, load_surface
from tests.e2e import library


def teacher(folder: Path, ids: list, output: str = "name_ids", signature: str = "embeddings") -> Path:
    module = tf.Module()
    module.offer = tf.function(lambda: {output: tf.constant(ids)}, input_signature=[])
    tf.saved_model.save(module, str(folder), signatures={signature: module.offer})
    return folder


@pytest.fixture(scope="module")
def paired(tmp_path_factory: pytest.TempPathFactory) -> SurfaceFolder:
    text = library.SURFACE + library.PAIRS
    folder = tmp_path_factory.mktemp("paired") / "surface"
    return load_surface(library.write_surface(folder, surface=text, schema=library.SCHEMA_WITH_PAIRS))


def listed(folder: Path) -> list[bytes]:
    found = [tf.train.Example.FromString(record).features.feature for record in first_records(files_of(folder))]
    assert all(set(each) == {"reader"} for each in found)
    return [each["reader"].bytes_list.value[0] for each in found]


def test_the_ids_of_the_teacher_under_the_target_s_name_each_once(paired: SurfaceFolder, tmp_path: Path) -> None:
    knowing = teacher(tmp_path / "teacher", [b"b", b"a", b"b"])
    assert write_known_ids(paired, "people", knowing, tmp_path / "into") == 2
    assert listed(tmp_path / "into") == [b"a", b"b"]


def test_a_run_takes_a_teacher_where_it_takes_a_catalogue(paired: SurfaceFolder, tmp_path: Path) -> None:
    knowing = teacher(tmp_path / "teacher", [b"a", b"b"])
    found = pairs_from_at_hand(str(paired.path), {"people": knowing}, tmp_path / "root")
    assert listed(found["people"]) == [b"a", b"b"]


@pytest.mark.parametrize(
    ("which", "offered", "message"),
    [
        ("items", {"ids": [b"a"]}, "expected is a side of nothing else; found book, genre, pages"),
        ("people", {"ids": [b"a"], "output": "others"}, "expected 'name_ids' .* without inputs, found others"),
        ("people", {"ids": [b"a"], "signature": "serve"}, "expected 'name_ids' .*, found none"),
        ("people", {"ids": [1, 2]}, "expected ids that are BYTES as 'reader' is in the schema, found int"),
    ],
)
def test_what_a_teacher_cannot_say_is_an_error(
    which: str, offered: dict, message: str, paired: SurfaceFolder, tmp_path: Path
) -> None:
    knowing = teacher(tmp_path / "teacher", **offered)
    with pytest.raises(InputError, match=message):
        write_known_ids(paired, which, knowing, tmp_path / "into")
