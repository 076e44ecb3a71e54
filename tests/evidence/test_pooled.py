from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from evidence import data
from evidence.choosing import Budget
from evidence.experiment import Plan, run
from evidence.paths import RunPaths
from evidence.pooled import FROM_SOURCE, Pool, _extended, pool, raw_columns, shared_tasks
from schema.base import TaskKind
from schema.errors import InputError
from schema.loader import load_surface
from tests.evidence.test_data import paths as paths  # fixtures: a run of the tiny surface
from tests.models.conftest import ROWS, SURFACE
from tests.models.conftest import transformed as transformed
from worlds.records import Domain, ExampleColumn, write_domain
from worlds.surface_folder import schema_text, surface_text

SOURCE_ROWS = 50
CONTENT = {
    "name": "source",
    "features": {"user": {"kind": "categorical", "side": "user"}, "views": {"kind": "numeric"}},
    "tasks": {
        "click": {"kind": "binary", "label": "watched", "ungated": "source"},
        "stay": {"kind": "binary", "label": "stayed", "ungated": "source"},
    },
}


def _source(out: Path, content: dict) -> Path:
    rng = np.random.default_rng(0)
    watched = rng.integers(0, 2, SOURCE_ROWS)
    columns = {
        "user": ExampleColumn(np.where(np.arange(SOURCE_ROWS) % 2, 3, 900 + np.arange(SOURCE_ROWS) % 4)),
        "views": ExampleColumn(rng.normal(size=SOURCE_ROWS).astype(np.float32)),
        "watched": ExampleColumn(watched),
        "stayed": ExampleColumn(rng.integers(0, 2, SOURCE_ROWS), watched.astype(bool)),
    }
    splits = {"train": columns}
    domain = Domain("source", splits, surface_text(content, []), schema_text(content, splits), {"made": "here"})
    return write_domain(out, domain, lambda _: None)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _source(tmp_path_factory.mktemp("pooled"), CONTENT)


@pytest.fixture(scope="module")
def pooled(paths: RunPaths, source: Path) -> Pool:
    assert raw_columns(SURFACE, load_surface(source).surface) == ["user"]
    return pool(SURFACE, data.load(SURFACE, paths, ["user"]), paths.transform_graph, source)


def test_source_rows_follow_those_of_the_target(pooled: Pool, paths: RunPaths):
    plain, training = data.load(SURFACE, paths), pooled.data.training
    for name in (*SURFACE.features, "label/click", "label/minutes"):
        np.testing.assert_array_equal(training[name][:ROWS], plain.training[name])
        assert len(training[name]) == ROWS + SOURCE_ROWS
    np.testing.assert_array_equal(training[FROM_SOURCE][:, 0], [0] * ROWS + [1] * SOURCE_ROWS)
    np.testing.assert_array_equal(pooled.data.held_out, plain.held_out)
    assert set(pooled.data.fitted) == set(plain.fitted) | set(range(ROWS, ROWS + SOURCE_ROWS))


def test_ids_of_both_are_the_same_and_others_are_new(pooled: Pool, paths: RunPaths):
    training, raw = pooled.data.training, data.load(SURFACE, paths, ["user"])
    known = raw.evaluation["user"][np.flatnonzero(raw.raw["user"] == 3)[0]]
    np.testing.assert_array_equal(training["user"][ROWS + 1 :: 2], known)
    # Two ids that only the source has, after the target's vocabulary.
    assert set(training["user"][ROWS::2]) == {raw.vocabulary_sizes["user"], raw.vocabulary_sizes["user"] + 1}
    assert pooled.data.vocabulary_sizes["user"] == raw.vocabulary_sizes["user"] + 2


def test_what_the_source_lacks_is_at_its_mean_or_out_of_vocabulary(pooled: Pool):
    training = pooled.data.training
    assert (training["match"][ROWS:] == 0).all()
    assert (training["content"][ROWS:] == 0).all()
    assert (training["genre"][ROWS:] == pooled.data.vocabulary_sizes["genre"] - 1).all()
    assert np.isnan(training["label/minutes"][ROWS:]).all()


def test_labels_are_those_of_the_tasks_that_are_distilled(pooled: Pool):
    surface, training = pooled.arm.surface, pooled.data.training
    assert not pooled.arm.distil
    assert surface.tasks["stay"].kind is TaskKind.BINARY
    assert set(training["label/click"][ROWS:]) == {0.0, 1.0}
    np.testing.assert_array_equal(np.isnan(training["label/stay"][ROWS:]), training["label/click"][ROWS:] == 0)
    assert np.isnan(training["label/stay"][:ROWS]).all()
    assert surface.training.epochs == 3


def test_ids_that_only_the_source_trains_are_known_in_evaluation():
    indices, raw = np.array([0, 4, 4, 4]), np.array([70, 81, 90, 95])
    np.testing.assert_array_equal(_extended(indices, raw, 5, np.array([80, 81, 95])), [0, 6, 4, 7])
    np.testing.assert_array_equal(_extended(indices, raw, 5, np.array([], int)), indices)


def test_a_task_of_another_kind_is_not_the_same(source: Path):
    theirs = load_surface(source).surface
    assert shared_tasks(SURFACE, theirs) == {"click": "click", "stay": "stay"}
    other = theirs.tasks["click"].model_copy(update={"kind": TaskKind.REGRESSION})
    assert shared_tasks(SURFACE, theirs.model_copy(update={"tasks": {"click": other}})) == {}


def test_nothing_in_common_is_refused(paths: RunPaths, tmp_path: Path):
    content = {**CONTENT, "features": {"views": {"kind": "numeric"}}}
    strange = _source(tmp_path, content)
    with pytest.raises(InputError, match="the source shares no feature with surface 'tiny'; leave out --pooled"):
        pool(SURFACE, data.load(SURFACE, paths), paths.transform_graph, strange)


def test_an_experiment_shows_the_reference(paths: RunPaths, source: Path):
    found = run(
        Plan(SURFACE, seeds=2, tuning=Budget(1, widen=0), references=False, pooled=source, few=True),
        [paths],
        lambda _: None,
    )
    means = {(each.arm, each.task): each.mean for each in found.means if each.slice is None}
    assert means["pooled", "click"] is not None
    assert [each.role for each in found.arms if each.name == "pooled"] == ["reference"]
    assert {each.candidate for each in found.findings} == {"student"}
