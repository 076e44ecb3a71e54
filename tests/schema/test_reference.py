from pathlib import Path

import jsonschema
import pytest
import yaml
from pydantic import BaseModel

import schema
from schema import reference
from schema.gates import Gate
from schema.surface import Distillation, NonServingHead, Surface

SHIPPED = sorted(Path(schema.__path__[0]).glob("*/surface.yaml"))


def test_every_key_of_every_part_is_explained():
    for model in reference.models().values():
        assert set(reference.descriptions(model)) == set(model.model_fields)


def test_descriptions_are_those_of_the_docstring_on_one_line():
    said = reference.descriptions(Gate)
    assert said["at_least"] == "Absolute bound."
    assert said["judged_on"] == (
        "What the bounds apply to: the `point` estimate, the `lower_limit` or the `upper_limit` of its 95% confidence "
        "interval, or `both_limits` (for a change, of the paired change, with better as positive)."
    )
    assert reference.descriptions(NonServingHead)["weight"] == reference.descriptions(Distillation)["weight"]


def test_a_field_that_the_docstring_does_not_explain_is_an_error():
    class Part(BaseModel):
        """A part.

        Attributes:
          told: Yes.
        """

        told: int
        forgotten: int

    with pytest.raises(ValueError, match="docstring does not explain forgotten"):
        reference.descriptions(Part)


def test_the_whole_comes_first():
    assert next(iter(reference.models().values())) is Surface


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: file.parent.name)
def test_the_json_schema_takes_the_shipped_surfaces(file):
    jsonschema.validate(yaml.safe_load(file.read_text()), reference.json_schema())


def test_the_json_schema_refuses_an_unknown_key_and_describes_the_known_ones():
    made = reference.json_schema()
    content = yaml.safe_load(SHIPPED[0].read_text())
    with pytest.raises(jsonschema.ValidationError, match="'gate' was unexpected"):
        jsonschema.validate({**content, "gate": 1}, made)
    assert made["$defs"]["Distillation"]["properties"]["from"]["description"].startswith("The task of the teacher")
