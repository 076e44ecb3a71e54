"""How heads are named: their layers in the exported graph, and their losses in a history."""

SERVING_PREFIX = "serving_"
DISTILLATION_PREFIX = "distillation_"
STACKED_PREFIX = "stacked_"
REPRESENTATION_PREFIX = DISTILLATION_PREFIX + "representation_"
