"""One script a claim; each measures ratios in one run and writes one JSON."""
