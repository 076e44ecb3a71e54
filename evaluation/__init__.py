"""Metrics: how they are computed, what TFMA is configured with, how rows are scored for it, and its results."""
