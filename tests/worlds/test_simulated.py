from __future__ import annotations

import hashlib
import itertools
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import yaml

from schema.errors import InputError
from schema.loader import load_surface
from schema.surface import Surface
from tests.worlds.conftest import Example, read_examples
from worlds.simulated import SIZES, Sizes, draw_domains, read_world, write

SOURCE_ONLY = {"user_profile_video", "profile_match", "z1", "z2", "z3", "z4"}
MUSIC_ONLY = {"user_profile_music", "music_profile_match", "familiar"}


def digests(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory, sizes: Sizes) -> Path:
    out = tmp_path_factory.mktemp("world")
    write(out, sizes, seed=5, progress=lambda _: None)
    return out


@pytest.fixture(scope="module")
def homepage(written: Path) -> list[Example]:
    return read_examples(written / "homepage" / "train") + read_examples(written / "homepage" / "eval")


@pytest.fixture(scope="module")
def video(written: Path) -> list[Example]:
    return read_examples(written / "video" / "train")


def test_every_folder_is_a_surface_and_its_examples(written: Path) -> None:
    for name, train, evaluation in (("homepage", 160, 200), ("radio", 160, 200), ("video", 600, 120)):
        assert load_surface(written / name).surface.name == name
        assert len(list((written / name / "train").iterdir())) == 4
        assert len(read_examples(written / name / "train")) == train
        assert len(read_examples(written / name / "eval")) == evaluation
    assert not [path for path in written.iterdir() if path.name.startswith(".")]


def test_the_same_seed_gives_the_same_bytes_in_another_process(written: Path, tmp_path: Path, sizes: Sizes) -> None:
    program = (
        "import sys; from pathlib import Path; from worlds.simulated import Sizes, write;"
        f"write(Path(sys.argv[1]), {sizes!r}, 5, lambda _: None)"
    )
    subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=True, cwd=Path(__file__).parents[2])
    assert digests(tmp_path) == digests(written)
    assert len(digests(written)) == 3 * (2 * 4 + 3)


def test_another_seed_gives_other_rows(sizes: Sizes) -> None:
    first, second = (draw_domains(sizes, seed)["homepage"]["train"]["item_content"].values for seed in (5, 6))
    assert not np.array_equal(first, second)


def test_more_source_rows_leave_the_target_as_it_is() -> None:
    small, large = (
        draw_domains(Sizes(rows, 10, 20, 20, people=30, music_people=10, videos=20, music_items=10), seed=1)
        for rows in (50, 500)
    )
    for surface in ("homepage", "radio"):
        for name, column in small[surface]["eval"].items():
            assert np.array_equal(column.values, large[surface]["eval"][name].values)


def test_unknown_people_have_no_row_in_the_source_and_nothing_else_changes(
    written: Path, tmp_path: Path, sizes: Sizes, video: list[Example]
) -> None:
    write(tmp_path, sizes, seed=5, progress=lambda _: None, unknown_people=0.5)
    for split in ("train", "eval"):
        assert digests(tmp_path / "homepage" / split) == digests(written / "homepage" / split)
    kept, all_rows = read_examples(tmp_path / "video" / "train"), [str(each) for each in video]
    left_out = {each["user_id"][0] for each in video} - {each["user_id"][0] for each in kept}
    assert 0.25 < len(left_out) / len({each["user_id"][0] for each in video}) < 0.75
    assert [str(each) for each in kept] == [
        text for text, each in zip(all_rows, video, strict=True) if each["user_id"][0] not in left_out
    ]


@pytest.mark.parametrize("part", [-0.1, 1.0])
def test_the_part_of_unknown_people_is_one(tmp_path: Path, sizes: Sizes, part: float) -> None:
    with pytest.raises(InputError, match="expected 0 or more and less than 1"):
        write(tmp_path, sizes, seed=5, progress=lambda _: None, unknown_people=part)


def test_labels_are_absent_exactly_where_there_was_no_click(homepage: list[Example], video: list[Example]) -> None:
    clicks = sum(example["click"] == [1] for example in homepage)
    assert 0 < clicks < len(homepage)
    for example in homepage:
        assert ("trail_engagement" in example) == (example["click"] == [1])
        assert example["discovery"] in ([0], [1])
    for example in video:
        assert ("trail_engagement" in example) == ("continue_watching" in example) == (example["click"] == [1])


def test_discovery_is_a_click_on_something_new(homepage: list[Example]) -> None:
    discoveries = [example for example in homepage if example["discovery"] == [1]]
    assert discoveries
    assert all(example["click"] == [1] and example["familiar"] == [0] for example in discoveries)


def test_each_product_logs_its_own_features(homepage: list[Example], video: list[Example], written: Path) -> None:
    radio = read_examples(written / "radio" / "eval")[0]
    assert video[0].keys() >= SOURCE_ONLY
    assert not SOURCE_ONLY & (homepage[0].keys() | radio.keys())
    assert homepage[0].keys() & radio.keys() >= MUSIC_ONLY
    assert not MUSIC_ONLY & video[0].keys()
    assert "shelf" in homepage[0]
    assert "shelf" not in radio
    assert len(video[0]["item_content"]) == len(homepage[0]["user_profile_music"]) == 8


def test_an_item_has_one_content_vector_in_both_products(homepage: list[Example], video: list[Example]) -> None:
    in_video = {example["item_id"][0]: example["item_content"] for example in video}
    shared = [example for example in homepage if example["item_id"][0] in in_video]
    assert shared
    for example in shared:
        assert example["item_content"] == in_video[example["item_id"][0]]


def test_match_is_the_scaled_product_of_profile_and_content(homepage: list[Example]) -> None:
    example = homepage[0]
    expected = np.dot(example["user_profile_music"], example["item_content"]) / np.sqrt(8)
    assert example["music_profile_match"][0] == pytest.approx(expected, rel=1e-5)


def test_evaluation_is_later_than_training(written: Path) -> None:
    train, evaluation = (
        [example["timestamp"][0] for example in read_examples(written / "homepage" / split)]
        for split in ("train", "eval")
    )
    assert min(train) >= 1_704_067_200
    assert max(train) <= 1_704_067_200 + 365 * 86_400 <= min(evaluation)
    assert max(evaluation) <= 1_704_067_200 + 1.1 * 365 * 86_400


def test_rates_of_the_default_size() -> None:
    """As first drawn: a change to the world that moves them is no refactoring."""
    domains = draw_domains(Sizes(source_train=50_000), seed=0)
    rate = {
        (surface, label): float(domains[surface]["train"][label].values.mean())
        for surface, label in (("video", "click"), ("homepage", "click"), ("radio", "engagement"))
    }
    # Standard errors are .0017, .0029 and .0037; the people and items of a seed add to that.
    assert rate["video", "click"] == pytest.approx(0.163, abs=0.02)
    assert rate["homepage", "click"] == pytest.approx(0.150, abs=0.02)
    assert rate["radio", "engagement"] == pytest.approx(0.720, abs=0.03)


def test_writing_again_reuses_what_is_there(
    written: Path, sizes: Sizes, progress: Callable[[str], None], told: list[str]
) -> None:
    before = {path: path.stat().st_mtime_ns for path in written.rglob("*")}
    write(written, sizes, seed=5, progress=progress)
    assert before == {path: path.stat().st_mtime_ns for path in written.rglob("*")}
    assert sum("complete from an earlier run" in line for line in told) == 3


def test_another_seed_into_the_same_folder_is_refused(written: Path, sizes: Sizes) -> None:
    with pytest.raises(InputError, match=r"homepage: expected a folder that is absent.*\"seed\": 5.*\"seed\": 6"):
        write(written, sizes, seed=6, progress=lambda _: None)


def test_an_unknown_size_names_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected one of tiny, small, paper; found 'smal'"):
        write(tmp_path, "smal", seed=0, progress=lambda _: None)
    assert not list(tmp_path.iterdir())


def test_the_paper_size_has_a_wider_teacher(tmp_path: Path) -> None:
    sizes = Sizes(20, 8, 8, 8, 10, 5, 8, 5, teacher_embedding=256, teacher_trunk=(512, 256))
    write(tmp_path, sizes, seed=0, progress=lambda _: None)
    surface = load_surface(tmp_path / "video").surface
    assert surface.features["user_id"].embedding == surface.features["item_id"].embedding == 256
    assert surface.model.trunk == (512, 256)
    assert surface.features["device"].embedding == 2
    paper = SIZES["paper"]
    assert paper.source_train >= 100 * paper.target_train
    assert (paper.teacher_embedding, paper.teacher_trunk) == (256, (512, 256))


def parameters(surface: Surface, ids: dict[str, int]) -> int:
    """Weights of embeddings, trunk, towers and heads."""
    width = 0
    total = 0
    for name, feature in surface.features.items():
        if feature.kind == "categorical":
            total += ids[name] * feature.embedding
            width += feature.embedding
        else:
            width += feature.size
    for units in surface.model.trunk:
        total += (width + 1) * units
        width = units
    tower = [width, *surface.model.tower, 1]
    layers = sum((before + 1) * after for before, after in itertools.pairwise(tower))
    return total + layers * len(surface.tasks)


@pytest.mark.parametrize(("size", "ratio"), [("small", 15), ("paper", 150)])
def test_the_teacher_is_as_much_larger_as_promised(size: str, ratio: int) -> None:
    sizes = SIZES[size]
    shipped = Path(__file__).parents[2] / "schema"
    content = yaml.safe_load((shipped / "video" / "surface.yaml").read_text())
    if sizes.teacher_embedding is not None:
        for name in ("user_id", "item_id"):
            content["features"][name]["embedding"] = sizes.teacher_embedding
    teacher = parameters(Surface.model_validate(content), {"user_id": 20_000, "item_id": 15_000, "device": 2})
    for name in ("homepage", "radio"):
        student = load_surface(shipped / name).surface
        # At most: not every music user and item is in the training rows.
        ids = {"user_id": 2_501, "item_id": 3_001, "device": 3, "shelf": 7}
        assert teacher >= ratio * parameters(student, ids)


def test_the_origin_says_what_was_drawn(written: Path, sizes: Sizes) -> None:
    origin = json.loads((written / "radio" / "origin.json").read_text())
    assert origin["world"] == "simulated"
    assert origin["seed"] == 5
    assert origin["sizes"]["people"] == sizes.people


def test_the_people_behind_a_folder_are_drawn_again(written: Path, homepage: list[Example]) -> None:
    world = read_world(written / "homepage")
    first = homepage[0]
    np.testing.assert_allclose(world.items.content[first["item_id"][0]], first["item_content"], rtol=1e-6)
    np.testing.assert_allclose(world.people.profile_music[first["user_id"][0]], first["user_profile_music"], rtol=1e-6)


def test_a_folder_without_people_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"expected a folder that .* wrote; it has no origin.json"):
        read_world(tmp_path)
    (tmp_path / "origin.json").write_text('{"world": "coat"}')
    with pytest.raises(InputError, match="expected a simulated world, whose people can be asked; found 'coat'"):
        read_world(tmp_path)
