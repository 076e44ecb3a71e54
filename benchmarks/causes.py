"""Where a run's seconds go, by node and by cause, from samples of its main thread's stack.

Claim (docs/results.md): of what a small run takes beyond its unavoidable work, most is what TFX,
Beam and TensorFlow do before the first example: imports, traced graphs and pipelines that are built.

The samples are those of py-spy, which `pip install py-spy` brings:

    py-spy record --rate 25 --threads --format raw --output OUT -- crosskd run --surface ... --json
    python -m benchmarks.causes OUT
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Annotated

import typer

from contracts import nodes
from crosskd.terminal import TERMINAL

_MAIN = "MainThread"
_EXECUTOR = "_run_executor"
ELSEWHERE = "the command itself"
REST = "the work, and what is left"

# What is in a stack while a node runs; the first that is found counts.
_NODES = (
    ("Transform", "components/transform/executor.py"),
    (nodes.EVALUATOR, "components/evaluator/executor.py"),
    ("Trainer", "tfx/components/trainer/executor.py"),
    ("statistics", "statistics_gen/executor.py"),
    ("statistics", "components/label_statistics"),
    (nodes.TEACHER_LABELER, "components/teacher_labeler/executor.py"),
    (nodes.SERVING_VALIDATOR, "components/serving_validator/executor.py"),
    (nodes.EVALUATION_REPORT, "components/evaluation_report/executor.py"),
    ("the check of the inputs", "inspect_inputs"),
)
# Likewise of a cause.  Beam builds a pipeline and runs it from one file, so building by that name comes last.
_CAUSES = (
    ("importing", "_find_and_load"),
    ("tracing graphs", "func_graph_from_py_func"),
    ("loading saved models", "saved_model/load.py"),
    ("building Beam's pipelines", "PipelineOptions.__init__"),
    ("building Beam's pipelines", "inspect.py"),
    ("building Beam's pipelines", "to_runner_api"),
    ("jackknife", "evaluation/jackknife.py"),
    ("training steps", "Loop."),
    ("running Beam's pipelines", "run_via_runner_api"),
    ("building Beam's pipelines", "apache_beam/pipeline.py"),
)


def main(
    samples: Annotated[Path, typer.Argument(help="What `py-spy record --format raw` wrote.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print the shares as JSON.")] = False,
) -> None:
    """Print the share of each node and cause."""
    found = shares(samples.read_text().splitlines())
    if as_json:
        TERMINAL.json({node: dict(causes) for node, causes in found.items()})
        return
    for node, causes in found.items():
        named = ", ".join(f"{cause} {share:.1%}" for cause, share in causes.items())
        TERMINAL.say(f"{node}: {sum(causes.values()):.1%} ({named})")


def shares(lines: Iterable[str]) -> dict[str, dict[str, float]]:
    """The share of all samples that each cause has in each node, the largest first.

    Args:
      lines: Stacks as py-spy writes them: frames from the outermost on, between semicolons, and a count.
    """
    counts: dict[str, Counter[str]] = {}
    for stack, count in _of_main_thread(lines):
        counts.setdefault(_named(stack, _NODES, ELSEWHERE), Counter())[_cause(stack)] += count
    total = sum(count for causes in counts.values() for count in causes.values())
    return {
        node: {cause: count / total for cause, count in causes.most_common()}
        for node, causes in sorted(counts.items(), key=lambda item: -item[1].total())
    }


def _of_main_thread(lines: Iterable[str]) -> Iterator[tuple[str, int]]:
    for line in lines:
        stack, count = line.rsplit(" ", 1)
        if _MAIN in stack.split(";", 1)[0]:
            yield stack, int(count)


def _cause(stack: str) -> str:
    # TFX's own runner is a Beam pipeline, too: what lies within a node's executor counts.
    frames = stack.split(";")
    begins = max((place for place, frame in enumerate(frames) if _EXECUTOR in frame), default=0)
    return _named(";".join(frames[begins:]), _CAUSES, REST)


def _named(stack: str, names: Sequence[tuple[str, str]], otherwise: str) -> str:
    return next((name for name, part in names if part in stack), otherwise)


if __name__ == "__main__":
    typer.run(main)
