"""EvaluationReport: one HTML page about a run, for people."""
