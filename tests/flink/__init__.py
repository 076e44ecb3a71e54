"""The pipeline on a real Flink cluster; `make test-flink` runs it."""
