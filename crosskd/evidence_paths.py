"""Where a finished run left what experiments, curves and searches read."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from contracts import keys, nodes, properties
from evidence.paths import RunPaths
from schema.candidates import UNLABELLED_SPLIT
from schema.errors import InputError
from schema.surface import EVAL_SPLIT, TRAIN_SPLIT

if TYPE_CHECKING:
    from crosskd.runs import Run


def run_paths(root: Path) -> RunPaths:
    """What an experiment reads of the newest run under `root`.

    Raises:
      InputError: There is none, or it did not finish.
    """
    from crosskd.runs import newest_run

    return paths_of(root, newest_run(root))


def paths_of(root: Path, found: Run) -> RunPaths:
    """The same of any run.

    Raises:
      InputError: It did not finish.
    """
    transformed = _artifacts(root, found, nodes.TRANSFORM, keys.TRANSFORMED_EXAMPLES)
    labelled = artifact(root, found, nodes.TEACHER_LABELER, keys.LABELLED_EXAMPLES)
    spans = labelled_spans(root, found)
    pairs, asked = ([f"{folder}/Split-{UNLABELLED_SPLIT}" for folder in of] for of in (transformed, spans))
    return RunPaths(
        name=root.name,
        transform_graph=artifact(root, found, nodes.TRANSFORM, keys.TRANSFORM_GRAPH),
        train=tuple(f"{folder}/Split-{TRAIN_SPLIT}" for folder in transformed),
        labelled_eval=f"{labelled}/Split-{EVAL_SPLIT}",
        labelled_train=tuple(f"{folder}/Split-{TRAIN_SPLIT}" for folder in spans),
        unlabelled=tuple(folder for folder in pairs if Path(folder).is_dir()),
        labelled_unlabelled=tuple(folder for folder in asked if Path(folder).is_dir()),
        teacher=artifact(root, found, nodes.TEACHER, keys.IMPORTED),
    )


def labelled_spans(root: Path, run: Run) -> list[str]:
    """The labelled examples of all spans that were trained on, the oldest first; one where there are none."""
    if nodes.WINDOW in run.nodes:
        from pipeline.spans import EXAMPLES

        return _artifacts(root, run, nodes.WINDOW, EXAMPLES)
    return _artifacts(root, run, nodes.TEACHER_LABELER, keys.LABELLED_EXAMPLES)


def artifact(root: Path, run: Run, node: str, key: str) -> str:
    """The folder of a node's output.

    Raises:
      InputError: The run did not make it.
    """
    return _artifacts(root, run, node, key)[0]


def _artifacts(root: Path, run: Run, node: str, key: str) -> list[str]:
    """The folders of a node's output: one, or where there are spans one for each, the oldest first."""
    outputs = run.nodes[node].outputs.get(key, []) if node in run.nodes else []
    found = [uri for uri, said in sorted(outputs, key=lambda each: each[1].get(properties.SPAN, 0))]
    if not found or not all(Path(uri).is_dir() for uri in found):
        raise InputError(
            f"{root}: the newest run ({run.run_id}) has no {key} of {node}. An experiment reads what a finished run "
            "left; give the same `crosskd run` again to go on from where it stopped."
        )
    return found
