"""Which code made an output: part of the cache key of this project's own components.

TFX's cache knows an executor by its class path and a metric by its class name; without
this, a new release would go on using what an old one judged.
"""

from __future__ import annotations

import hashlib
import importlib
from pathlib import Path


def code_version(*packages: str) -> str:
    """Fingerprint of the modules in packages, such as `evaluation`, and of their templates.

    Args:
      *packages: Import paths; modules in sub-packages do not count.

    Returns:
      16 hexadecimal digits.
    """
    digest = hashlib.sha256()
    for package in packages:
        folder = Path(importlib.import_module(package).__path__[0])
        for path in sorted([*folder.glob("*.py"), *folder.glob("templates/*")]):
            digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]
