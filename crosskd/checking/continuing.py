"""Says what a run would continue from, before it begins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from crosskd.checking.findings import CheckReport
from crosskd.places import serving_folder
from schema.surface import Surface


def check_continuing(
    surface: Surface, root: Path | None, data_span: str | None, listed: Mapping[str, Sequence[str]], report: CheckReport
) -> None:
    """Finds what a surface that continues would continue from.

    Args:
      surface: The surface.
      root: Of the runs; None where it is not known.
      data_span: The spans of the run; None without spans.
      listed: The files of its newest examples, by split.
      report: Takes what is found.

    Raises:
      InputError: What an earlier run left is damaged or gone.
    """
    if surface.training.continue_from is None:
        return
    if root is None:
        report.starts = "Whether this run continues, and from what, `--root` of the runs would tell."
        return
    from components.continuation.finding import find_earlier
    from records.training_states import data_of

    report.starts = find_earlier(str(serving_folder(root, surface.name)), data_of(data_span, listed)).sentence
