"""Metrics: how they are computed, what TFX's Evaluator runs (TFMA imports it by module path), and its results."""
