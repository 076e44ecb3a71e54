"""How heads are named: their outputs and losses, and their layers in the exported graph."""

SERVING_PREFIX = "serving_"
DISTILLATION_PREFIX = "distillation_"
STACKED_PREFIX = "stacked_"
# With a dot, which no task's name has: a task may be called `representation_trunk`.
REPRESENTATION_PREFIX = DISTILLATION_PREFIX + "representation."
ADAPTED_PREFIX = DISTILLATION_PREFIX + "adapted."

# What the names of heads' layers begin with, and no other name in a graph: a column or a task
# may be called `distillation_click`.
LAYER_PREFIX = "head."
