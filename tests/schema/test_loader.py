from __future__ import annotations

import copy
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from schema.errors import InputError
from schema.loader import load_surface
from schema.surface import FeatureKind, soft_label
from schema.yaml_text import read

SHIPPED = Path(__file__).parents[2] / "schema"
CONTENT = yaml.safe_load((SHIPPED / "homepage" / "surface.yaml").read_text())
SCHEMA = (SHIPPED / "homepage" / "schema.pbtxt").read_text()


def changed(path: str, value: Any) -> dict[str, Any]:
    """The home page's surface with `value` at the dotted `path`."""
    content = copy.deepcopy(CONTENT)
    *way, last = path.split(".")
    place: Any = content
    for part in way:
        place = place[int(part)] if isinstance(place, list) else place[part]
    place[int(last) if isinstance(place, list) else last] = value
    return content


def without(key: str) -> dict[str, Any]:
    return {name: value for name, value in CONTENT.items() if name != key}


@pytest.fixture
def refused(tmp_path: Path) -> Callable[..., str]:
    """Loads a surface that must be refused and returns the message, the folder as D.

    Of a surface that is no text, the places in its file are left out.
    """

    def load(surface: dict[str, Any] | str = CONTENT, schema: str = SCHEMA) -> str:
        text = surface if isinstance(surface, str) else yaml.safe_dump(surface, sort_keys=False)
        (tmp_path / "surface.yaml").write_text(text)
        (tmp_path / "schema.pbtxt").write_text(schema)
        with pytest.raises(InputError) as raised:
            load_surface(tmp_path)
        message = str(raised.value).replace(str(tmp_path), "D")
        return message if isinstance(surface, str) else re.sub(r" \(line \d+, column \d+\)", "", message)

    return load


def test_homepage() -> None:
    folder = load_surface(SHIPPED / "homepage")
    surface = folder.surface
    assert surface.tasks.keys() == {"click", "trail_engagement", "discovery"}
    assert surface.distillations().keys() == {"click", "trail_engagement"}
    assert surface.tasks["discovery"].distil is None
    assert surface.features["item_content"].size == 8
    assert surface.features["user_id"].kind is FeatureKind.CATEGORICAL
    assert folder.schema_path == SHIPPED / "homepage" / "schema.pbtxt"
    assert surface.teacher is not None
    absent = [name for name in surface.teacher.features if name not in surface.features]
    assert len(absent) / len(surface.teacher.features) == 6 / 15
    assert all(surface.teacher.features[name].default == 0.0 for name in absent)


def test_radio_distils_a_head_that_is_not_served_and_no_task() -> None:
    surface = load_surface(SHIPPED / "radio").surface
    assert all(task.distil is None for task in surface.tasks.values())
    assert surface.non_serving_heads["continue_watching"].teacher_task == "continue_watching"
    assert "shelf" not in surface.features


def test_video_is_the_teacher_s_own_surface() -> None:
    surface = load_surface(SHIPPED / "video").surface
    assert surface.teacher is None
    assert surface.tasks.keys() == {"click", "trail_engagement", "continue_watching"}
    for name in ("homepage", "radio"):
        student = load_surface(SHIPPED / name).surface
        assert student.teacher is not None
        assert student.teacher.features.keys() == surface.features.keys()
        for task, kind in student.teacher.tasks.items():
            assert surface.tasks[task].kind is kind.kind


@pytest.mark.parametrize(
    ("path", "value", "key", "nearest"),
    [
        ("featurs", {}, "featurs", "features"),
        ("features.user_id.knd", "numeric", "features.user_id.knd", "kind"),
        ("tasks.click.lable", "click", "tasks.click.lable", "label"),
        ("tasks.click.distil.form", "click", "tasks.click.distil.form", "from"),
        ("tasks.click.gates.1.at_lest", 0.5, "tasks.click.gates.1.at_lest", "at_least"),
        ("tasks.click.gates.0.vs_control.atleast", 0, "tasks.click.gates.0.vs_control.atleast", "at_least"),
        ("teacher.features.z1.defualt", 0.0, "teacher.features.z1.defualt", "default"),
        ("teacher.signatur", "x", "teacher.signatur", "signature"),
        ("model.trunks", [8], "model.trunks", "trunk"),
        ("training.epoch", 1, "training.epoch", "epochs"),
    ],
)
def test_an_unknown_key(refused: Callable[..., str], path: str, value: Any, key: str, nearest: str) -> None:
    assert refused(changed(path, value)) == f"D/surface.yaml: {key}: unknown key; did you mean {nearest!r}?"


def test_an_unknown_key_that_is_near_nothing_lists_what_there_is(refused: Callable[..., str]) -> None:
    message = refused(changed("slices.shelf.zzzz", 1))
    assert message == "D/surface.yaml: slices.shelf.zzzz: unknown key; expected one of buckets, features, most_frequent"


def test_every_problem_is_reported_at_once(refused: Callable[..., str]) -> None:
    content = changed("featurs", {})
    content["training"]["epochs"] = "many"
    lines = refused(content).splitlines()
    assert len(lines) == 2
    assert any("training.epochs: expected a whole number, found 'many'" in line for line in lines)


def test_problems_of_several_kinds_are_reported_at_once(refused: Callable[..., str]) -> None:
    content = changed("tasks.click.label", "clik")
    content["features"]["user_idd"] = {"kind": "categorical"}
    content["slices"]["shelf"] = {"features": {"shelve": None}}
    content["teacher"]["features"]["usr_id"] = {"dtype": "int"}
    keys = [line.partition(": ")[2].partition(": ")[0] for line in refused(content).splitlines()]
    assert keys == ["features.user_idd", "tasks.click.label", "slices.shelf.features", "teacher.features.usr_id"]


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("features.user_id.kind", "number", "features.user_id.kind: input should be 'numeric' or 'categorical', found"),
        ("features.user_id.size", 2, "features.user_id: a categorical feature has one value per example, found size"),
        ("features.position.default", "x", "features.position: a numeric feature has a number as default, found 'x'"),
        ("features.user_id.default", "x", "features.user_id.default: expected INT as in the schema, found 'x'"),
        ("features.item_age.kind", "categorical", "features.item_age.kind: categorical needs type INT or BYTES in the"),
        ("features.item_content.size", 4, "features.item_content.size: found 4, the schema's shape has 8 values"),
        ("tasks.click.kind", "regression", "tasks.click: a regression task is gated on one of r2, calibration, "),
        ("tasks.click.kind", "ranking", "tasks.click.kind: input should be 'binary' or 'regression', found 'ranking'"),
        ("tasks.click.gates", [], "tasks.click: a task needs at least one gate, or `ungated:`"),
        ("tasks.click.ungated", "no", "tasks.click: a task with gates cannot also be ungated"),
        ("tasks.click.gates.0", {"metric": "auc"}, "tasks.click.gates.0: a gate needs at_least, at_most, between"),
        ("training.learning_rate", -1, "training.learning_rate: input should be greater than 0, found -1"),
        (
            "tasks.1st",
            CONTENT["tasks"]["click"],
            "tasks.1st: expected a name of letters, digits and _ that begins with a letter, found '1st'",
        ),
    ],
)
def test_a_wrong_kind(refused: Callable[..., str], path: str, value: Any, message: str) -> None:
    assert refused(changed(path, value)).startswith(f"D/surface.yaml: {message}")


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (
            "tasks.click.distil.from",
            "clicks",
            "tasks.click.distil.from: expected a task of teacher.tasks, found 'clicks'; did you mean 'click'?",
        ),
        (
            "non_serving_heads",
            {"watch": {"from": "watching"}},
            "non_serving_heads.watch.from: expected a task of teacher.tasks, found 'watching'; "
            "expected one of click, trail_engagement",
        ),
        (
            "features.user_idd",
            {"kind": "categorical"},
            "features.user_idd: expected a feature of D/schema.pbtxt, found 'user_idd'; did you mean 'user_id'?",
        ),
        (
            "tasks.click.label",
            "clik",
            "tasks.click.label: expected a feature of D/schema.pbtxt, found 'clik'; did you mean 'click'?",
        ),
        (
            "tasks.click.gates.1.slice",
            "new_releases",
            "tasks.click.gates.1.slice: expected a name of slices, found 'new_releases'; did you mean 'new_release'?",
        ),
        (
            "slices.shelf.features",
            {"shelve": None},
            "slices.shelf.features: expected a feature of D/schema.pbtxt, found 'shelve'; did you mean 'shelf'?",
        ),
        (
            "teacher.tasks.clicks",
            {"kind": "binary"},
            "teacher.tasks.clicks: expected a feature of D/schema.pbtxt, found 'teacher/clicks'; "
            "did you mean 'teacher/click'?",
        ),
        (
            "teacher.features.usr_id",
            {"dtype": "int"},
            "teacher.features.usr_id: the target has no such feature; give `from:` (the target's name for it) or "
            "`default:` (what fills it); did you mean 'user_id'?",
        ),
        (
            "teacher.features.user_id.from",
            "usr_id",
            "teacher.features.user_id.from: expected a feature of the target, found 'usr_id'; did you mean 'user_id'?",
        ),
        (
            "teacher.features.user_profile_video.default",
            [0.0],
            "teacher.features.user_profile_video.default: expected 8 values (size), found 1",
        ),
        (
            "non_serving_heads",
            {"click": {"from": "click"}},
            "non_serving_heads.click: a task has the same name; heads need different names",
        ),
    ],
)
def test_a_name_that_refers_to_nothing(refused: Callable[..., str], path: str, value: Any, message: str) -> None:
    assert refused(changed(path, value)) == f"D/surface.yaml: {message}"


def test_distilling_without_a_teacher(refused: Callable[..., str]) -> None:
    assert "tasks.click.distil.from: there is nothing to distil from" in refused(without("teacher"))


def test_a_required_key(refused: Callable[..., str]) -> None:
    assert refused(without("name")) == "D/surface.yaml: name: this key is required and absent"


def drop(line: str, of: str) -> str:
    """The home page's schema without `line` in the feature `of`."""
    start = SCHEMA.index(f'name: "{of}"')
    end = SCHEMA.index("\n}\n", start) + 1
    assert line in SCHEMA[start:end]
    return SCHEMA[:start] + SCHEMA[start:end].replace(line, "", 1) + SCHEMA[end:]


@pytest.mark.parametrize(
    ("line", "of", "message"),
    [
        (
            '  not_in_environment: "SERVING"\n',
            "click",
            "D/schema.pbtxt: feature 'click': a label does not exist when serving; "
            'add `not_in_environment: "SERVING"`',
        ),
        (
            '  not_in_environment: "SERVING"\n',
            "teacher/click",
            "D/schema.pbtxt: feature 'teacher/click': a soft label does not exist when serving; "
            'add `not_in_environment: "SERVING"`',
        ),
        (
            '  not_in_environment: "RAW"\n',
            "teacher/click",
            "D/schema.pbtxt: feature 'teacher/click': a soft label does not exist before labelling; "
            'add `not_in_environment: "RAW"`',
        ),
        (
            "  shape {}\n",
            "device",
            "D/surface.yaml: features.device: the schema gives it no `shape`, so it may be absent from an example; "
            "expected a `default:` here, or `shape {}` and `presence { min_fraction: 1 }` there; or `many: true` here, "
            "if it has any number of values",
        ),
    ],
)
def test_a_schema_that_contradicts_the_surface(refused: Callable[..., str], line: str, of: str, message: str) -> None:
    assert refused(schema=drop(line, of)) == message


def test_a_label_that_is_text(refused: Callable[..., str]) -> None:
    schema = SCHEMA.replace('name: "discovery"\n  type: INT', 'name: "discovery"\n  type: BYTES')
    message = refused(schema=schema)
    assert message == (
        "D/surface.yaml: tasks.discovery.label: expected FLOAT or INT, the schema has BYTES for 'discovery'"
    )


def test_a_feature_that_servers_do_not_send(refused: Callable[..., str]) -> None:
    message = refused(changed("features.new_release", {"kind": "numeric"}))
    assert "features.new_release: the schema says that it does not exist when serving" in message


def test_a_schema_without_the_environment_of_raw_examples(refused: Callable[..., str]) -> None:
    message = refused(schema=SCHEMA.replace('default_environment: "RAW"\n', ""))
    assert message.startswith("D/schema.pbtxt: expected the environments RAW")
    assert 'found TRAINING, SERVING; add default_environment: "RAW"' in message


def test_a_file_that_is_absent(tmp_path: Path, refused: Callable[..., str]) -> None:
    with pytest.raises(InputError, match=r"surface\.yaml: cannot be read \(No such file or directory\)"):
        load_surface(tmp_path / "nowhere")
    refused(without("name"))
    (tmp_path / "surface.yaml").write_text(yaml.safe_dump(CONTENT))
    (tmp_path / "schema.pbtxt").unlink()
    with pytest.raises(InputError, match=r"schema\.pbtxt: cannot be read.*A surface folder holds surface\.yaml and"):
        load_surface(tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name: [1\n", "D/surface.yaml: not valid YAML: "),
        ("- name\n", "D/surface.yaml: expected keys with values, such as `name: my_surface`, found a list"),
        ("", "D/surface.yaml: expected keys with values, such as `name: my_surface`, found nothing"),
    ],
)
def test_a_surface_that_is_no_mapping(refused: Callable[..., str], text: str, message: str) -> None:
    assert refused(text).startswith(message)


def test_a_schema_that_does_not_parse(refused: Callable[..., str]) -> None:
    message = refused(schema="feature { nam: 1 }")
    assert message.startswith("D/schema.pbtxt: expected a TFDV schema in text form")
    assert 'no field named "nam"' in message


def test_a_file_that_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "surface.yaml").write_bytes(b"name: \xff")
    with pytest.raises(InputError, match=r"surface\.yaml: expected text in UTF-8"):
        load_surface(tmp_path)


def test_names_of_soft_labels() -> None:
    assert soft_label("click") == "teacher/click"


TEXT = (SHIPPED / "homepage" / "surface.yaml").read_text()


def line_of(text: str, part: str, nth: int = 0) -> int:
    """The line, from 1, of the nth place where `part` stands."""
    return [number for number, line in enumerate(text.splitlines(), start=1) if part in line][nth]


def test_a_key_that_stands_twice(refused: Callable[..., str]) -> None:
    gates = "    gates:\n      - {metric: auc, at_least: 0.0}\n"
    text = TEXT.replace("    gates:\n", gates + "    gates:\n", 1)
    first, second = line_of(text, "    gates:"), line_of(text, "    gates:", 1)
    assert refused(text) == (
        f"D/surface.yaml: tasks.click.gates: this key stands twice, in line {first} and in line {second}, column 5; "
        "expected it once. Put both together, or remove one."
    )


@pytest.mark.parametrize(
    ("text", "key"),
    [
        (TEXT + "\ntasks: {}\n", "tasks"),
        (TEXT.replace("tasks:\n", "tasks:\n  discovery: {kind: binary, ungated: none}\n", 1), "discovery"),
        (TEXT.replace("{kind: numeric", "{kind: numeric, kind: numeric", 1), "kind"),
        (TEXT.replace("slices:\n", "slices:\n  new: {features: {shelf: 1, 'shelf': 0}}\n", 1), "shelf"),
        (TEXT.replace("name: homepage", 'name: homepage\n"name": other'), "name"),
    ],
)  # fmt: skip
def test_wherever_it_stands(refused: Callable[..., str], text: str, key: str) -> None:
    assert text != TEXT
    message = refused(text)
    assert f"{key}: this key stands twice, in line" in message


def test_all_keys_that_stand_twice_are_named_at_once(refused: Callable[..., str]) -> None:
    text = TEXT + "\ntasks: {}\nfeatures: {}\n"
    assert [line.split(": ")[1] for line in refused(text).splitlines()] == ["tasks", "features"]


@pytest.mark.parametrize("number", [".nan", ".inf", "-.inf"])
@pytest.mark.parametrize("key", ["at_least: ", "weight: ", "learning_rate: ", "scale: "])
def test_a_number_that_is_none(refused: Callable[..., str], number: str, key: str) -> None:
    text = """
name: s
features: {match: {kind: numeric, side: cross}}
tasks: {t: {kind: binary, label: y, weight: 1, gates: [{metric: auc, at_least: 0.5}]}}
unlabelled: {cross: {match: {dot: [a, b], scale: 1}}}
training: {learning_rate: 1}
"""
    start = text.index(key) + len(key)
    end = min(text.find(each, start) for each in ",}" if each in text[start:])
    text = text[:start] + number + text[end:]
    message = refused(text)
    assert "input should be a finite number" in message
    line = line_of(text, key + number)
    assert f"(line {line}, column {text.splitlines()[line - 1].index(number) + 1})" in message


@pytest.mark.parametrize(
    ("gate", "message"),
    [
        ("{metric: auc, at_least: 60}", "auc is a fraction, expected a value of 0 to 1, found 60; 60% is 0.6"),
        ("{metric: auc, at_least: -0.1}", "expected a value of 0 to 1, found -0.1"),
        ("{metric: auc, vs_control: {at_least: -1}}", "vs_control.at_least: auc is a fraction"),
        ("{metric: auc, vs_last_blessed: {at_least: -2}}", "vs_last_blessed.at_least: auc is a fraction"),
        ("{metric: auc, at_least: yes}", "expected a number or text, and YAML reads yes, no, on, off, true and false"),
        ("{metric: auc, at_least: 0.5, min_examples: on}", "expected a number or text"),
    ],
)  # fmt: skip
def test_a_bound_that_can_not_be_meant(refused: Callable[..., str], gate: str, message: str) -> None:
    text = TEXT.replace("    gates:\n", f"    gates:\n      - {gate}\n", 1)
    found = refused(text)
    assert message in found
    assert f"(line {line_of(text, gate)}, column" in found


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("country", "no", 'put the word in quotes ("no")'),
        ("country", "on", "expected a number or text, and YAML reads yes, no, on"),
        ("country", "007", 'found the number 007, which YAML reads as 7. Put it in quotes: "007"'),
        ("country", "1.10", 'found the number 1.10, which YAML reads as 1.1. Put it in quotes: "1.10"'),
        ("country", "3", 'found the number 3. Put it in quotes: "3"'),
        ("new_release", '"3"', "the schema has INT for 'new_release'; found the text '3'. Write it without"),
        ("new_release", "high", "the schema has INT for 'new_release'; found the text 'high'"),
        ("new_release", "1.0", "expected a whole number"),
    ],
)  # fmt: skip
def test_a_slice_of_another_type_than_its_column(
    refused: Callable[..., str], column: str, value: str, message: str
) -> None:
    text = TEXT.replace("slices:\n", f"slices:\n  odd: {{features: {{{column}: {value}}}}}\n", 1)
    schema = SCHEMA + 'feature { name: "country" type: BYTES value_count { min: 1 max: 1 } }\n'
    found = refused(text, schema=schema)
    assert message in found
    assert f"(line {line_of(text, '  odd:')}, column" in found


def test_slices_of_the_right_types(tmp_path: Path) -> None:
    slices = "slices:\n  a: {features: {country: 'no'}}\n  b: {features: {country: null, new_release: 1}}\n"
    (tmp_path / "surface.yaml").write_text(TEXT.replace("slices:\n", slices, 1))
    (tmp_path / "schema.pbtxt").write_text(
        SCHEMA + 'feature { name: "country" type: BYTES value_count { min: 1 max: 1 } }\n'
    )
    assert load_surface(tmp_path).surface.slices["a"].features == {"country": "no"}


@pytest.mark.parametrize("name", ["teacher/age", "label/age", "group/id", "weight/example"])
def test_a_feature_called_like_a_column_of_training(refused: Callable[..., str], name: str) -> None:
    text = TEXT.replace("features:\n", f"features:\n  {name}: {{kind: numeric}}\n", 1)
    schema = SCHEMA + f'feature {{ name: "{name}" type: FLOAT presence {{ min_fraction: 1 }} shape {{}} }}\n'
    assert f"features.{name}: names that begin with" in refused(text, schema=schema)


def test_places_of_aliases_and_merged_keys() -> None:
    text = "a: &x {b: 1, c: 2}\nd:\n  <<: *x\n  b: 3\ne: *x\n"
    content, places = read(text, "file")
    assert content == {"a": {"b": 1, "c": 2}, "d": {"b": 3, "c": 2}, "e": {"b": 1, "c": 2}}
    assert str(places["d", "b"]) == "line 4, column 6"
    assert places["a", "c"].text == "2"
