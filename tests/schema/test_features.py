"""What `features:`, `sequences:` and `crosses:` may say, and what they are told if they say something else."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml

from schema.distillation import Distillation
from schema.errors import InputError
from schema.features import Feature
from schema.loader import load_surface
from schema.surface import Surface

SURFACE = """
name: books
features:
  book: {kind: categorical, side: item}
  reader: {kind: categorical, side: user, hash: 100}
  genres: {kind: categorical, side: item, many: true, weights: genre_shares}
  recent: {kind: categorical, side: user, sequence: history, embedding_of: book}
  recent_age: {kind: numeric, side: user, sequence: history, scale: log1p}
  language: {kind: categorical, vocabulary: languages.txt, pretrained: vectors.txt, embedding: 2}
sequences:
  history: {length: 20, newest: last, read: attention}
crosses:
  reader_language: {of: [reader, language], hash: 1000}
tasks:
  click: {kind: binary, label: clicked, ungated: a test}
"""
SCHEMA = """
feature { name: "book" type: INT presence { min_fraction: 1 } shape {} }
feature { name: "reader" type: BYTES presence { min_fraction: 1 } shape {} }
feature { name: "genres" type: BYTES }
feature { name: "genre_shares" type: FLOAT }
feature { name: "recent" type: INT }
feature { name: "recent_age" type: FLOAT }
feature { name: "language" type: BYTES presence { min_fraction: 1 } shape {} }
feature { name: "clicked" type: INT presence { min_fraction: 1 } shape {} not_in_environment: "SERVING" }
"""


def write(folder: Path, content: dict[str, Any], **files: str) -> Path:
    (folder / "surface.yaml").write_text(yaml.safe_dump(content, allow_unicode=True, sort_keys=False), encoding="utf-8")
    (folder / "schema.pbtxt").write_text(SCHEMA)
    texts = {"languages": "de\n日本語\n", "vectors": "de\t0.5 1\n日本語\t-1e-3 2\n", **files}
    for name, text in texts.items():
        (folder / f"{name}.txt").write_text(text, encoding="utf-8")
    return folder


def changed(**changes: Any) -> dict[str, Any]:
    """The surface with other values under some keys, by their path with double underscores between; None removes."""
    content = copy.deepcopy(yaml.safe_load(SURFACE))
    for path, value in changes.items():
        *above, last = path.split("__")
        inside = content
        for key in above:
            inside = inside.setdefault(key, {})
        inside[last] = value
        if value is None:
            del inside[last]
    return content


def test_it_is_read_with_its_files(tmp_path):
    surface = load_surface(write(tmp_path, changed())).surface
    assert surface.raw_columns == ("book", "reader", "genres", "recent", "recent_age", "language", "genre_shares")
    assert surface.parts() == {"history": ["recent", "recent_age"]}
    assert surface.files["languages.txt"].rows == 2
    assert surface.files["vectors.txt"].width == 2
    assert Surface.model_validate_json(surface.model_dump_json(by_alias=True)) == surface


def test_a_changed_file_is_a_changed_surface(tmp_path):
    before = load_surface(write(tmp_path, changed())).surface
    after = load_surface(write(tmp_path, changed(), languages="de\nfr\n")).surface
    assert before.files["languages.txt"].digest != after.files["languages.txt"].digest


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"features__recent__embedding_of": "bok"},
            "features.recent.embedding_of: .* found 'bok'; did you mean 'book'",
        ),
        ({"features__recent__embedding_of": "reader"}, "embedding_of: expected BYTES in the schema, .* found INT"),
        ({"features__genres__weights": "genre_share"}, "features.genres.weights: .* did you mean 'genre_shares'"),
        ({"features__genres__weights": "language"}, "'language' is a feature too"),
        ({"features__language__identity": 5, "features__language__vocabulary": None}, "expected INT in the schema"),
        (
            {"features__recent__kind": "numeric", "features__recent__embedding_of": None},
            "says how many events there are",
        ),
        ({"features__recent_age__side": "item"}, "sequences.history: expected one side .* found item, user"),
        ({"features__recent__embedding_of": None}, "attention compares events with the candidate"),
        ({"sequences__history__candidate": ["genres"]}, "candidate: expected an embedded feature with one value"),
        ({"sequences__histori": {}}, "sequences.histori: .* did you mean 'history'"),
        (
            {"crosses__reader_language__of": ["reader", "genres"]},
            "a categorical feature with one value, found 'genres'",
        ),
        ({"crosses__clicked": {"of": ["reader", "book"], "hash": 9}}, "the schema has a column of this name"),
        ({"features__language__vocabulary": "none.txt"}, "vocabulary: expected a file .* found none at none.txt"),
        ({"features__language__embedding": 3}, "vectors.txt:1: expected 'de', a tab, and 3 numbers .* found 2"),
    ],
)
def test_names_and_types_are_checked_when_it_is_read(changes, message, tmp_path):
    with pytest.raises(InputError, match=message):
        load_surface(write(tmp_path, changed(**changes)))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"tasks__click__bias": ["languag"]}, "tasks.click.bias: .* did you mean 'language'"),
        ({"tasks__click__bias": ["recent"]}, "a feature with one value and no shared embedding, found 'recent'"),
        ({"tasks__click__bias": ["language"]}, "'language' is a bias feature of a task, .* a cross"),
        ({"tasks__click__bias": ["book"]}, "'book' is a bias feature of a task"),
        ({"tasks__click__weight_column": "nothing"}, "tasks.click.weight_column: expected a feature of"),
        ({"tasks__click__weight_column": "language"}, "tasks.click.weight_column: expected FLOAT or INT"),
        ({"model__interactions": ["dots"]}, "'cross', 'dot' or 'fm'"),
        ({"trunk": "my_net"}, "trunk: expected an import path, `package.module:function`, found 'my_net'"),
        ({"trunk": "net:build", "student": "net:build"}, "`trunk` and `student` exclude each other"),
        ({"student": "net:build"}, "`features.language.pretrained` and `student` exclude each other"),
        (
            {"student": "net:build", "features__language__pretrained": None, "warm_start": {"book": {}}},
            "`warm_start.book` and `student` exclude each other",
        ),
    ],
)
def test_networks_and_losses_are_checked_when_it_is_read(changes, message, tmp_path):
    with pytest.raises(InputError, match=message):
        load_surface(write(tmp_path, changed(**changes)))


def test_products_need_two_embeddings(tmp_path):
    content = changed(model__interactions=["fm"], sequences=None, crosses=None)
    content["features"] = {"book": {"kind": "categorical"}, "recent_age": {"kind": "numeric", "default": 0.0}}
    with pytest.raises(InputError, match=r"fm multiplies embeddings; expected two embedded features .* found book"):
        load_surface(write(tmp_path, content))


def test_code_of_ones_own_reads_what_a_server_has(tmp_path):
    content = changed(preprocessing="net:prepare", features__made={"kind": "numeric"})
    surface = load_surface(write(tmp_path, content)).surface
    assert "clicked" not in surface.raw_columns
    assert set(surface.raw_columns) == {"book", "reader", "genres", "genre_shares", "recent", "recent_age", "language"}


def test_a_bias_feature_need_not_exist_when_serving(tmp_path):
    content = changed(features__position={"kind": "numeric"}, tasks__click__bias=["position"])
    folder = write(tmp_path, content)
    position = (
        'feature { name: "position" type: INT presence { min_fraction: 1 } shape {} not_in_environment: "SERVING" }'
    )
    (folder / "schema.pbtxt").write_text(SCHEMA + position)
    assert "position" not in load_surface(folder).surface.raw_columns
    content["tasks"]["click"]["bias"] = []
    (folder / "surface.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
    with pytest.raises(InputError, match=r"features.position: the schema says that it does not exist when serving"):
        load_surface(folder)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"languages": "de\n\nfr\n"}, "languages.txt:2: expected one value a line, found an empty line"),
        ({"languages": ""}, "found an empty line"),
        ({"languages": "de\nfr\nde\n"}, "expected each value once, found 'de' again"),
        ({"vectors": "de\t1 2\nde\t1 2\n"}, "expected each value once, found 'de' again"),
        ({"vectors": "de\t1 nan\n"}, "vectors.txt:1: expected 'de'"),
        ({"vectors": "de 1 2\n"}, "vectors.txt:1: expected 'de 1 2', a tab"),
    ],
)
def test_files_are_checked_when_it_is_read(files, message, tmp_path):
    with pytest.raises(InputError, match=message):
        load_surface(write(tmp_path, changed(), **files))


@pytest.mark.parametrize(
    ("feature", "message"),
    [
        ({"kind": "numeric", "hash": 5}, "`hash` is for categorical features"),
        ({"kind": "numeric", "many": True}, "`many` is for categorical features"),
        ({"kind": "categorical", "scale": "log1p"}, "`scale` is for numeric features"),
        ({"kind": "categorical", "hash": 5, "top_k": 3}, "`hash` and `top_k` exclude each other"),
        ({"kind": "categorical", "vocabulary": "a", "min_count": 3}, "`vocabulary` and `min_count` exclude each other"),
        ({"kind": "categorical", "embedding_of": "a", "embedding": 3}, "`embedding_of` and `embedding` exclude"),
        ({"kind": "categorical", "many": True, "default": "a"}, "`many` and `default` exclude each other"),
        ({"kind": "categorical", "many": True, "sequence": "a"}, "`many` and `sequence` exclude each other"),
        ({"kind": "categorical", "pool": "sum"}, "`pool` is for features with `many:`"),
        ({"kind": "categorical", "frozen": True}, "`frozen` is for features with `pretrained:`"),
        ({"kind": "categorical", "size": 2}, "with `many: true` it has any number"),
        ({"kind": "numeric", "size": 2, "buckets": 5}, "`buckets` is for numeric features of size 1"),
        ({"kind": "numeric", "buckets": 1}, "greater than or equal to 2"),
        ({"kind": "numeric", "buckets": [3, 2]}, "bounds in ascending order"),
        ({"kind": "numeric", "buckets": 5, "scale": "log1p"}, "`buckets` and `scale` exclude each other"),
        ({"kind": "numeric", "sequence": "a", "default": 0.0}, "`sequence` and `default` exclude each other"),
    ],
)
def test_keys_that_do_not_go_together(feature, message):
    with pytest.raises(ValueError, match=message):
        Feature.model_validate(feature)


@pytest.mark.parametrize("head", ["shared", "stacked"])
def test_a_tower_of_its_own_is_for_a_head_that_is_not_served(head):
    with pytest.raises(ValueError, match="`tower: own` is for head auxiliary"):
        Distillation.model_validate({"from": "click", "head": head, "tower": "own"})


def test_a_loss_may_be_an_import_path():
    found = Distillation.model_validate({"from": "click", "loss": "my_ranker.kd:loss"})
    assert (found.loss, found.function) == ("mse", "my_ranker.kd:loss")
    assert Distillation.model_validate(found.model_dump(by_alias=True)) == found
