"""Metrics and extractors that TFX's Evaluator runs; TFMA imports them by module path."""
