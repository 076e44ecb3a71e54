"""A draft from examples of one's own; what is guessed is pinned down in draft/test_guesses.py."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from typer.testing import CliRunner

from crosskd.init import Answers, Drafted, DraftSources, draft_folder
from crosskd.main import app
from schema.errors import InputError
from schema.loader import load_surface
from tests.crosskd.draft.logs import LOGS
from tests.e2e import library

ROWS = 300


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("library")
    library.write_examples(folder / "examples")
    library.write_teacher(folder / "teacher")
    return folder


def draft(data: Path, out: Path, *, teacher: bool = True, labels=None, not_served=(), signature=None) -> Drafted:
    path = data / "teacher" if teacher else None
    answers = Answers(labels=tuple(labels or ()), not_served=tuple(not_served))
    return draft_folder(DraftSources(data / "examples", ROWS, path, signature), out, answers)


def test_a_draft_says_what_it_found_and_what_is_open(data, tmp_path):
    drafted = draft(data, tmp_path / "books")
    assert drafted.tasks == ["was_borrowed", "was_liked"]
    assert drafted.features == ["book", "genre", "match", "pages", "reader"]
    assert not drafted.loads
    assert "no task learns from the teacher yet" in drafted.gap
    assert f"--surface {tmp_path / 'books'} --examples {data / 'examples'} --teacher" in drafted.next
    surface = load_surface(tmp_path / "books").surface
    assert surface.name == "books"
    assert surface.teacher.signature == "rank"
    assert list(surface.teacher.tasks) == ["fun", "loan_logit"]
    assert surface.teacher.features["match"].default is None
    assert surface.teacher.features["hour"].default == 0.0
    text = (tmp_path / "books" / "surface.yaml").read_text()
    assert "    label: was_borrowed # guess: 0 or 1, and an action by its name: a label\n" in text


def test_it_loads_once_the_gap_is_filled_and_has_the_three_environments(data, tmp_path):
    draft(data, tmp_path / "books")
    file = tmp_path / "books" / "surface.yaml"
    file.write_text(file.read_text().replace("    # distil: {from: fun}", "    distil: {from: loan_logit}", 1))
    loaded = load_surface(tmp_path / "books")
    assert list(loaded.surface.distillations()) == ["was_borrowed"]
    columns = {feature.name: feature for feature in loaded.schema.feature}
    assert list(loaded.schema.default_environment) == ["RAW", "TRAINING", "SERVING"]
    assert list(columns["was_borrowed"].not_in_environment) == ["SERVING"]
    assert list(columns["teacher/loan_logit"].not_in_environment) == ["RAW", "SERVING"]
    assert columns["match"].HasField("shape")
    assert not columns["genre"].HasField("shape")
    assert (columns["was_liked"].int_domain.min, columns["was_liked"].int_domain.max) == (0, 1)


def test_what_the_user_says_goes_before_guesses(data, tmp_path):
    drafted = draft(data, tmp_path / "books", teacher=False, labels=["was_liked"], not_served=["was_borrowed", "pages"])
    assert drafted.tasks == ["was_liked"]
    assert "# guess: 0 or 1" not in (tmp_path / "books" / "surface.yaml").read_text()
    assert drafted.features == ["book", "genre", "match", "reader"]
    assert drafted.left_out == {"was_borrowed": "a server does not have it", "pages": "a server does not have it"}
    assert "no `teacher:` section yet" in drafted.gap
    assert load_surface(tmp_path / "books").surface.teacher is None


def test_without_a_label_the_gap_is_named_by_the_loader(data, tmp_path):
    examples = library.write_examples(tmp_path / "examples", without="was_borrowed")
    out = tmp_path / "books"
    drafted = draft_folder(DraftSources(examples, ROWS), out, Answers(not_served=("was_liked",)))
    assert drafted.tasks == []
    assert "found 'LABEL_COLUMN'" in drafted.gap


def test_an_editor_finds_the_json_schema(data, tmp_path):
    draft(data, tmp_path / "books")
    first = (tmp_path / "books" / "surface.yaml").read_text().splitlines()[0]
    assert first == "# yaml-language-server: $schema=surface.schema.json"
    schema = json.loads((tmp_path / "books" / "surface.schema.json").read_text())
    assert set(yaml.safe_load((tmp_path / "books" / "surface.yaml").read_text())) <= set(schema["properties"])


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"labels": ["clicked"]}, "--label clicked: no such column; the examples have book, "),
        ({"not_served": ["hour"]}, "--not-served hour: no such column"),
        ({"signature": "score"}, "choose one of its signatures with --signature: rank"),
    ],
)
def test_a_name_that_is_not_there_is_bad_input(data, tmp_path, more, said):
    with pytest.raises(InputError, match=said):
        draft(data, tmp_path / "books", **more)


def test_records_that_are_no_examples_are_bad_input(tmp_path):
    (tmp_path / "train").mkdir()
    (tmp_path / "train" / "part.gz").write_bytes(b"not gzip")
    with pytest.raises(InputError, match="expected gzipped TFRecords"):
        draft_folder(DraftSources(tmp_path, ROWS), tmp_path / "out", Answers())
    with pytest.raises(InputError, match=r"here/train: expected gzipped TFRecords of tf.Example \(\*.gz\), found none"):
        draft_folder(DraftSources(tmp_path / "nowhere" / "here", ROWS), tmp_path / "out", Answers())


def test_what_is_open_is_asked_at_the_terminal(tmp_path):
    pq.write_table(pa.table(LOGS["shop"]()), tmp_path / "log.parquet")
    options = ["--examples", str(tmp_path / "log.parquet"), "--out", str(tmp_path / "shop"), "--ask", "--json"]
    # What is no answer is asked again; then on_sale, and basket_value; Enter leaves the four others out; tags is a
    # list: a feature, without a question.
    done = CliRunner().invoke(app, ["init", *options], input="what\nneither\nfeature\n\n\n\n\n")
    assert done.exit_code == 0, done.exception
    drafted = json.loads((done.stdout)[done.stdout.index("{\n") :])
    assert drafted["left_out"]["on_sale"] == "a server does not have it"
    assert {"basket_value", "tags"} <= set(drafted["features"])
    assert drafted["open"] == {}


def test_what_is_open_comes_with_the_ways_to_answer(data, tmp_path):
    pq.write_table(pa.table(LOGS["music"]()), tmp_path / "log.parquet")
    out = tmp_path / "music"
    done = CliRunner().invoke(app, ["init", "--examples", str(tmp_path / "log.parquet"), "--out", str(out)])
    assert f"or remove {out}, and give --ask, or --feature, --not-served and --label with a column" in done.stdout


def test_nothing_is_left_of_a_draft_that_fails(data, tmp_path, monkeypatch):
    monkeypatch.setattr("crosskd.draft.files.schema_text", lambda draft: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        draft(data, tmp_path / "books")
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(InputError, match="expected a TensorFlow SavedModel"):
        draft_folder(DraftSources(data / "examples", ROWS, tmp_path), tmp_path / "books", Answers())
    assert list(tmp_path.iterdir()) == []


def test_the_users_word_on_a_feature_and_on_ids_goes_before_what_is_asked(tmp_path):
    pq.write_table(pa.table(LOGS["video"]()), tmp_path / "log.parquet")
    answers = Answers(
        labels=("watch_seconds",), features=("is_new", "has_trailer", "playlist_length"), not_served=("completion",)
    )
    drafted = draft_folder(DraftSources(tmp_path / "log.parquet", 1200), tmp_path / "video", answers)
    assert drafted.tasks == ["watch_seconds"]
    assert "is_new" in drafted.features
    assert set(drafted.open) == {"features.part_of_it", "features.like"}
    with pytest.raises(InputError, match="--feature mood: no example of the sample has a value of it"):
        pq.write_table(pa.table(LOGS["music"]()), tmp_path / "music.parquet")
        draft_folder(DraftSources(tmp_path / "music.parquet", 1200), tmp_path / "x", Answers(features=("mood",)))
