"""Reading `surface.yaml` with its schema, and refusing what cannot be meant."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from schema.errors import InputError
from schema.loader import load_surface
from schema.surface import FeatureKind, soft_label
from schema.yaml_text import read
from tests.schema.homepage import CONTENT, SCHEMA, SHIPPED, TEXT, changed, without


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
        (
            "tasks.click.kind",
            "ranking",
            "tasks.click.kind: input should be 'binary', 'regression' or 'multiclass', found 'ranking'",
        ),
        ("tasks.click.gates", [], "tasks.click: a task needs at least one gate, or `ungated:`"),
        ("tasks.click.ungated", "no", "tasks.click: a task with gates cannot also be ungated"),
        ("tasks.click.gates.0", {"metric": "auc"}, "tasks.click.gates.0: a gate needs at_least, at_most, between"),
        ("training.learning_rate", -1, "training.learning_rate: input should be greater than 0, found -1"),
        ("training.optimizer", "sgd", "training.optimizer: input should be 'adam', 'adamw' or 'adagrad', found 'sgd'"),
        ("training.weight_decay", 0.01, "training: `weight_decay` is for `optimizer: adamw`, found optimizer: adam; a"),
        ("training.warm_up_steps", -1, "training.warm_up_steps: input should be greater than or equal to 0, found -1"),
        ("training.clip_norm", 0, "training.clip_norm: input should be greater than 0, found 0"),
        ("training.learning_rate_decay", "cosine", "training.learning_rate_decay: expected keys with values (by, to,"),
        (
            "training",
            {"optimizer": "adamw", "weight_decay": 0.1, "learning_rate": 1},
            "training: `weight_decay` times `learning_rate` is the part of every weight that each step takes away; "
            "expected at most 0.05, found 0.1 * 1",
        ),
        (
            "training.learning_rate_decay",
            {"by": "exponential", "factor": 0.5},
            "training.learning_rate_decay: `by: exponential` needs `factor` and `steps`, found `factor` alone",
        ),
        (
            "training.learning_rate_decay",
            {"by": "cosine", "steps": 5},
            "training.learning_rate_decay: `steps` is for `by: exponential`, found by: cosine, which takes `to`",
        ),
        (
            "training.learning_rate_decay",
            {"by": "exponential", "to": 0.1, "factor": 0.5, "steps": 5},
            "training.learning_rate_decay: `to` is for `by: cosine`, found by: exponential, which takes `factor`",
        ),
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
        (
            "  presence { min_fraction: 1 min_count: 1 }\n",
            "device",
            "D/schema.pbtxt: feature 'device': a column with a `shape` is in every example; expected "
            "`presence { min_fraction: 1 }` beside it, found no presence. Where examples may lack it, write "
            "`value_count { min: 1 max: 1 }` in place of the shape (and a feature needs a `default:` then).",
        ),
        (
            "min_fraction: 1 ",
            "click",
            "D/schema.pbtxt: feature 'click': a column with a `shape` is in every example; expected "
            "`presence { min_fraction: 1 }` beside it, found min_fraction 0. Where examples may lack it, write "
            "`value_count { min: 1 max: 1 }` in place of the shape (and a feature needs a `default:` then).",
        ),
    ],
)
def test_a_schema_that_contradicts_the_surface(refused: Callable[..., str], line: str, of: str, message: str) -> None:
    assert refused(schema=drop(line, of)) == message


def test_a_column_that_transform_leaves_out_may_have_a_shape_that_is_not_always_there(tmp_path: Path) -> None:
    unused = 'feature { name: "old" type: INT shape {} %s }\n'
    for stage in ("deprecated: true", "lifecycle_stage: PLANNED", "presence { min_fraction: 1 }"):
        (tmp_path / "surface.yaml").write_text(yaml.safe_dump(CONTENT))
        (tmp_path / "schema.pbtxt").write_text(SCHEMA + unused % stage)
        assert load_surface(tmp_path).surface.name == "homepage"


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
