"""The cache key is what is imported: of every node, module by module."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from records.code import closure, code_version

ROOT = Path(__file__).parents[2]
# What each node runs, as the pipeline asks for it.
NODES = {
    "ExampleGuard": ["components.example_guard"],
    "CandidateSampler": ["components.candidate_sampler"],
    "TeacherLabeler": ["components.teacher_labeler"],
    "Transform": ["models.preprocessing"],
    "Trainer": ["models.trainer"],
    "Evaluator": ["components.evaluator"],
    "LastServed": ["components.last_served"],
    "ServingValidator": ["components.serving_validator"],
    "BlessingGate": ["components.blessing_gate"],
    "ModelPusher": ["components.model_pusher"],
    "EvaluationReport": ["components.evaluation_report"],
}
# Touches each module of the checkout in turn, and prints the modules that changed the key of the node.
TOUCH = """
import sys
from pathlib import Path
from records.code import closure, code_version

def touch(paths):
    for path in paths:
        path.write_bytes(path.read_bytes() + b"# touched\\n")

def change_one(node, paths):
    before = code_version(node)
    for path in paths:
        content = path.read_bytes()
        touch([path])
        if code_version(node) != before:
            print(node, path)
        path.write_bytes(content)

def change_all(node, paths):
    before, contents = code_version(node), {path: path.read_bytes() for path in paths}
    touch(paths)
    changed = code_version(node) != before
    for path, content in contents.items():
        path.write_bytes(content)
    return changed

everything = set(Path().rglob("*.py"))
for node in sys.argv[1:]:
    reached = {path.resolve().relative_to(Path().resolve()) for path in closure(node).values()}
    change_one(node, sorted(everything & reached))
    # Of the others none may matter; which one does is looked for if one does.
    if change_all(node, everything - reached):
        change_one(node, sorted(everything - reached))
"""


@pytest.fixture(scope="module")
def touched(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    """By start of a node's code: the modules whose change changes its key, tried one at a time."""
    copy = tmp_path_factory.mktemp("checkout")
    for package in {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"tests"}:
        shutil.copytree(ROOT / package, copy / package, ignore=shutil.ignore_patterns("__pycache__"))
    starts = [start for asked in NODES.values() for start in asked]
    done = subprocess.run(
        [sys.executable, "-c", TOUCH, *starts], cwd=copy, capture_output=True, text=True, timeout=600, check=True
    )
    found: dict[str, set[str]] = {start: set() for start in starts}
    for line in done.stdout.splitlines():
        start, _, path = line.partition(" ")
        found[start].add(path)
    return found


def imported_when_run(start: str) -> set[str]:
    """The modules of this project that Python itself loads for a node's code."""
    names = sorted(closure(start))
    own = [name for name in names if name == start or name.startswith(f"{start}.")]
    code = f"import importlib, sys\nfor name in {own!r}: importlib.import_module(name)\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300, check=True)
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"tests"}
    return {name for name in done.stdout.split() if name.partition(".")[0] in packages}


@pytest.mark.parametrize("node", NODES)
def test_a_touched_module_changes_the_key_exactly_if_the_node_reaches_it(touched, node):
    for start in NODES[node]:
        reached = {str(path.relative_to(ROOT)) for path in closure(start).values()}
        assert touched[start] == reached
        assert len(reached) > 5


@pytest.mark.parametrize("node", ["Trainer", "ServingValidator"])
def test_the_closure_holds_all_that_python_loads(node):
    for start in NODES[node]:
        missing = imported_when_run(start) - set(closure(start))
        assert not missing


def test_a_loss_belongs_to_the_trainer_and_a_page_does_not(touched):
    assert "models/losses/pointwise.py" in touched["models.trainer"]
    assert "models/losses/pointwise.py" not in touched["models.preprocessing"]
    assert "components/evaluation_report/page.py" not in touched["components.blessing_gate"]
    assert "evidence/verdicts.py" not in set().union(*touched.values())
    assert "schema/surface.py" in set.intersection(*(touched[f"components.{name}"] for name in ("blessing_gate",)))


def package(folder: Path, files: dict[str, str]) -> None:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)


def test_a_users_module_counts_with_what_it_imports(tmp_path, monkeypatch):
    package(
        tmp_path,
        {
            "my_ranker/__init__.py": "",
            "my_ranker/net.py": "from .parts import tower\nfrom models import losses\nimport numpy",
            "my_ranker/parts/__init__.py": "from my_ranker import sizes\n\n\ndef tower(): ...\n",
            "my_ranker/sizes.py": "",
            "my_ranker/unused.py": "",
        },
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    reached = closure("my_ranker.net")
    assert {"my_ranker", "my_ranker.net", "my_ranker.parts", "my_ranker.sizes"} <= set(reached)
    assert "models.losses.pointwise" in reached
    assert not {"my_ranker.unused", "numpy"} & set(reached)
    before = code_version("my_ranker.net")
    (tmp_path / "my_ranker" / "unused.py").write_text("x = 1")
    assert code_version("my_ranker.net") == before
    (tmp_path / "my_ranker" / "sizes.py").write_text("x = 1")
    assert code_version("my_ranker.net") != before


def test_templates_count(tmp_path, monkeypatch):
    package(tmp_path, {"paged/__init__.py": "", "paged/page.py": "", "paged/templates/page.css": "a {}"})
    monkeypatch.syspath_prepend(str(tmp_path))
    before = code_version("paged")
    (tmp_path / "paged" / "templates" / "page.css").write_text("b {}")
    assert code_version("paged") != before


def test_what_is_not_there_is_an_error():
    with pytest.raises(ModuleNotFoundError, match=r"components\.nothing: no such module"):
        code_version("components.nothing")
