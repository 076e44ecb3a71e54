"""The models that a run compares: one word for each, in documents, metrics, sentences and pages."""

from __future__ import annotations

from enum import StrEnum


class ModelRole(StrEnum):
    """What a model is in a run."""

    STUDENT = "student"
    CONTROL = "control"
    LAST_BLESSED = "last_blessed"
    TEACHER = "teacher"


# The role as the heading of a column, and inside a sentence.
HEADINGS = {role: role.replace("_", " ") for role in ModelRole}
PHRASES = {
    ModelRole.STUDENT: "the student",
    ModelRole.CONTROL: "the control",
    ModelRole.LAST_BLESSED: "the last blessed model",
    ModelRole.TEACHER: "the teacher",
}
