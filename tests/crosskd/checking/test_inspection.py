"""Everything that is wrong with what a run is given is found at once, on a sample."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import tensorflow as tf

from crosskd.checking import findings
from crosskd.checking.findings import CheckReport, Severity
from crosskd.checking.inspection import RunInputs, inspect_inputs
from records.record_files import first_records, write_records
from tests.e2e import library
from tests.examples import example


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> RunInputs:
    folder = tmp_path_factory.mktemp("library")
    return RunInputs(
        str(library.write_surface(folder / "surface")),
        library.write_examples(folder / "examples", sizes=(600, 300)),
        library.write_teacher(folder / "teacher"),
    )


@pytest.fixture
def surface(tmp_path: Path) -> Callable[..., str]:
    def write(*changes: tuple[str, str], schema: tuple[str, str] = ("", "")) -> str:
        text = library.SURFACE
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        return str(library.write_surface(tmp_path / "s", surface=text, schema=library.SCHEMA.replace(*schema)))

    return write


@pytest.fixture
def spoilt(tmp_path: Path) -> Callable[..., Path]:
    """Examples of which each record of the training split went through a function."""

    def write(change: Callable[[int, tf.train.Example], None], split: str = "train") -> Path:
        folder = library.write_examples(tmp_path / "examples", sizes=(600, 300))
        for part in sorted((folder / split).iterdir()):
            examples = [tf.train.Example.FromString(each) for each in first_records(str(part))]
            for row, each in enumerate(examples):
                change(row, each)
            write_records(str(part), [each.SerializeToString() for each in examples], level=1)
        return folder

    return write


def problems(given: RunInputs, rows: int = 2000) -> list[str]:
    return inspect_inputs(given, rows).of(Severity.PROBLEM)


def warnings(given: RunInputs, rows: int = 2000) -> list[str]:
    return inspect_inputs(given, rows).of(Severity.WARNING)


def test_what_is_whole_has_no_problem_and_its_rates_are_those_of_the_data(whole: RunInputs) -> None:
    report = inspect_inputs(whole)
    assert report.of(Severity.PROBLEM) == []
    assert [(each.split, each.rows, each.files, each.whole) for each in report.splits] == [
        ("train", 600, 2, True),
        ("eval", 300, 2, True),
    ]
    assert {each.name: each.fill_rate for each in report.inputs if each.split == "train"} == {
        "name": 0.0,
        "match": 0.0,
        "hour": 1.0,
    }
    borrowed, liked = (each for each in report.labels if each.split == "train")
    assert (borrowed.labelled, borrowed.label_rate) == (600, 1.0)
    assert 0.3 < (borrowed.mean_label or 0) < 0.6
    assert 0.2 < liked.label_rate < 0.45
    (crime,) = report.slices
    assert 0.2 * 300 < crime.rows < 0.35 * 300


def test_a_sample_takes_from_every_file(whole: RunInputs) -> None:
    report = inspect_inputs(whole, 100)
    assert [(each.rows, each.whole) for each in report.splits] == [(100, False), (100, False)]


def test_problems_of_every_kind_are_found_at_once(
    whole: RunInputs, surface: Callable[..., str], spoilt: Callable[..., Path], tmp_path: Path
) -> None:
    def spoil(row: int, each: tf.train.Example) -> None:
        if row == 3:
            each.features.feature["match"].float_list.value[0] = float("nan")
        if row == 4:
            each.features.feature["was_liked"].int64_list.value[:] = [-1]

    given = replace(
        whole,
        surface=surface(("genre: crime", "genre: western"), ("hour:", "hours:")),
        examples=spoilt(spoil),
        beam_args=["--direct_num_worker=2"],
    )
    found = "\n".join(problems(given))
    assert "feature 'match': expected a finite number, found others in 2 of 600 examples" in found
    assert "column 'was_liked': expected 0 or 1, the label of a binary task, found others in 2 of 600" in found
    assert "tasks.borrowed.gates.1: slice 'crime' has 0 labelled examples, at least 50 are asked" in found
    assert "Beam knows no option --direct_num_worker; did you mean 'direct_num_workers'?" in found
    assert "teacher.features.hours: expected an input of the signature" in found
    assert "its input 'hour' is not declared in teacher.features" in found


def test_a_surface_that_cannot_be_read_and_files_that_do_not_count_are_both_said(
    whole: RunInputs, surface: Callable[..., str], tmp_path: Path
) -> None:
    examples = library.write_examples(tmp_path / "e", sizes=(10, 10))
    (examples / "eval/part.tfrecord").touch()
    (examples / "eval/notes.txt").touch()
    found = problems(replace(whole, surface=surface(("kind: numeric", "kind: number")), examples=examples))
    assert sum("features." in each and "input should be" in each for each in found) == 2
    assert sum("Compress the file, move it elsewhere, or write" in each for each in found) == 2


def test_a_missing_column_is_named_with_schema_and_teacher(whole: RunInputs, spoilt: Callable[..., Path]) -> None:
    def without(_: int, each: tf.train.Example) -> None:
        del each.features.feature["match"]

    found = "\n".join(problems(replace(whole, examples=spoilt(without))))
    assert "split train: feature 'match': Column dropped" in found
    assert found.count("Mend the examples; or, if they are right, schema.pbtxt in the surface folder.") == 1
    assert "300 of 600" not in found
    assert "600 of 600 sampled records cannot be labelled: feature 'match' is required and absent" in found


def test_one_bad_record_of_few_is_a_problem_and_of_a_sample_a_warning(
    whole: RunInputs, spoilt: Callable[..., Path]
) -> None:
    def spoil(row: int, each: tf.train.Example) -> None:
        if row == 0:
            each.features.feature["reader"].bytes_list.value.append(b"two")

    examples = spoilt(spoil)
    sentence = "2 of 600 sampled records cannot be labelled: feature 'reader': 2 values, expected 1"
    assert any(sentence in each for each in problems(replace(whole, examples=examples)))
    sampled = sentence.replace("2 of 600", "2 of 500")
    assert any(sampled in each for each in warnings(replace(whole, examples=examples), 500))


def test_a_limit_on_fill_rates(whole: RunInputs, surface: Callable[..., str]) -> None:
    given = replace(whole, surface=surface(("hour: {dtype: float,", "hour: {dtype: float, max_fill_rate: 0.5,")))
    sentence = "600 of 600 examples have no value for it, more than its max_fill_rate"
    assert any(sentence in each for each in problems(given))


def test_ids_that_the_teacher_does_not_know(whole: RunInputs, tmp_path: Path) -> None:
    class Knowing(library._Teacher):
        @tf.function(input_signature=[])
        def known(self) -> dict[str, tf.Tensor]:
            return {"name_ids": tf.constant(["reader-0", "reader-1"]), "name_vectors": tf.zeros([2, 4])}

    teacher = Knowing(1.0)
    path = tmp_path / "teacher"
    tf.saved_model.save(teacher, str(path), signatures={"rank": teacher.rank, "embeddings": teacher.known})
    report = inspect_inputs(replace(whole, teacher=path))
    known = {each.name: each.known_rate for each in report.inputs if each.split == "train"}
    assert known["name"] == pytest.approx(0.1, abs=0.04)
    assert known["match"] is None


@pytest.fixture(scope="module")
def paired(whole: RunInputs, tmp_path_factory: pytest.TempPathFactory) -> RunInputs:
    """The same with pairs, for which a catalogue of people has a use."""
    folder = tmp_path_factory.mktemp("paired")
    text = library.SURFACE + library.PAIRS
    surface = library.write_surface(folder / "surface", surface=text, schema=library.SCHEMA_WITH_PAIRS)
    (folder / "people").mkdir()
    write_records(str(folder / "people" / "all.gz"), [example({"reader": b"somebody"}).SerializeToString()], level=1)
    return replace(whole, surface=str(surface), pairs_from={"people": folder / "people"})


def test_a_catalogue_is_looked_at_and_is_no_split_that_a_teacher_could_label(paired: RunInputs) -> None:
    report = inspect_inputs(paired)
    assert not report.of(Severity.PROBLEM)
    assert [(each.split, each.rows) for each in report.splits][-1] == ("people", 1)
    assert {each.split for each in report.inputs} == {"train", "eval"}


def test_a_catalogue_that_lacks_a_column_is_empty_or_has_no_use(
    paired: RunInputs, whole: RunInputs, tmp_path: Path
) -> None:
    (tmp_path / "nameless").mkdir()
    write_records(str(tmp_path / "nameless" / "all.gz"), [example({"book": 3}).SerializeToString()], level=1)
    (tmp_path / "empty").mkdir()
    given = {"people": tmp_path / "nameless", "items": tmp_path / "empty"}
    found = problems(replace(paired, pairs_from=given))
    assert any("expected the column 'reader', which identifies them" in each for each in found)
    assert any("empty: expected gzipped TFRecords" in each for each in found)
    found = problems(replace(whole, pairs_from={"people": paired.pairs_from["people"]}))
    assert any("--people: surface 'library' has no `unlabelled:` section" in each for each in found)


def test_a_task_without_a_label_and_a_gate_that_cannot_be_judged(whole: RunInputs, tmp_path: Path) -> None:
    examples = library.write_examples(tmp_path / "e", sizes=(600, 300), without="was_liked")
    found = "\n".join(problems(replace(whole, examples=examples)))
    assert "task 'liked': none of all 600 examples of split train has its label 'was_liked'" in found
    assert "tasks.liked.gates.0: split eval has 0 labelled examples, at least 1 are asked" in found


def test_what_is_only_a_warning(whole: RunInputs, surface: Callable[..., str]) -> None:
    given = replace(
        whole,
        surface=surface(
            ("batch_size: 64", "batch_size: 600"),
            ("min_examples: 50", "min_examples: 5000"),
        ),
    )
    report = inspect_inputs(given)
    said = "\n".join(report.of(Severity.WARNING))
    assert report.of(Severity.PROBLEM) == []
    assert "training.batch_size: found 600, and of 600 examples 540 are fitted" in said
    assert "tasks.liked.gates.0.at_least: found 0.4, and a model that predicts the same for everyone has AUC" in said
    assert "at least 5,000 are asked, so that the gate is not judged" in said


def test_a_list_of_which_one_value_counts_is_a_warning(
    whole: RunInputs, surface: Callable[..., str], spoilt: Callable[..., Path]
) -> None:
    def several(row: int, each: tf.train.Example) -> None:
        if row < 10:
            each.features.feature["genre"].bytes_list.value[:] = [b"crime", b"poetry"]

    loose = ("BYTES presence { min_count: 1 } value_count { min: 1 max: 1 }", "BYTES value_count { min: 1 }")
    given = replace(whole, surface=surface(schema=loose), examples=spoilt(several))
    report = inspect_inputs(given)
    assert report.of(Severity.PROBLEM) == []
    sentence = "feature 'genre': 20 of 600 sampled examples have more than 1 value(s), up to 2"
    assert any(sentence in each for each in report.of(Severity.WARNING))


def test_a_teacher_that_is_none_of_its_rows(whole: RunInputs, tmp_path: Path) -> None:
    path = library.write_teacher(tmp_path / "nan", scale=float("nan"))
    found = "\n".join(problems(replace(whole, teacher=path)))
    assert "600 of 600 sampled records cannot be labelled: teacher.tasks.loan answers nan, not finite" in found


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--direct_num_workers=many"], "argument --direct_num_workers: invalid int value: 'many'"),
        (["direct_num_workers=2"], "expected --option=value, found 'direct_num_workers=2'"),
        (["--no_such_thing=1"], "Beam knows no option --no_such_thing"),
    ],
)
def test_arguments_that_beam_would_pass_over_or_refuse(arguments: list[str], sentence: str) -> None:
    from crosskd.checking.beam import check_arguments

    report = CheckReport(surface="")
    check_arguments(arguments, report)
    assert any(sentence in each for each in report.of(Severity.PROBLEM))


def test_arguments_that_beam_knows_are_none_of_our_business() -> None:
    from crosskd.checking.beam import check_arguments

    report = CheckReport(surface="")
    check_arguments(["--direct_num_workers=2", "--direct_running_mode", "multi_threading"], report)
    check_arguments(["--runner=FlinkRunner", "--flink_submit_uber_jar", "--their_own=1"], report)
    assert report.of(Severity.PROBLEM) == []
    assert report.of(Severity.WARNING) == ["Beam arguments: Beam knows no option --their_own"]


@pytest.mark.parametrize(
    ("count", "rows", "whole", "above"),
    [(1, 600, True, True), (1, 600, False, False), (30, 600, False, True), (0, 600, True, False)],
)
def test_a_sample_is_sure_only_of_what_chance_does_not_explain(count: int, rows: int, whole: bool, above: bool) -> None:
    assert findings.surely_above(count, rows, 0.001, whole=whole) is above
