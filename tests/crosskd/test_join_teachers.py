import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from contracts.outcome import Exit
from crosskd.main import app
from tests.components.teacher_labeler.conftest import floats, save_teacher


def test_joins_what_is_named(tmp_path: Path) -> None:
    teacher = save_teacher(tmp_path / "a", lambda module, x: {"click": module.scale * x}, {"x": floats()})

    done = CliRunner().invoke(
        app,
        ["join-teachers", f"--teacher=a={teacher}", f"--teacher=b={teacher}", f"--out={tmp_path / 'both'}", "--json"],
    )

    assert done.exit_code == Exit.OK
    assert json.loads(done.stdout) == {"inputs": ["a__x", "b__x"], "outputs": ["a__click", "b__click"]}
    assert (tmp_path / "both" / "saved_model.pb").exists()


@pytest.mark.parametrize("text", ["folder", "a b=folder", "=folder", "a="])
def test_a_teacher_has_a_name_and_a_folder(tmp_path: Path, text: str) -> None:
    done = CliRunner().invoke(app, ["join-teachers", f"--teacher={text}", f"--out={tmp_path / 'both'}"])

    assert done.exit_code == Exit.BAD_INPUT
