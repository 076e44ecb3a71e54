"""How far a student trusts its teacher, example by example: `adapter` and `trust` of ``surface.yaml``."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from schema.base import Strict, Weight


class Adapter(Strict):
    """A head of its own that learns what the teacher's words mean for the task's hard label.

    A small network, fitted to the training rows' hard labels, maps what the teacher says of a row, which of its
    inputs were filled and which ids it knows to the label: the student adapter of ExFM (arXiv:2502.17494).  Each row
    gets the answer of a network that saw neither it nor its group.  That is fixed before training begins, so no
    gradient flows into it.

    Attributes:
      weight: Weight of this head's loss beside the hard losses.
    """

    weight: Weight = 1.0


class Trust(Strict):
    """What adapters and reliabilities are fitted by.

    Attributes:
      folds: Parts that the training rows are divided into, by the surface's `group`, or else by the values of their
        categorical features.  What is said of a row comes from networks that saw none of its part.
      known: Ids, by feature, of which the teacher's SavedModel says in the signature `embeddings` which ones it
        knows; whether it knows that of a row is among the networks' inputs.
    """

    folds: Annotated[int, Field(ge=3, le=20)] = 5
    known: tuple[str, ...] = ()
