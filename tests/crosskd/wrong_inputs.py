"""Data, teachers and options that somebody gets wrong: what is given, what is said, and the exit code."""

from __future__ import annotations

import gzip
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
import tensorflow as tf

from records.record_files import first_records, write_records
from tests.e2e import library

BAD_INPUT = 2


@dataclass(frozen=True)
class Product:
    """What a user gives: folders that a case may spoil, since they are its own."""

    folder: Path

    @property
    def surface(self) -> Path:
        return self.folder / "surface"

    @property
    def examples(self) -> Path:
        return self.folder / "examples"

    @property
    def teacher(self) -> Path:
        return self.folder / "teacher"

    def change(self, file: str, old: str, new: str) -> None:
        """Changes a file of the surface."""
        path = self.surface / file
        text = path.read_text()
        assert old in text, old
        path.write_text(text.replace(old, new, 1))

    def each_record(self, change: Callable[[int, tf.train.Example], None], split: str = "train") -> None:
        """Changes the records of a split, each with its place in its file."""
        for part in sorted((self.examples / split).iterdir()):
            examples = [tf.train.Example.FromString(each) for each in first_records(str(part))]
            for row, each in enumerate(examples):
                change(row, each)
            write_records(str(part), [each.SerializeToString() for each in examples], level=1)

    def as_table(self) -> pd.DataFrame:
        """Examples as a table, without the splits' folders; the caller writes it where `examples` was."""
        shutil.rmtree(self.examples)
        self.examples.mkdir()
        rows = range(60)
        return pd.DataFrame(
            {
                "reader": [f"reader-{row % 20}" for row in rows],
                "book": [row % 40 for row in rows],
                "match": [row / 60 for row in rows],
                "was_borrowed": [row % 2 for row in rows],
            }
        )


Spoil = Callable[[Product], None]
CHECK = ("check", "--surface", "{surface}", "--examples", "{examples}", "--teacher", "{teacher}")


@dataclass(frozen=True)
class WrongInput:
    """One slip.

    Attributes:
      name: What is wrong.
      said: What the command says of it, among other things.
      spoil: Does it to a product that is right.
      command: What is called; `{surface}`, `{examples}`, `{teacher}` and `{folder}` stand for the product's.
      code: The exit code.
    """

    name: str
    said: str
    spoil: Spoil = field(default=lambda _: None)
    command: Sequence[str] = CHECK
    code: int = BAD_INPUT


def _option(name: str, said: str, *command: str) -> WrongInput:
    return WrongInput(name, said, command=command)


def _set(column: str, kind: str, values: Sequence[object], rows: range = range(1)) -> Spoil:
    """Gives a column other values in the first records of each file of the training split."""

    def change(row: int, each: tf.train.Example) -> None:
        if row in rows:
            getattr(each.features.feature[column], kind).value[:] = values

    return lambda product: product.each_record(change)


_LIKED = """    kind: binary
    label: was_liked
    gates:
      - {metric: auc, at_least: 0.4}
"""
_LIKED_CLASSES = """    kind: multiclass
    label: was_liked
    classes: [2, 3]
    ungated: classes that nobody chose
"""


def _of_other_classes(product: Product) -> None:
    product.change("surface.yaml", _LIKED, f"{_LIKED_CLASSES}    distil: {{from: fun, loss: kl}}\n")
    product.change("surface.yaml", "fun: {kind: regression}", "fun: {kind: multiclass, classes: [4, 5]}")


def _without(column: str, split: str = "train") -> Spoil:
    return lambda product: product.each_record(lambda _, each: each.features.feature.pop(column, None) and None, split)


def _cut_short(product: Product) -> None:
    part = product.examples / "train" / "part-0.gz"
    part.write_bytes(part.read_bytes()[:-200])


def _plain_text(product: Product) -> None:
    (product.examples / "eval" / "part-1.gz").write_bytes(gzip.compress(b"reader,book\n"))


def _empty_split(product: Product) -> None:
    for part in (product.examples / "eval").iterdir():
        write_records(str(part), [], level=1)


def _no_files(product: Product) -> None:
    shutil.rmtree(product.examples / "eval")


def _two_formats(product: Product) -> None:
    table = product.as_table()
    table.to_parquet(product.examples / "a.parquet")
    table.to_csv(product.examples / "b.csv")


def _no_rule(product: Product) -> None:
    product.as_table().to_parquet(product.examples / "all.parquet")


def _other_type(product: Product) -> None:
    product.change("surface.yaml", "slices:\n", "split: {by: random}\nslices:\n")
    product.as_table().assign(match="near").to_parquet(product.examples / "all.parquet")


def _one_far_off(product: Product) -> None:
    """All values of a column are near 1, and one is near 10^30."""
    _set("match", "float_list", [1e30])(product)


DATA = (
    WrongInput("no folder of examples", "no such folder. Expected a folder with", lambda p: shutil.rmtree(p.examples)),
    WrongInput("no evaluation split", "eval: expected gzipped TFRecords of tf.Example (*.gz), found none", _no_files),
    WrongInput("a split without a record", "the split is empty", _empty_split),
    WrongInput(
        "files that are not compressed",
        "Compress the file, move it elsewhere, or write",
        lambda p: (p.examples / "eval" / "part.tfrecord").touch(),
    ),
    WrongInput("a file that is cut short", "not a whole gzipped TFRecord", _cut_short),
    WrongInput("a compressed table as a TFRecord", "not a whole gzipped TFRecord", _plain_text),
    WrongInput("Parquet beside CSV", "expected files of one format", _two_formats),
    WrongInput("a table without a rule to divide it", "which says how to divide its rows", _no_rule),
    WrongInput("a column of another type", "as schema.pbtxt says, found", _other_type),
    WrongInput(
        "NaN in a feature",
        "feature 'match': expected a finite number, found others in",
        _set("match", "float_list", [float("nan")]),
    ),
    WrongInput(
        "-1 for a label that is not known",
        "column 'was_liked': expected 0 or 1, the label of a binary task, found others in",
        _set("was_liked", "int64_list", [-1]),
    ),
    WrongInput(
        "a label that is none of the classes",
        "column 'was_liked': expected one of the classes of task 'liked' (2, 3), found others in",
        lambda p: p.change("surface.yaml", _LIKED, _LIKED_CLASSES),
    ),
    WrongInput(
        "a teacher of other classes, without a map",
        "has no class '2', but 4, 5; expected `classes:`, which says for each of the task's classes which of the",
        _of_other_classes,
    ),
    WrongInput(
        "two values where one is read",
        "sampled records cannot be labelled: feature 'reader': 2 values, expected 1",
        _set("reader", "bytes_list", [b"one", b"two"]),
    ),
    WrongInput(
        "a required column that is missing",
        "cannot be labelled: feature 'match' is required and absent",
        _without("match"),
    ),
    WrongInput("a task without a label", "has its label 'was_liked'; a task needs labelled", _without("was_liked")),
    WrongInput("one value far off", "the same once they are z-scored", _one_far_off),
    WrongInput(
        "a gated slice of which there is nothing",
        "and such a gate blocks the push",
        lambda p: p.change("surface.yaml", "{genre: crime}", "{genre: western}"),
    ),
    WrongInput(
        "a teacher's input that is nearly never there",
        "examples have no value for it, more than its max_fill_rate",
        lambda p: p.change("surface.yaml", "hour: {dtype: float,", "hour: {dtype: float, max_fill_rate: 0.5,"),
    ),
)


class _Probable(library._Teacher):
    """Answers probabilities, where logits are declared."""

    @tf.function(
        input_signature=[
            tf.TensorSpec([None], tf.string, name="name"),
            tf.TensorSpec([None], tf.float32, name="match"),
            tf.TensorSpec([None], tf.float32, name="hour"),
        ]
    )
    def probable(self, name: tf.Tensor, match: tf.Tensor, hour: tf.Tensor) -> dict[str, tf.Tensor]:
        answers = self.rank(name, match, hour)
        return {**answers, "loan_logit": tf.sigmoid(answers["loan_logit"])}


def _teacher_of(write: Callable[[Path], object]) -> Spoil:
    def spoil(product: Product) -> None:
        shutil.rmtree(product.teacher)
        write(product.teacher)

    return spoil


def _probabilities(folder: Path) -> None:
    teacher = _Probable(1.0)
    tf.saved_model.save(teacher, str(folder), signatures={"rank": teacher.probable})


def _damaged(product: Product) -> None:
    (product.teacher / "saved_model.pb").write_bytes(b"\xff\xff\xff")


TEACHERS = (
    WrongInput("a folder without a SavedModel", "expected the folder of a SavedModel", _teacher_of(Path.mkdir)),
    WrongInput(
        "a SavedModel that is damaged", "expected a TensorFlow SavedModel, found bytes that do not parse", _damaged
    ),
    WrongInput(
        "another signature",
        "teacher.signature: expected a signature 'rank', found",
        _teacher_of(lambda folder: library.write_teacher(folder, signature="serve")),
    ),
    WrongInput(
        "an input that nobody declared",
        "its input 'hour' is not declared in teacher.features",
        lambda p: p.change("surface.yaml", "    hour: {dtype: float, default: 0.5}\n", ""),
    ),
    WrongInput(
        "an input that it does not have",
        "teacher.features.hours: expected an input of the signature",
        lambda p: p.change("surface.yaml", "hour: {dtype", "hours: {dtype"),
    ),
    WrongInput(
        "an input of another type",
        "teacher.features.match.dtype: declared int, the signature takes float32",
        lambda p: p.change("surface.yaml", "match: {dtype: float}", "match: {dtype: int}"),
    ),
    WrongInput(
        "an output that it does not have",
        "teacher.tasks.loan: expected an output 'loan_logits', found fun, loan_logit; did you mean 'loan_logit'?",
        lambda p: p.change("surface.yaml", "output: loan_logit}", "output: loan_logits}"),
    ),
    WrongInput("probabilities for logits", "they look like probabilities", _teacher_of(_probabilities)),
    WrongInput(
        "answers that are no numbers",
        "sampled records cannot be labelled: teacher.tasks.loan answers nan, not finite",
        _teacher_of(lambda folder: library.write_teacher(folder, scale=float("nan"))),
    ),
)

OPTIONS = (
    _option("an option that is none", "No such option: --exmples", "check", "--exmples", "x"),
    _option("a required option that is missing", "Missing option '--teacher'", *CHECK[:5]),
    _option(
        "a number out of its range",
        "Invalid value for '--rows': Input should be greater than or equal to 1",
        *CHECK,
        "--rows",
        "0",
    ),
    _option(
        "a fraction above 1",
        "Invalid value for '--max-bad-fraction': Input should be less",
        *CHECK,
        "--max-bad-fraction",
        "2",
    ),
    _option(
        "a window of examples without spans", "--span and --window are for examples in spans", *CHECK, "--window", "7"
    ),
    _option(
        "candidates that nothing would read",
        "surface 'library' has no `unlabelled:` section, so nothing would be trained on them",
        *(*CHECK, "--candidates", "{examples}/train"),
    ),
    _option("an option that Beam does not know", "Beam knows no option", *CHECK, "--", "--direct_num_worker=2"),
    _option("a word where Beam takes a number", "invalid int value: 'many'", *CHECK, "--", "--direct_num_workers=many"),
    _option(
        "a surface that is not shipped",
        "no such folder, and no shipped surface; those are",
        *("check", "--surface", "hompage", *CHECK[3:]),
    ),
    _option(
        "a root that reads as a pattern", "expected a path without *", "run", *CHECK[1:], "--root", "{folder}/a[b]"
    ),
    _option(
        "a file as a root",
        "there is a file where a folder was expected",
        "run",
        *CHECK[1:],
        "--root",
        "{teacher}/saved_model.pb",
    ),
    _option(
        "a runner that is none",
        "'spark' is not one of 'beam', 'local'",
        "run",
        *CHECK[1:],
        "--root",
        "{folder}/root",
        "--runner",
        "spark",
    ),
    _option("a summary of no run", "expected the root of a run", "summary", "--root", "{folder}"),
    _option("a comparison with a run that is none", "is no folder", "compare", "{folder}/one@-1", "{folder}/two"),
    _option(
        "days of examples that are in none",
        "expected examples in spans: a folder that holds span-1/, span-2/ and so on",
        *("days", *CHECK[1:], "--out", "{folder}/days"),
    ),
    _option(
        "ages of a teacher that are no numbers",
        "--ages young: expected whole numbers of 0 or more with commas between",
        *("days", *CHECK[1:], "--out", "{folder}/days", "--ages", "young"),
    ),
    _option(
        "a teacher of each span of what has none",
        "--each-span: expected examples in spans, found none in",
        *("train-teacher", *CHECK[1:5], "--out", "{folder}/teachers", "--each-span"),
    ),
    _option(
        "a world of one day",
        "--days 1: expected 2 or more; without --days, the world has one period",
        *("world", "simulated", "--out", "{folder}/world", "--days", "1"),
    ),
    _option(
        "a draft over a folder that is there",
        "surface.yaml: is there already; choose another --out, or remove it",
        "init",
        "--examples",
        "{examples}",
        "--out",
        "{surface}",
    ),
    _option(
        "an image without a tag",
        "expected registry/name:tag or registry/name@sha256:digest",
        *("compile", "--surface", "homepage", "--image", "registry/crosskd", "--pipeline-root", "gs://bucket/root"),
        *("--out", "{folder}/pipeline.yaml"),
    ),
)
