"""Custom properties that artifacts and runs carry in ML Metadata.

Those of blessings and pushed models are TFX's own (`tfx.components.evaluator.constants`,
`tfx.components.pusher.executor`): what of TFX reads those artifacts looks for them.
"""

BLESSED = "blessed"
BLESSED_MODEL = "current_model"
BLESSED_MODEL_ID = "current_model_id"
# What `records.content.content_fingerprint` said of the model that was validated.
MODEL_FINGERPRINT = "model_fingerprint"
# What a blessing or a push came to, for people.
SENTENCE = "sentence"

# A pushed model: TFX's own marks, and whether it was copied.
PUSHED = "pushed"
PUSHED_DESTINATION = "pushed_destination"
COPIED = "copied"
# The served version that LastServed copied.
SERVED_VERSION = "served_version"
# An artifact that stands for none: a backend whose every output is one artifact has no other
# way to say so.  `pipeline.kfp` leaves such inputs out.
ABSENT = "absent"
# A model that was pushed and rolled back: later students are not compared with it.
ROLLED_BACK = "rolled_back"
# When a document was recorded, in milliseconds since 1970: one that another run left, whose artifact is new.
RECORDED_AT = "recorded_at"
# Several artifacts that lie in folders of one, for a backend whose every output is one artifact.
PARTS = "parts"
# A run that was to label, and to train nothing.
LABELLING_ALONE = "labelling_alone"
# How much memory a run's nodes held: JSON of bytes by node.
PEAK_MEMORY = "peak_memory"

# Examples: TFX's names of their span, and what their soft labels come from.
SPAN = "span"
VERSION = "version"
TEACHER_FINGERPRINT = "teacher_fingerprint"
KEY_COLUMN = "key_column"
