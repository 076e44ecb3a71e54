"""What the distribution holds; also what Beam workers get as ``--setup_file``.  Its metadata are in pyproject.toml."""

from setuptools import find_packages, setup

# A folder with an `__init__.py` is a package of ours; tests are not installed.
PACKAGES = find_packages(exclude=["tests", "tests.*"])

setup(
    packages=[*PACKAGES, "crosskd.requirements"],
    # The pinned requirements lie in the installed package, so that `crosskd` can name the command that installs them.
    package_dir={"crosskd.requirements": "requirements"},
    package_data={
        "": ["py.typed"],
        "crosskd.requirements": ["base*.txt", "bootstrap.txt"],
        "schema": ["*/surface.yaml", "*/schema.pbtxt"],
        "components.evaluation_report": ["templates/*"],
    },
)
