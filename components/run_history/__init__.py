"""RunHistory: what earlier runs came to, read from beside the push destination's versions."""
