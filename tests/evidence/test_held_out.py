"""How new people are to the rows that choose, of runs that are drawn."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from evidence.data import RunData
from evidence.held_out import held_out_rows
from models.without_row import title
from schema.surface import Side
from tests.evidence.conftest import SURFACE


def test_an_experiment_says_how_new_people_are_to_what_it_chooses_by(knowing: RunData):
    users = knowing.training["user"].reshape(-1)
    of_evaluation = {title(Side.USER): np.arange(100) < 66}
    ordered = replace(
        knowing, fitted=np.flatnonzero(users < 40), held_out=np.flatnonzero(users >= 40), slices=of_evaluation
    )
    (apart,) = held_out_rows(SURFACE, [ordered])
    assert (apart.held_out, apart.evaluation, apart.last, apart.unlike) == (1.0, 0.66, False, False)
    mixed = replace(ordered, held_out=ordered.fitted)
    (apart,) = held_out_rows(SURFACE, [mixed])
    assert (apart.held_out, apart.unlike) == (0.0, True)
    assert held_out_rows(SURFACE, [replace(knowing, slices={})]) == []


def test_of_several_runs_it_is_the_mean_of_what_is_known_of_all(knowing: RunData):
    of_users, of_items = ({title(side): np.arange(100) < 50} for side in (Side.USER, Side.ITEM))
    one, other = (
        replace(knowing, slices=of_users | of_items),
        replace(knowing, slices={title(Side.USER): np.ones(4, bool)}),
    )
    (found,) = held_out_rows(SURFACE, [one, other])
    assert (found.slice, found.evaluation) == ("user without a training row", 0.75)
