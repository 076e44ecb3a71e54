"""Makes the pages of the notebooks from real runs: `python docs/render_notebooks.py ROOT OTHER_ROOT [EXPERIMENT]`.

Needs the two roots of `crosskd run` and the folder of `crosskd experiment`; without the latter, its page
stays as it is.  Writes Markdown, SVG and the slicing tool's page into docs/notebooks.
"""

from __future__ import annotations

import html
import os
import re
import shutil
import sys
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient
from nbconvert import MarkdownExporter

NOTEBOOKS = Path(__file__).parent.parent / "notebooks"
PAGES = Path(__file__).parent / "notebooks"
_SECONDS = 600
_NOTE = "\n\n*Executed by `docs/render_notebooks.py` on a real run; the notebook is `notebooks/{name}`.*\n"


def main(root: str, other: str, experiment: str = "") -> None:
    """Executes the notebooks and writes their pages."""
    folders = {"ROOT": root, "OTHER_ROOT": other, "EXPERIMENT": experiment}
    # Absolute: notebooks run in their own folder.
    os.environ.update({f"CROSSKD_{name}": str(Path(folder).resolve()) for name, folder in folders.items() if folder})
    PAGES.mkdir(exist_ok=True)
    for file in sorted(NOTEBOOKS.glob("*.ipynb")):
        if file.stem != "experiment" or experiment:
            shutil.rmtree(PAGES / f"{file.stem}_files", ignore_errors=True)
            render(execute(file), file.name)


def execute(file: Path) -> Any:
    """The notebook, executed from top to bottom in a fresh kernel.

    Raises:
      CellExecutionError: A cell failed.
    """
    notebook = nbformat.read(file, as_version=4)
    NotebookClient(notebook, timeout=_SECONDS, resources={"metadata": {"path": str(file.parent)}}).execute()
    return notebook


def render(notebook: Any, name: str) -> None:
    """Writes a page and its pictures, without what libraries print on standard error."""
    for cell in notebook.cells:
        cell.outputs = [each for each in cell.get("outputs", []) if each.get("name") != "stderr"]
    stem = Path(name).stem
    for cell in notebook.cells:
        _set_pages_apart(cell, stem)
    text, resources = MarkdownExporter().from_notebook_node(
        notebook, resources={"unique_key": stem, "output_files_dir": f"{stem}_files"}
    )
    # Markdown would take an indented line of HTML for code; how tables look is the site's business.
    text = re.sub(r"<style scoped>.*?</style>\n?", "", text, flags=re.S)
    text = text.replace('<table border="1" class="dataframe">', "<table>").replace(' style="text-align: right;"', "")
    text = re.sub(r"^ +(?=</?(?:t|div|table))", "", text, flags=re.M)
    text = _name_charts(text)
    head, _, rest = text.strip().partition("\n")
    (PAGES / f"{stem}.md").write_text(head + _NOTE.format(name=name) + rest + "\n", encoding="utf-8")
    for path, content in resources.get("outputs", {}).items():
        (PAGES / path).parent.mkdir(exist_ok=True)
        (PAGES / path).write_bytes(content)


def _set_pages_apart(cell: Any, stem: str) -> None:
    """Writes a page that a cell embeds to a file of its own: Markdown would take it apart."""
    for output in cell.get("outputs", []):
        content = output.get("data", {}).get("text/html", "")
        found = re.search(r'srcdoc="([^"]*)"', content)
        if found:
            page = Path(f"{stem}_files") / "slices.html"
            (PAGES / page).parent.mkdir(exist_ok=True)
            (PAGES / page).write_text(html.unescape(found[1]), encoding="utf-8")
            output["data"]["text/html"] = content.replace(found[0], f'src="{page}"')


def _name_charts(text: str) -> str:
    """Gives each picture the heading above it as alternative text."""
    sections = re.split(r"(?m)^(?=#+ )", text)
    return "".join(
        each.replace("![svg]", f"![chart: {each.splitlines()[0].lstrip('# ')}]") for each in sections if each
    )


if __name__ == "__main__":
    main(*sys.argv[1:4])
