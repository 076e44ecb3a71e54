"""Package metadata of crosskd; also what Beam workers get as ``--setup_file``."""

from setuptools import find_packages, setup

PACKAGES = (
    "benchmarks",
    "components",
    "contracts",
    "crosskd",
    "evaluation",
    "evidence",
    "models",
    "pipeline",
    "records",
    "schema",
    "worlds",
)

setup(
    name="crosskd",
    version="0.1.0",
    description="Zero-shot cross-domain knowledge distillation for multi-task ranking models on TFX",
    python_requires=">=3.11,<3.12",
    packages=find_packages(include=[p for name in PACKAGES for p in (name, f"{name}.*")]),
    package_data={
        "schema": ["*/surface.yaml", "*/schema.pbtxt"],
        "components.evaluation_report": ["templates/*"],
    },
    entry_points={"console_scripts": ["crosskd=crosskd.main:app"]},
    # The environment is requirements/base.txt, pinned with hashes and installed with
    # --no-deps: TFX's own metadata does not admit the set of versions that works here.
    install_requires=[],
)
