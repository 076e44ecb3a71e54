"""How new people and items are to the rows that choose epochs and settings, and to those that judge."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from contracts.base import Document, Part

# Parts of rows that differ by so much are of different circumstances.
_UNLIKE = 0.2
_BY_LAST = " Where the examples are in the order of time, `training: {hold_out: last}` chooses by later rows."


class HeldOutRows(Part):
    """How much newer users, or items, are to the evaluation than to the rows that epochs and settings are chosen by.

    Attributes:
      slice: Which rows are counted: those of users, or of items, without a row among those that were fitted.
      held_out: Their part of the held-out rows; where there are several trainings' data, as a mean over them.
      evaluation: Their part of the evaluation rows, likewise.
      last: Whether the last training rows are held out, and not every k-th.
    """

    slice: str
    held_out: float
    evaluation: float
    last: bool

    @property
    def unlike(self) -> bool:
        """Whether what is chosen by the held-out rows may not be what the evaluation asks for."""
        return self.evaluation - self.held_out > _UNLIKE

    @property
    def sentence(self) -> str:
        """All of it for people, with what to try."""
        return (
            f"Epochs and settings were chosen by rows of which {self.held_out:.0%} are of a {self.slice}; of the "
            f"evaluation examples {self.evaluation:.0%} are. A choice that is right for the first may be wrong for the "
            f"second, for the control as well.{'' if self.last else _BY_LAST}"
        )


class HeldOut(Document):
    """What is known of that of a run; in the `model_run` of its control, which holds out what the student does.

    Attributes:
      rows: Of users and of items, each where it is clear what identifies them.
    """

    FILE: ClassVar[str] = "held_out.json"
    TITLE: ClassVar[str] = "what is known of held-out rows"

    rows: tuple[HeldOutRows, ...] = ()


def cautions(rows: Iterable[HeldOutRows]) -> list[str]:
    """A sentence for each kind of rows that choose where other ones judge; whoever shows a comparison shows these."""
    return [each.sentence for each in rows if each.unlike]
