"""Keys of inputs, outputs and settings that more than one room reads; a component's others are in its spec."""

# Setting: which code made an output; see `records.code`.
CODE = "code"
# Setting: the surface, as JSON.
SURFACE = "surface"
# Setting of a Trainer: how many processes of its machine train together.
TRAINER_WORKERS = "trainer_workers"

# Outputs of the pipeline's nodes.
EXTENDED_EXAMPLES = "extended_examples"
CANDIDATE_REPORT = "candidate_report"
LABELLED_EXAMPLES = "labelled_examples"
LABEL_REPORT = "label_report"
DEAD_LETTERS = "dead_letters"
DECISION = "decision"
# The student beside the last blessed model, and beside the control, as TFMA writes it.
EVALUATION = "evaluation"
CONTROL_EVALUATION = "control_evaluation"
SERVING_REPORT = "report"
PAGE = "page"
# The one file of the page.
PAGE_FILE = "index.html"

# What servers warm up with, in a blessing of ours, and in `assets.extra` of what is pushed.
WARM_UP_FILE = "tf_serving_warmup_requests"

# Outputs of TFX's own nodes, whose module of constants takes seconds to import.
IMPORTED = "result"
TRANSFORMED_EXAMPLES = "transformed_examples"
TRANSFORM_GRAPH = "transform_graph"
MODEL = "model"
MODEL_RUN = "model_run"
PUSHED_MODEL = "pushed_model"
