"""What a trained arm leaves beside its model: the file and the names of its losses per epoch."""

HISTORY_FILE = "history.json"
HARD_LOSS = "hard_loss"
SOFT_LOSS = "soft_loss"
VALIDATION_PREFIX = "val_"
# What decides which epoch's weights are kept.
SELECTION_LOSS = "val_selection_loss"
