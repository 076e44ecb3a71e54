import json
from pathlib import Path

from typer.testing import CliRunner

from contracts.outcome import Exit
from crosskd.main import app
from tests.components.teacher_labeler.conftest import make_example, write_shard


def store(folder: Path, *more: str):
    arguments = [f"--labels={folder / 'labels'}", "--key-column=visit", f"--out={folder / 'stored'}", *more]
    return CliRunner().invoke(app, ["store-labels", *arguments])


def test_says_what_it_stored_and_how_surfaces_declare_it(tmp_path: Path) -> None:
    records = [make_example(**{"visit": number, "teacher/click": 0.5}) for number in range(3)]
    write_shard(tmp_path / "labels" / "Split-train" / "part.gz", records)

    done = store(tmp_path, "--json")

    assert done.exit_code == Exit.OK
    assert json.loads(done.stdout) == {"examples": 3, "key_kind": "int", "outputs": {"click": 1}}
    assert "labels of 3 examples" in done.stderr
    assert "`teacher: {features: {visit: {dtype: int}}}`" in done.stderr
    assert (tmp_path / "stored" / "saved_model.pb").exists()


def test_a_folder_without_labels_is_bad_input(tmp_path: Path) -> None:
    done = store(tmp_path)

    assert done.exit_code == Exit.BAD_INPUT
    assert "labels: expected labelled examples in gzipped TFRecords (*.gz), found none" in " ".join(done.stderr.split())
