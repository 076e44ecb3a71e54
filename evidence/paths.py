"""Where a run left its data."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class RunPaths:
    """Where a finished pipeline run left what an experiment needs.

    Attributes:
      name: The name for messages and tables.
      transform_graph: Transform's `transform_graph` artifact.
      train: Folders of the transformed training split: one, or one for each span of a window.
      labelled_eval: Folder of the labelled evaluation split, as it was before Transform; of
        the newest span.
      labelled_train: Folders of the labelled training split, as it was before Transform, one for
        each of `train`; none if slices of people and items without a training row are not wanted.
      unlabelled: Folders of the transformed split of pairs never shown; none if the run made none.
      labelled_unlabelled: The same of the pairs, which other teachers are asked about.
      teacher: The teacher's SavedModel, which warm starts read; None if it is not known.
    """

    name: str
    transform_graph: str
    train: tuple[str, ...]
    labelled_eval: str
    labelled_train: tuple[str, ...] = ()
    unlabelled: tuple[str, ...] = ()
    labelled_unlabelled: tuple[str, ...] = ()
    teacher: str | None = None
