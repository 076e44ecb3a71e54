"""Ids of the pipeline's nodes, by which runs are read and policies are given.

A custom component that stands once in the pipeline bears its class's name, as in TFX.
"""

from contracts.roles import ModelRole

IMPORT_SCHEMA_GEN = "ImportSchemaGen"  # as TFX calls its kind
EXAMPLE_GEN = "ImportExampleGen"  # likewise
RAW_STATISTICS = "RawStatistics"
RAW_GUARD = "RawExampleGuard"
CANDIDATE_SAMPLER = "CandidateSampler"
TEACHER = "Teacher"
TEACHER_LABELER = "TeacherLabeler"
LABELLED_STATISTICS = "LabelledStatistics"
LABELLED_GUARD = "LabelledExampleGuard"
PREVIOUS_SPAN = "PreviousSpan"
WINDOW = "Window"
TRANSFORM = "Transform"
CONTINUATION = "Continuation"
LAST_BLESSED = "LastBlessed"
EVALUATOR = "Evaluator"  # as TFX calls its kind
SERVING_VALIDATOR = "ServingValidator"
BLESSING_GATE = "BlessingGate"
PUSHER = "Pusher"
EARLIER_RUNS = "EarlierRuns"
EVALUATION_REPORT = "EvaluationReport"
OUTCOME = "Outcome"

# Between a node's id and how many spans before the run's own one it works on.
_BEFORE = ".before-"


def trainer(role: ModelRole) -> str:
    """The id of the Trainer of the student, or of the control."""
    return f"Trainer.{role.value}"


def of_span(node: str, before: int) -> str:
    """The id of a node for the span that is `before` spans older than the run's own, which is 0."""
    return f"{node}{_BEFORE}{before}" if before else node


def of_any_span(node: str) -> str:
    """The id that a node has for the run's own span."""
    return node.partition(_BEFORE)[0]
