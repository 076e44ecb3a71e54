"""The demonstration from a wheel, not in editable mode, beside the requirements that it brings; no checkout near."""

from pathlib import Path

import pytest

from crosskd import stacks
from tests import wheels

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


@pytest.fixture(scope="module")
def programs(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("user")
    wheel = wheels.build(folder)
    programs = wheels.environment(folder / "environment", "--without-pip")
    wheels.install(programs, wheel)
    shipped = wheels.site_packages(programs) / "crosskd" / stacks.choose(stacks.here()).file("base")
    wheels.install(programs, "--require-hashes", "-r", shipped)
    wheels.lend_bytecode(programs)
    return programs


def test_the_demonstration_runs_from_the_wheel_and_pushes(programs, tmp_path):
    done = wheels.run(programs, "crosskd", "demo", "--out", "out", cwd=tmp_path, timeout=1500)
    assert done.returncode == 0, done.stderr
    pushed = list((tmp_path / "out/homepage/serving/homepage").glob("[0-9]*/saved_model.pb"))
    assert len(pushed) == 1
    (report,) = (tmp_path / "out/homepage/artifacts/EvaluationReport").rglob("index.html")
    assert "</html>" in report.read_text(encoding="utf-8")


def test_no_module_of_the_checkout_is_imported(programs, tmp_path):
    code = (
        "import importlib, importlib.util, sys; from crosskd.installation import packages\n"
        "print(*sys.path, *(importlib.util.find_spec(name).origin for name in packages()), sep='\\n')"
    )
    places = wheels.run(programs, "python", "-c", code, cwd=tmp_path).stdout.split()
    assert len(places) > 11
    assert [place for place in places if Path(place).is_relative_to(wheels.PROJECT)] == []
