"""What the reference teacher can read of a source's surface."""

from __future__ import annotations

from schema.errors import InputError
from schema.surface import Surface

# What a feature of the source may say: the rest is Transform's, which the reference teacher has none of.
_READS = {
    "kind", "side", "size", "default", "embedding", "min_count", "clip", "several", "many", "length", "pool", "weights",
    "sequence", "embedding_of",
}  # fmt: skip


def expect_readable(surface: Surface) -> None:
    """Checks that the reference teacher can read a source's features.

    Raises:
      InputError: One is of a kind that needs Transform.
    """
    for name, feature in surface.features.items():
        foreign = sorted(set(feature.model_dump(exclude_defaults=True)) - _READS)
        if foreign:
            raise InputError(
                f"features.{name}: `{foreign[0]}` is for students; the reference teacher reads numbers, ids, lists and "
                "sequences. Leave the key out of the source's surface, or bring a SavedModel of your own."
            )
    for name, sequence in surface.sequences.items():
        if sequence.newest == "last":
            raise InputError(
                f"sequences.{name}.newest: the reference teacher is given lists from their beginning on; expected the "
                "newest event `first` in the examples"
            )
    _expect_one_share(surface)
    for key in ("crosses", "preprocessing", "trunk", "student"):
        if getattr(surface, key):
            raise InputError(f"{key}: it is for students; leave it out of the source's surface")


def _expect_one_share(surface: Surface) -> None:
    for name, task in surface.tasks.items():
        if task.sampled is not None and task.sampled.probability is not None:
            raise InputError(
                f"tasks.{name}.sampled.probability: it is for students; the reference teacher knows one share for all "
                "negatives (`sampled: {negatives: ...}`)"
            )
