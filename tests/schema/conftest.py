"""What tests of `surface.yaml` share."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from schema.errors import InputError
from schema.loader import load_surface
from tests.schema.homepage import CONTENT, SCHEMA


@pytest.fixture
def refused(tmp_path: Path) -> Callable[..., str]:
    """Loads a surface that must be refused and returns the message, the folder as D.

    Of a surface that is no text, the places in its file are left out.
    """

    def load(surface: dict[str, Any] | str = CONTENT, schema: str = SCHEMA) -> str:
        text = surface if isinstance(surface, str) else yaml.safe_dump(surface, sort_keys=False)
        (tmp_path / "surface.yaml").write_text(text)
        (tmp_path / "schema.pbtxt").write_text(schema)
        with pytest.raises(InputError) as raised:
            load_surface(tmp_path)
        message = str(raised.value).replace(str(tmp_path), "D")
        return message if isinstance(surface, str) else re.sub(r" \(line \d+, column \d+\)", "", message)

    return load
