from pathlib import Path

from benchmarks.histories.surface import write
from schema.loader import load_surface
from tests.schema.homepage import SHIPPED


def test_the_copy_has_histories_of_both_ids_by_days(tmp_path: Path) -> None:
    write(SHIPPED / "homepage", 12, 7, tmp_path / "copy")
    loaded = load_surface(tmp_path / "copy")
    assert {name: each.of for name, each in loaded.surface.histories.items()} == {
        "user_id": "trunk",
        "item_id": "trunk",
    }
    assert loaded.surface.period is not None
    assert loaded.surface.period.step == 7 * 86400
    assert loaded.surface.teacher_representations["trunk"].size == 12
    shipped = load_surface(SHIPPED / "homepage").surface
    assert loaded.surface.model_copy(update={"histories": {}, "period": None}).features == shipped.features
