"""The inputs of the model: `features:`, `sequences:` and `crosses:` of ``surface.yaml``."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field, NonNegativeInt, PositiveInt, model_validator

from schema.base import Scalar, Strict
from schema.teacher_feature import Clip


class FeatureKind(StrEnum):
    """How the model reads a feature: as numbers, or as an index into an embedding."""

    NUMERIC = "numeric"
    CATEGORICAL = "categorical"


class Side(StrEnum):
    """What a feature describes; `cross` depends on the user and the item together."""

    USER = "user"
    ITEM = "item"
    CONTEXT = "context"
    CROSS = "cross"


class Read(StrEnum):
    """How a sequence becomes one vector; `models.reading` has the sources."""

    MEAN = "mean"
    ATTENTION = "attention"
    SELF_ATTENTION = "self_attention"


class LookupFile(Strict):
    """A file beside ``surface.yaml`` as it was when the surface was read; who loads a surface makes it.

    Attributes:
      path: Where it lies.
      digest: The checksum of its bytes, so that a changed file is a changed surface.
      rows: How many lines it has.
      width: Numbers per line, of vectors; 0 for a list of values.
    """

    path: str
    digest: str
    rows: PositiveInt
    width: NonNegativeInt = 0


class Feature(Strict):
    """One input feature of the model, a column of the examples.

    Attributes:
      kind: Numeric features are numbers; categorical ones are looked up and embedded.
      side: What it describes.
      size: Values per example; only numeric features may have more than one.
      default: Value used when an example does not carry the feature.  None makes the
        feature required, unless it has `many` values or belongs to a `sequence`: no values
        are then none.
      embedding: Width of the embedding, of a categorical feature or of one with `buckets`.
      min_count: A categorical value seen less often in training is out of vocabulary.
      top_k: At most so many of the most frequent values are in the vocabulary.
      oov: Rows of the embedding for values that are out of vocabulary, which are told apart by a hash.
      hash: Looks up a hash of the value among so many rows, without a vocabulary; values may collide.
      identity: The values are the rows themselves, from 0 to one less than this.
      vocabulary: File of all values, one a line, relative to the surface folder.
      embedding_of: The categorical feature whose vocabulary and embedding it shares.
      pretrained: File of vectors that the embedding starts from, relative to the surface folder:
        a value, a tab, and `embedding` numbers with spaces between.
      frozen: Whether the `pretrained` embedding stays as it is.
      many: Whether an example has any number of values, none among them; they are embedded and pooled.
      length: The most values of an example that are kept if there are `many`, from the first on.
      pool: How the embeddings of `many` values become one: their `mean`, `sum`, or the sum
        divided by the square root of their number (`sqrtn`).
      weights: Column with the weight of each of `many` values in the pool, a number each.
      sequence: The sequence of `sequences:` that the column is a part of.
      clip: Bounds that a numeric feature's values are brought within before anything else:
        one value of 1e30 makes all others alike.
      several: What stands for an optional column with more than `size` values in an example:
        the `first` ones, or, of a numeric feature of size 1, their `mean`.
      scale: What a numeric feature becomes: its `z_score`; that of its logarithm, sign(x) log(1 + |x|)
        (`log1p`); its rank among the training values, 0 to 1 (`quantile`); its place between the
        least and the greatest of them, 0 to 1 (`min_max`); or nothing else (`none`).
      buckets: Makes a numeric feature categorical: so many buckets of equal numbers of training
        values, or the bounds between them.
      indicator: Whether the model is also told, by 1 or 0, that an example did not carry the feature.
    """

    kind: FeatureKind
    side: Side = Side.CONTEXT
    size: PositiveInt = 1
    default: Scalar | None = None
    embedding: PositiveInt = 8
    min_count: PositiveInt = 1
    top_k: PositiveInt | None = None
    oov: PositiveInt = 1
    hash: PositiveInt | None = None
    identity: PositiveInt | None = None
    vocabulary: str | None = None
    embedding_of: str | None = None
    pretrained: str | None = None
    frozen: bool = False
    many: bool = False
    length: PositiveInt = 32
    pool: Literal["mean", "sum", "sqrtn"] = "mean"
    weights: str | None = None
    sequence: str | None = None
    clip: Clip | None = None
    several: Literal["first", "mean"] = "first"
    scale: Literal["z_score", "log1p", "quantile", "min_max", "none"] = "z_score"
    buckets: Annotated[int, Field(ge=2)] | tuple[float, ...] | None = None
    indicator: bool = False

    @property
    def listed(self) -> bool:
        """Whether an example has any number of values."""
        return self.many or self.sequence is not None

    @property
    def required(self) -> bool:
        """Whether a server must send it."""
        return self.default is None and not self.listed

    @property
    def embedded(self) -> bool:
        """Whether the model reads it through an embedding."""
        return self.kind is FeatureKind.CATEGORICAL or self.buckets is not None

    @property
    def learned(self) -> bool:
        """Whether its vocabulary is made from the training data."""
        elsewhere = (self.hash, self.identity, self.vocabulary, self.embedding_of)
        return self.kind is FeatureKind.CATEGORICAL and all(each is None for each in elsewhere)

    @property
    def rows_are_values(self) -> bool:
        """Whether its embedding is its own and has a row for each known value."""
        return self.learned or self.identity is not None or self.vocabulary is not None

    @model_validator(mode="after")
    def _keys_are_of_its_kind(self) -> Feature:
        foreign = _OF_NUMBERS if self.kind is FeatureKind.CATEGORICAL else _OF_CATEGORIES
        given = sorted(_given(self) & foreign)
        if given:
            other = FeatureKind.NUMERIC if foreign is _OF_NUMBERS else FeatureKind.CATEGORICAL
            raise ValueError(f"`{given[0]}` is for {other} features, found kind: {self.kind}")
        return self

    @model_validator(mode="after")
    def _keys_fit_each_other(self) -> Feature:
        given = _given(self)
        for key, others in _EXCLUDED.items():
            clash = sorted(given & others) if key in given else []
            if clash:
                raise ValueError(f"`{key}` and `{clash[0]}` exclude each other")
        for key, needed in _NEEDS.items():
            if key in given and needed not in given:
                raise ValueError(f"`{key}` is for features with `{needed}:`")
        return self

    @model_validator(mode="after")
    def _size_fits_kind(self) -> Feature:
        if self.kind is FeatureKind.CATEGORICAL and self.size != 1:
            raise ValueError(
                f"a categorical feature has one value per example, found size: {self.size}; with `many: true` it has "
                "any number of them"
            )
        if self.kind is FeatureKind.NUMERIC and isinstance(self.default, str):
            raise ValueError(f"a numeric feature has a number as default, found {self.default!r}")
        for key in ("several", "buckets", "sequence"):
            if self.size != 1 and key in _given(self):
                raise ValueError(f"`{key}` is for numeric features of size 1, found size: {self.size}")
        return self

    @model_validator(mode="after")
    def _bounds_ascend(self) -> Feature:
        if isinstance(self.buckets, tuple) and (not self.buckets or list(self.buckets) != sorted(set(self.buckets))):
            raise ValueError(f"`buckets` takes a number of buckets, or bounds in ascending order, found {self.buckets}")
        return self


_OF_NUMBERS = {"clip", "several", "scale", "buckets", "indicator"}
_LOOKUPS = {"min_count", "top_k", "oov", "hash", "identity", "vocabulary", "embedding_of", "pretrained", "frozen"}
_OF_CATEGORIES = _LOOKUPS | {"many", "pool", "weights"}
_LISTS = {"default", "several", "buckets", "indicator"}
_EXCLUDED = {
    "hash": {"min_count", "top_k", "oov", "identity", "vocabulary", "embedding_of", "pretrained"},
    "identity": {"min_count", "top_k", "vocabulary", "embedding_of"},
    "vocabulary": {"min_count", "top_k", "embedding_of"},
    "embedding_of": {"min_count", "top_k", "oov", "pretrained", "embedding"},
    "many": {"sequence", "default"},
    "sequence": _LISTS | {"many", "pool", "weights", "length"},
    "buckets": {"scale"},
}
_NEEDS = {"frozen": "pretrained", "pool": "many", "weights": "many", "length": "many"}


def _given(feature: Feature) -> set[str]:
    """The keys that say otherwise than the defaults."""
    return set(feature.model_dump(exclude_defaults=True))


class EventSequence(Strict):
    """What a user did lately: columns with one value for each event, in one order.

    Its first categorical column says how many events there are.

    Attributes:
      length: The most events that are read, the newest ones.
      newest: Whether the examples have the newest event `first` or `last`.
      read: How events become one vector: their `mean`; by `attention`, weighed by what each has
        to do with the candidate; or by `self_attention`, a block in which events look at each
        other, and then their mean.
      candidate: The features that `attention` compares events with; by default those whose
        embeddings the sequence's columns share.
      positions: Whether an event's place is embedded too and added to it; with `self_attention`
        it always is.
    """

    length: PositiveInt = 50
    newest: Literal["first", "last"] = "first"
    read: Read = Read.MEAN
    candidate: tuple[str, ...] = ()
    positions: bool = False

    @property
    def placed(self) -> bool:
        """Whether places are embedded."""
        return self.positions or self.read is Read.SELF_ATTENTION


class FeatureCross(Strict):
    """The combination of some features' values as one more categorical feature, hashed.

    Attributes:
      of: Categorical features with one value each, two or more.
      hash: Rows of the embedding; combinations may collide.
      embedding: Width of the embedding.
    """

    of: Annotated[tuple[str, ...], Field(min_length=2)]
    hash: PositiveInt
    embedding: PositiveInt = 8
