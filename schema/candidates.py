"""The sections of ``surface.yaml`` about what the teacher knows beyond the labelled examples.

`Unlabelled`: pairs of a user and an item that were never shown together, labelled by the
teacher alone.  `WarmStart`: the teacher's id embeddings as the student's first ones.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, NonNegativeInt, PositiveInt, model_validator

from schema.base import Name, Scalar, Strict

UNLABELLED_SPLIT = "unlabelled"
# Folders that pairs are made of beside the examples: logs of whole pairs, or catalogues of one side each.
CANDIDATES, PEOPLE, ITEMS = "candidates", "people", "items"
PAIRS_FROM = (CANDIDATES, PEOPLE, ITEMS)


def fingerprint_key(name: str) -> str:
    """The setting that holds the fingerprint of such a folder's content."""
    return f"{name}_fingerprint"


EMBEDDINGS_SIGNATURE = "embeddings"

Columns = tuple[str, ...]


class Cross(Strict):
    """How a `cross` feature is made for a pair that was never shown.

    Attributes:
      dot: Two columns, one of the user (or context) and one of the item: the feature is
        their scalar product times `scale`.
      scale: Factor of the product, as the examples' own values have it.
      value: What the feature is for every pair, such as 0 for "seen before".
    """

    dot: tuple[str, str] | None = None
    scale: float = 1.0
    value: Scalar | None = None

    @model_validator(mode="after")
    def _says_one_thing(self) -> Cross:
        if (self.dot is None) == (self.value is None):
            raise ValueError("a cross feature is made by `dot: [user's column, item's column]` or by `value:`")
        return self


class NewRelease(Strict):
    """Which items are new.

    Attributes:
      column: A column of the examples.
      value: What it is for a new item.
    """

    column: str
    value: Scalar = 1


class Unlabelled(Strict):
    """Pairs never shown, put together from the training examples, with soft labels only.

    The user's and the context's columns of a pair come from one training example, the
    item's from another.  Where a run has catalogues of people and items, those without a
    training row are drawn too.  The trunk and the distillation heads are trained on pairs.

    Attributes:
      per_row: Pairs made for each training example, and trained on beside each.
      weights: How items are drawn: in proportion to how often they were shown
        (`popularity`), all alike (`uniform`), or all alike among new ones (`new_release`).
      new_release: What is new; for `weights: new_release`.
      user: Columns that identify a user; by default the one categorical feature of that side.
      item: Columns that identify an item; by default the one categorical feature of that side.
      columns: The side of columns that are no features and that the teacher reads.
      cross: How `cross` features are made; one that is not named is absent from a pair.
      catalogue: Whether pairs have people and items without a training row, where a run's
        `--people` and `--items` bring some.
      seed: The seed of the draws.
    """

    per_row: PositiveInt = 5
    weights: Literal["popularity", "uniform", "new_release"] = "popularity"
    new_release: NewRelease | None = None
    user: Annotated[Columns, Field(min_length=1)] | None = None
    item: Annotated[Columns, Field(min_length=1)] | None = None
    columns: dict[str, Literal["user", "item", "context"]] = Field(default_factory=dict)
    cross: dict[str, Cross] = Field(default_factory=dict)
    catalogue: bool = True
    seed: NonNegativeInt = 0

    @model_validator(mode="after")
    def _weights_are_known(self) -> Unlabelled:
        if (self.weights == "new_release") != (self.new_release is not None):
            raise ValueError("`weights: new_release` and `new_release: {column: ..., value: ...}` need each other")
        return self


class WarmStart(Strict):
    """Where the teacher offers its embedding of one id.

    Attributes:
      signature: A signature without inputs of the teacher's SavedModel.
      feature: The teacher's name of the id; by default the student's.
      ids: Output with the ids, [count]; by default ``<feature>_ids``.
      vectors: Output with their embeddings, float [count, width]; by default ``<feature>_vectors``.
    """

    signature: Name = EMBEDDINGS_SIGNATURE
    feature: str | None = Field(default=None, alias="from")
    ids: str | None = None
    vectors: str | None = None

    def outputs(self, name: str) -> tuple[str, str]:
        """The keys of ids and vectors for the student's feature `name`."""
        feature = self.feature or name
        return self.ids or ids_output(feature), self.vectors or vectors_output(feature)


def ids_output(feature: str) -> str:
    """The key under which a teacher offers the ids it has embeddings of."""
    return f"{feature}_ids"


def vectors_output(feature: str) -> str:
    """The key under which a teacher offers their embeddings."""
    return f"{feature}_vectors"
