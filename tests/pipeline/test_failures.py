from pipeline.failures import input_error, last_line
from schema.errors import InputError

# What Beam raises in place of an error in a worker: its traceback, as text.
BEAM = """Traceback (most recent call last):
  File "apache_beam/runners/common.py", line 1495, in process
  File "components/teacher_labeler/shard.py", line 40, in label
schema.errors.InputError: part-3.gz: truncated
write the file again [while running 'Label']

During handling of the above exception, another exception occurred:
RuntimeError: worker failed"""


def test_an_input_error_is_found_at_the_root_of_a_chain():
    try:
        try:
            raise InputError("no label 'click'")
        except InputError as cause:
            raise RuntimeError("node failed") from cause
    except RuntimeError as error:
        assert str(input_error(error)) == "no label 'click'"


def test_an_input_error_is_found_in_what_beam_made_of_it():
    assert str(input_error(RuntimeError(BEAM))) == "part-3.gz: truncated\nwrite the file again"


def test_beams_own_words_are_dropped():
    error = InputError("12 of 20 logits are NaN [while running 'ParDo(Label)']")
    assert str(input_error(error)) == "12 of 20 logits are NaN"


def test_anything_else_is_no_input_error():
    assert input_error(RuntimeError("out of memory")) is None


def test_the_last_line_says_what_went_wrong():
    assert last_line(RuntimeError("Traceback\n  File\nValueError: no space [while running 'Write']")) == (
        "RuntimeError: ValueError: no space"
    )
