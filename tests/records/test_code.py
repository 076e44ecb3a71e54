from __future__ import annotations

import sys
from pathlib import Path

import pytest

from records.code import code_version


def test_changes_with_the_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "some_package"
    package.mkdir()
    (package / "__init__.py").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path))
    before = code_version("some_package")
    assert code_version("some_package") == before
    (package / "__init__.py").write_text("x = 1")
    after = code_version("some_package")
    assert after != before
    (package / "more.py").write_text("")
    larger = code_version("some_package")
    assert larger not in {before, after}
    (package / "templates").mkdir()
    (package / "templates" / "page.css").write_text("")
    assert code_version("some_package") not in {before, after, larger}
    sys.modules.pop("some_package")


def test_knows_several_packages() -> None:
    alone = code_version("evaluation")
    assert len(alone) == 16
    assert code_version("evaluation", "components.blessing_gate") != alone
