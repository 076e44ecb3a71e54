"""RawStatistics: TFX's StatisticsGen, which reads examples in batches."""
