"""Counting the lines that ran: as coverage.py counts them, in every process, and without changing what runs."""

import ast
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import coverage
import pytest

FOLDER = Path(__file__).parent / "executed"
PROGRAM = '''"""A docstring."""

from __future__ import annotations

import functools


@functools.cache
def chosen(value: int) -> str:
    """A docstring that
    stays one."""
    match value:
        case 1:
            return "one"
        case 2:
            return "two"
    return "many"


class Kept:
    """A class's docstring."""

    number: int = 3

    def grown(self) -> list[int]:
        found = [
            each + 1
            for each in range(self.number)
        ]
        if not found:
            return []
        elif len(found) > 2:
            for each in found:
                if each == 2:
                    continue
            else:
                found.append(9)
        return found


def caught() -> str:
    try:
        int("no")
    except KeyError:
        return "key"
    except ValueError:
        with open(__file__):
            return "value"
    finally:
        chosen(2)


FOUND = (chosen(2), Kept().grown(), caught(), chosen.__wrapped__.__doc__, Kept.__doc__)
NAMED = lambda: chosen(1)
'''


@pytest.fixture
def project(tmp_path) -> Path:
    """A project with one package, beside the real counting."""
    shutil.copytree(FOLDER, tmp_path / "tests" / "executed")
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "__init__.py").touch()
    (tmp_path / "package" / "program.py").write_text(PROGRAM)
    return tmp_path


def execute(project: Path, code: str, *, counted: bool = True) -> subprocess.CompletedProcess:
    (project / "out").mkdir(exist_ok=True)
    environment = {**os.environ, "PYTHONPATH": f"{project}:{project}/tests/executed"}
    environment.pop("EXECUTED_LINES", None)
    environment |= {"EXECUTED_LINES": str(project / "out")} if counted else {}
    command = [sys.executable, "-c", code]
    return subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, timeout=60)


def lines(project: Path) -> list[int]:
    kept = (project / "out" / "package..program.py.lines").read_bytes()
    return [line for line, ran in enumerate(kept) if ran]


def as_coverage_says(project: Path, ran: list[int] | None) -> set[int]:
    """The statements that ran, of the lines given, or else of a run under coverage.py itself."""
    file = str(project / "package" / "program.py")
    if ran is None:
        command = [sys.executable, "-m", "coverage", "run", f"--data-file={project}/data", "--timid", file]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("EXECUTED")}
        subprocess.run(command, check=True, cwd=project, env=environment, timeout=60)
        found = coverage.Coverage(data_file=str(project / "data"))
        found.load()
    else:
        found = coverage.Coverage(data_file=None)
        found.get_data().add_lines({file: ran})
    _, statements, _, missing, _ = found.analysis2(file)
    return set(statements) - set(missing)


def test_the_same_lines_are_counted_as_by_a_trace_function(project):
    done = execute(project, "import package.program")
    assert done.returncode == 0, done.stderr
    assert as_coverage_says(project, lines(project)) == as_coverage_says(project, None)
    assert PROGRAM.splitlines().index('            return "one"') + 1 not in lines(project)


def test_what_runs_is_what_would_run_without(project):
    code = "from package import program; print(program.FOUND)"
    assert execute(project, code).stdout == execute(project, code, counted=False).stdout
    assert "A docstring that" in execute(project, code).stdout


def test_lines_count_in_processes_that_are_killed(project):
    code = f"import os, package.program as p; p.chosen(1); os.kill(os.getpid(), {int(signal.SIGKILL)})"
    assert execute(project, code).returncode == -signal.SIGKILL
    assert PROGRAM.splitlines().index('            return "one"') + 1 in lines(project)


def test_functions_can_be_pickled_by_value_and_count_where_they_run(project):
    give = "import cloudpickle, sys; from package import program; print(cloudpickle.dumps(program.NAMED).hex())"
    pickled = execute(project, give).stdout.strip()
    before = lines(project)
    done = execute(project, f"import cloudpickle; print(cloudpickle.loads(bytes.fromhex({pickled!r}))())")
    assert done.stdout == "one\n", done.stderr
    assert set(lines(project)) > set(before)


def test_a_traceback_has_the_lines_of_the_source(project):
    code = "from package import program\ndef fail(value): raise RuntimeError\nprogram.chosen = fail\nprogram.caught()"
    line = PROGRAM.splitlines().index("        chosen(2)") + 1
    assert f'program.py", line {line}, in caught' in execute(project, code).stderr


def test_every_module_of_the_project_can_be_counted():
    sys.path.insert(0, str(FOLDER))
    try:
        import executed_lines
    finally:
        sys.path.remove(str(FOLDER))
    files = list(executed_lines.measured())
    names = {file.relative_to(executed_lines.ROOT).as_posix() for file in files}
    assert {"crosskd/main.py", "contracts/keys.py", "kubeflow/rehearse.py"} <= names
    assert not any(name.startswith("tests/") for name in names)
    for file in files:
        compile(executed_lines.count(ast.parse(file.read_bytes()), file.name), str(file), "exec")
