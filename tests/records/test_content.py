"""Which SavedModels count as the same content."""

from __future__ import annotations

import shutil
from pathlib import Path

import keras
import pytest
import tensorflow as tf

from records.computation import computation_digest
from records.content import content_fingerprint
from schema.errors import InputError
from tests.components.model_pusher.handmade import write_files

DEFAULTS = {"scales": (2.0, 3.0), "bias": 1.0, "first": "click", "words": ("a", "b"), "table": "genre"}


class Tiny(tf.Module):
    """Two outputs, each with a weight of its own, a constant and a vocabulary file."""

    def __init__(self, folder: Path, **options: object) -> None:
        super().__init__()
        chosen = {**DEFAULTS, **options}
        self.scales = [tf.Variable(scale, name="scale") for scale in chosen["scales"]]
        self.bias, self.first = chosen["bias"], chosen["first"]
        file = folder / f"vocabulary_{chosen['table']}"
        file.write_text("\n".join(chosen["words"]))
        source = tf.lookup.TextFileInitializer(
            str(file), tf.string, tf.lookup.TextFileIndex.WHOLE_LINE, tf.int64, tf.lookup.TextFileIndex.LINE_NUMBER
        )
        self.table = tf.lookup.StaticHashTable(source, -1)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="examples")])
    def serve(self, examples: tf.Tensor) -> dict[str, tf.Tensor]:
        index = tf.cast(self.table.lookup(examples), tf.float32) + self.bias
        second = {"click": "like", "like": "click"}[self.first]
        return {self.first: index * self.scales[0], second: index * self.scales[1]}


@pytest.fixture
def fingerprint(tmp_path: Path):
    def of(**options: object) -> str:
        """Each time in a folder of its own, and with other names in the process."""
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        folder.mkdir()
        module = Tiny(folder, **options)
        tf.saved_model.save(module, str(folder / "model"), signatures={"serving_default": module.serve})
        assert computation_digest(str(folder / "model")) == content_fingerprint(str(folder / "model"))
        return content_fingerprint(str(folder / "model"))

    return of


def test_the_same_weights_exported_twice_are_the_same(fingerprint) -> None:
    assert fingerprint() == fingerprint()


@pytest.mark.parametrize(
    "changed",
    [
        {"scales": (2.0, 3.5)},
        {"scales": (3.0, 2.0)},  # the same values, each in the other's place
        {"bias": 1.5},
        {"first": "like"},
        {"words": ("a", "c")},
        {"words": ("b", "a")},
    ],
)
def test_whatever_changes_an_answer_is_another_content(fingerprint, changed: dict[str, object]) -> None:
    assert fingerprint() != fingerprint(**changed)


def test_keras_exports_of_the_same_weights_are_the_same(tmp_path: Path) -> None:
    """Though ExportArchive lists variables in the order of a set, and names of layers count on."""
    model = keras.Sequential([keras.layers.Dense(3), keras.layers.Dropout(0.5), keras.layers.Dense(1)])
    model.build([None, 2])
    twin = keras.Sequential([keras.layers.Dense(3), keras.layers.Dropout(0.5), keras.layers.Dense(1)])
    twin.build([None, 2])
    twin.set_weights(model.get_weights())
    for name, each in {"one": model, "again": model, "twin": twin}.items():
        archive = keras.export.ExportArchive()
        archive.track(each)
        archive.add_endpoint("serve", each.call, input_signature=[tf.TensorSpec([None, 2])])
        archive.write_out(str(tmp_path / name), verbose=False)
    fingerprints = {content_fingerprint(str(tmp_path / name)) for name in ("one", "again", "twin")}
    assert fingerprints == {computation_digest(str(tmp_path / "one"))}
    bytes_of = {(tmp_path / name / "saved_model.pb").read_bytes() for name in ("one", "twin")}
    assert len(bytes_of) == 2


def test_where_it_lies_and_what_was_written_about_it_do_not_matter(tmp_path: Path) -> None:
    write_files(tmp_path / "one", "content")
    shutil.copytree(tmp_path / "one", tmp_path / "two")
    (tmp_path / "two/assets.extra").mkdir()
    (tmp_path / "two/assets.extra/provenance.json").write_text("{}")
    assert content_fingerprint(str(tmp_path / "one")) == content_fingerprint(f"{tmp_path / 'two'}/")


def test_what_cannot_be_read_is_known_by_its_files(tmp_path: Path) -> None:
    write_files(tmp_path / "one", "content")
    before = content_fingerprint(str(tmp_path / "one"))
    (tmp_path / "one/assets/vocabulary").rename(tmp_path / "one/assets/words")
    assert content_fingerprint(str(tmp_path / "one")) != before


def test_an_empty_folder_is_no_content(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected the folder of a SavedModel, found no file"):
        content_fingerprint(str(tmp_path))
