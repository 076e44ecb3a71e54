"""How far the teacher can be trusted, example by example: estimated before training, from training rows alone.

`columns` makes the columns that training reads: for each task with an `adapter` what that says, and for each with
`reliability` by how much its distillation loss is multiplied.  Everything is fitted out of fold: what is said of a
labelled row comes from networks that saw neither it nor anything of its fold.  A network that had seen the row would
hand its hard label on, and a student would seem to learn from a teacher that knows nothing.
"""

from models.trust.columns import columns, read_columns
from models.trust.known import known_rows

__all__ = ["columns", "known_rows", "read_columns"]
