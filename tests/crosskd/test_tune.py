from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from contracts.outcome import Exit
from crosskd import tune
from crosskd.terminal import TERMINAL
from evidence.plot import halving
from evidence.search.result import Outcome
from schema.errors import InputError
from tests.evidence.search.test_writing import result

app = typer.Typer(pretty_exceptions_enable=False)
app.command()(tune.command)


def run(*arguments: object) -> BaseException | None:
    return CliRunner().invoke(app, [str(each) for each in arguments]).exception


def test_a_root_without_a_run_is_named(tmp_path: Path):
    error = run("--surface", "homepage", "--root", tmp_path / "none", "--out", tmp_path / "out")
    assert isinstance(error, InputError)
    assert f"{tmp_path / 'none'}: expected the root of a run" in str(error)


def test_the_surface_itself_is_not_written_over(tmp_path: Path):
    (tmp_path / "surface").mkdir()
    for name in ("surface.yaml", "schema.pbtxt"):
        source = Path(tune.__file__).parents[1] / "schema" / "homepage" / name
        (tmp_path / "surface" / name).write_bytes(source.read_bytes())
    error = run("--surface", tmp_path / "surface", "--root", tmp_path, "--out", tmp_path)
    assert "is the surface itself; expected another folder" in str(error)


def test_a_change_of_one_s_own_is_written_as_for_an_experiment():
    assert tune.change("wide=model.trunk=[64,32],model.dropout=0.1") == (
        "wide",
        ("model.trunk=[64,32]", "model.dropout=0.1"),
    )
    for text in ("wide", "=model.l2=1", "wide=folder"):
        with pytest.raises(InputError, match="expected NAME=KEY=VALUE"):
            tune.change(text)


def test_the_exit_code_says_whether_something_better_was_found():
    assert tune.exit_code(result()) is Exit.OK
    assert tune.exit_code(result(Outcome.NOT_SHOWN)) is Exit.NOTHING_BETTER
    assert tune.exit_code(result().model_copy(update={"against_control": []})) is Exit.NOTHING_BETTER


def test_a_person_reads_what_fell_what_was_not_tried_and_what_came_of_it():
    with TERMINAL.out.capture() as printed:
        tune.print_result(result())
    text = printed.get()
    assert "│ stacked heads │    1 │         2 │ +0.0200 │" in text
    assert "│ loss kl       │    1 │         2 │       - │" in text
    assert "not tried: warm start: the surface has no <id>" in text
    assert "not tried: loss kl: a loss is not finite" in text
    assert "Result: what was chosen is better than the surface as it was" in text


def test_the_picture_shows_who_fell_where():
    texts = [each.text for each in ElementTree.fromstring(halving(result())).iter() if each.text]
    assert "stacked heads" in texts
    assert {"goes on", "alone"} <= set(texts)
    assert "control" not in texts  # nobody took part
