"""Each wrong input ends in its own words and exit code; the documentation's error table quotes what was seen here."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
import typer

from crosskd.main import app
from tests.crosskd.wrong_inputs import DATA, OPTIONS, TEACHERS, Product, WrongInput
from tests.crosskd.wrong_surfaces import SURFACES
from tests.docs.pages import quoted_errors
from tests.e2e import library

WRONG_INPUTS = (*SURFACES, *DATA, *TEACHERS, *OPTIONS)
_COMMAND = typer.main.get_command(app)


class Trials:
    """Runs each case once, through the command line, and keeps what it said."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.right = Product(folder / "product")
        library.write_surface(self.right.surface)
        library.write_examples(self.right.examples, sizes=(600, 300))
        library.write_teacher(self.right.teacher)
        self._done: dict[str, tuple[int, str]] = {}

    def copy(self, name: str) -> Product:
        return Product(Path(shutil.copytree(self.right.folder, self.folder / re.sub(r"\W", "-", name))))

    def of(self, case: WrongInput, capfd: pytest.CaptureFixture[str]) -> tuple[int, str]:
        """Exit code, and all that was printed, on one line."""
        if case.name not in self._done:
            product = self.copy(case.name)
            case.spoil(product)
            code, said = call(filled(case.command, product), capfd)
            self._done[case.name] = code, " ".join(said.replace(str(product.folder), "PRODUCT").split())
        return self._done[case.name]


def filled(command: tuple[str, ...], product: Product) -> list[str]:
    places = {name: str(getattr(product, name)) for name in ("folder", "surface", "examples", "teacher")}
    return [word.format_map(places) if "{" in word else word for word in command]


def call(arguments: list[str], capfd: pytest.CaptureFixture[str]) -> tuple[int, str]:
    """Calls a command in this process."""
    capfd.readouterr()
    with pytest.raises(SystemExit) as end:
        _COMMAND.main(arguments, prog_name="crosskd")
    found = capfd.readouterr()
    return int(end.value.code or 0), f"{found.out}\n{found.err}"


@pytest.fixture(scope="module")
def trials(tmp_path_factory: pytest.TempPathFactory) -> Trials:
    return Trials(tmp_path_factory.mktemp("wrong"))


def test_the_product_is_right_before_it_is_spoilt(trials: Trials, capfd: pytest.CaptureFixture[str]) -> None:
    code, said = trials.of(WrongInput("right", ""), capfd)
    assert (code, "problem" in said.replace("0 problems", "")) == (0, False)


def test_there_are_sixty_and_each_has_its_name() -> None:
    assert len({case.name for case in WRONG_INPUTS}) == len(WRONG_INPUTS) >= 60


@pytest.mark.parametrize("case", WRONG_INPUTS, ids=lambda case: case.name)
def test_a_wrong_input_is_told_what_is_wrong(
    trials: Trials, case: WrongInput, capfd: pytest.CaptureFixture[str]
) -> None:
    code, said = trials.of(case, capfd)
    expected = case.said.replace("{surface}", "PRODUCT/surface").replace("{teacher}", "PRODUCT/teacher")
    assert expected in said
    assert code == case.code
    assert "Traceback" not in said


def test_the_documentation_explains_only_messages_that_were_seen_here(
    trials: Trials, capfd: pytest.CaptureFixture[str]
) -> None:
    quoted = quoted_errors("## What you give")
    seen = [trials.of(case, capfd)[1] for case in WRONG_INPUTS]
    assert len(quoted) > 30
    assert [quote for quote in quoted if not any(_is_in(quote, said) for said in seen)] == []


def _is_in(quote: str, said: str) -> bool:
    """Whether a message holds what the table quotes, in which dots stand for names and numbers."""
    return re.search(".*?".join(re.escape(part.strip()) for part in quote.split("...")), said) is not None
