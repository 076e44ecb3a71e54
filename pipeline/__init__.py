"""The pipeline: its graph, the evaluation derived from a surface, and runners."""
