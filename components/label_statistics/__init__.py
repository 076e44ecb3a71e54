"""LabelStatistics: TFX's StatisticsGen over what labelling added, and not once more over raw columns."""
