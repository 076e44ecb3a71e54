"""Loads what lies in kubeflow/: a folder of scripts, since a package of that name is somebody else's."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

FOLDER = Path(__file__).parent.parent.parent / "kubeflow"


def script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"kubeflow_{name}", FOLDER / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module
