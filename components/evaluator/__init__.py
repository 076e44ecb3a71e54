"""Evaluator: TFX's, which reads examples in batches."""
