"""What a check of a run's inputs found; the shape of `crosskd check --json`."""

from __future__ import annotations

import math
from enum import StrEnum

from pydantic import BaseModel, Field


class Severity(StrEnum):
    """A problem ends a run, or makes it worthless; a warning is for somebody to look at."""

    PROBLEM = "problem"
    WARNING = "warning"


class CheckFinding(BaseModel):
    """One thing that is wrong, or looks so."""

    severity: Severity
    sentence: str


class InputRates(BaseModel):
    """One input of the teacher, in the sample of one split; rates are parts of the examples that can be adapted.

    Attributes:
      split: The split.
      name: The teacher's name of it.
      fill_rate: Part in which a default, padding or constant stands for a value.
      unmapped_rate: Part with a value that is not in its vocabulary.
      known_rate: Of the examples with a value, the part whose id the teacher knows; None where it offers no ids.
    """

    split: str
    name: str
    fill_rate: float
    unmapped_rate: float
    known_rate: float | None


class LabelRates(BaseModel):
    """The label of one task in the sample of one split.

    Attributes:
      split: The split.
      task: The task.
      labelled: Examples with a label.
      label_rate: The part of all examples that these are.
      mean_label: Their mean: the positive rate of a binary task; None without a label.
    """

    split: str
    task: str
    labelled: int
    label_rate: float
    mean_label: float | None


class SliceRows(BaseModel):
    """One slice in the sample of the evaluation split; `values` is how many slices a slice of each value makes."""

    name: str
    rows: int
    values: int


class SampledSplit(BaseModel):
    """How much of a split was looked at; `whole` if that is all of it."""

    split: str
    files: int
    rows: int
    whole: bool


class CheckReport(BaseModel):
    """Everything that was found; without a problem, a run may begin.

    Attributes:
      surface: The surface, as it was given.
      findings: What is wrong, or looks so.
      splits: How much was looked at; likewise inputs, labels and slices with their rates.
      starts: What student and control would start from; None for a surface that does not continue.
      serves: The version that serves, and whose clients were thought of; None without one, or without a root.
    """

    surface: str
    findings: list[CheckFinding] = Field(default_factory=list)
    splits: list[SampledSplit] = Field(default_factory=list)
    inputs: list[InputRates] = Field(default_factory=list)
    labels: list[LabelRates] = Field(default_factory=list)
    slices: list[SliceRows] = Field(default_factory=list)
    serves: int | None = None
    starts: str | None = None

    def problem(self, *sentences: str) -> None:
        """Adds problems."""
        self._add(Severity.PROBLEM, sentences)

    def warning(self, *sentences: str) -> None:
        """Adds warnings."""
        self._add(Severity.WARNING, sentences)

    def add(self, sentence: str, *, certain: bool) -> None:
        """Adds a problem, or a warning where a sample cannot tell."""
        self._add(Severity.PROBLEM if certain else Severity.WARNING, (sentence,))

    def of(self, severity: Severity) -> list[str]:
        """The sentences of that severity."""
        return [each.sentence for each in self.findings if each.severity is severity]

    def _add(self, severity: Severity, sentences: tuple[str, ...]) -> None:
        known = {each.sentence for each in self.findings}
        new = (each for each in dict.fromkeys(sentences) if each not in known)
        self.findings.extend(CheckFinding(severity=severity, sentence=each) for each in new)


# Of a sample that lies within the bound, one in thirty thousand is so far out.
_DEVIATIONS = 4.0


def surely_above(count: int, rows: int, bound: float, *, whole: bool) -> bool:
    """Whether more than the part `bound` of a split has something, if `count` of `rows` sampled examples have."""
    spread = 0.0 if whole else math.sqrt(bound * (1 - bound) / max(rows, 1))
    return count > (bound + _DEVIATIONS * spread) * rows
