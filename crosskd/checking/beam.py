"""Arguments for Beam that Beam does not know: it passes over them, and a slip goes unseen."""

from __future__ import annotations

import contextlib
import io
import itertools
from collections.abc import Sequence

from apache_beam.options.pipeline_options import PipelineOptions

from crosskd.checking.findings import CheckReport
from schema.checks import nearest

_LOCAL = ("FnApiRunner", "DirectRunner", "BundleBasedDirectRunner", "ProcessRunner")


def check_arguments(arguments: Sequence[str], report: CheckReport) -> None:
    """Finds arguments that are no options, or have a value that they cannot have.

    Args:
      arguments: What stands after `--` on the command line.
      report: Takes a problem for each; a warning, where another runner may know the option.
    """
    for before, each in itertools.pairwise(["", *arguments]):
        if not each.startswith("-") and (not before.startswith("-") or "=" in before):
            report.problem(f"Beam arguments: expected --option=value, found {each!r}")
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            options = PipelineOptions(list(arguments))
            known = options.get_all_options()
            given = options.get_all_options(retain_unknown_options=True)
    except SystemExit:
        report.problem(f"Beam arguments: {said.getvalue().strip().rpartition('error: ')[2]}")
        return
    local = str(known.get("runner") or _LOCAL[0]).rpartition(".")[2] in _LOCAL
    for name in sorted(set(given) - set(known)):
        hint = nearest(name, known) if nearest(name, known).startswith("; did") else ""
        report.add(f"Beam arguments: Beam knows no option --{name}{hint}", certain=local)
