import pytest

from pipeline.kfp.parameters import Defaults, checked, placeholder, placeholders_in, resolve
from schema.errors import InputError


def test_a_placeholder_is_kubeflows_own_form():
    assert placeholder("span") == "{{$.inputs.parameters['pipelinechannel--span']}}"


def test_values_take_the_place_of_placeholders_inside_of_a_text():
    text = f'{{"examples": "/data/{placeholder("span")}/x", "seed": {placeholder("seed")}}}'
    assert placeholders_in(text) == {"span", "seed"}
    assert resolve(text, {"span": "20261125", "seed": 7.0}) == '{"examples": "/data/20261125/x", "seed": 7}'


def test_a_text_that_the_backend_has_resolved_stays_as_it_is():
    assert resolve("/data/20261125", {}) == "/data/20261125"


def test_a_placeholder_without_a_value_is_an_error():
    with pytest.raises(InputError, match="expected a value of run parameter 'span', found seed"):
        resolve(placeholder("span"), {"seed": 1})


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("sapn", "1", "no such parameter; those are examples, span"),
        ("seed", "many", "expected a whole number, found 'many'"),
        ("span", 'a"b', "without quotes"),
        ("examples", "/data\n", "without quotes"),
        ("serving", "{{workflow.name}}", "without quotes"),
        ("teacher", "oci://registry/teacher", "'teacher': expected an absolute path on a volume, or a bucket"),
        ("examples", "logs/{SPAN}", "'examples': expected an absolute path on a volume, or a bucket"),
        ("gates", "[1]", "expected an object of tasks"),
        ("gates", "{", "expected JSON"),
    ],
)
def test_values_that_cannot_be_right(name, value, message):
    with pytest.raises(InputError, match=message):
        checked(name, value)


def test_a_number_from_a_command_line_gets_its_type():
    assert checked("seed", "7") == 7


def test_what_has_no_default_is_not_given():
    defaults = Defaults(None, None, "/teacher", None, None, 3, "", "--runner=FnApiRunner")
    assert defaults.given() == {"teacher": "/teacher", "seed": 3, "gates": "", "beam_args": "--runner=FnApiRunner"}
