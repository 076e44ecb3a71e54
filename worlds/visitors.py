"""People who open a page, look at it page by page, and leave: the interface of whoever plays them.

The embedded world's people (`worlds.browsing`) are one implementation.  Any other simulator fits if it
has the three methods of `Visitors`.  They speak of many people at a time, so that a simulator may work
on arrays; one that knows single persons goes through them in a loop.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from worlds.population import Bools, Floats, Ints
from worlds.simulated import World


@dataclass(frozen=True)
class Setting:
    """What a simulator is told before the first day.

    Attributes:
      world: Whose items are shown; its people hold the latents of those who are followed.
      surface: The page, `homepage` say.
      users: [people], user ids of those who are followed.  Everywhere else a person is a place in
        this array, from 0.
      seed: Of chance.  Both arms of a comparison get the same one: a simulator that lets it decide by
        what happens, and not by the order of calls, gives the arms common random numbers.
    """

    world: World
    surface: str
    users: Ints
    seed: int


@dataclass(frozen=True)
class Opening:
    """Sessions that begin, one element a session.

    Attributes:
      day: Counted from 0.
      people: [n], who opens; nobody twice.
      times: [n], when, in years.
      device: [n], 0 a phone, 1 a large screen.
    """

    day: int
    people: Ints
    times: Floats
    device: Ints


@dataclass(frozen=True)
class Page:
    """What people see next in their sessions, one row a person.

    Attributes:
      number: Pages that these people saw in this session before.
      people: [n], some of those who opened.
      items: [n, 8], item ids, none twice in a session; the first stands at position 0.
      familiar: [n, 8], whether the product believes that the person knows the item.
    """

    number: int
    people: Ints
    items: Ints
    familiar: Bools


@dataclass(frozen=True)
class Reaction:
    """What people did with a page.

    Attributes:
      clicked: Bool [n, 8].
      minutes: Float [n, 8], of listening; 0 where there was no click.
      discovered: Bool [n, 8], clicks on what was not known before and was liked.
      goes_on: Bool [n], whether the person asks for the next page.
    """

    clicked: Bools
    minutes: Floats
    discovered: Bools
    goes_on: Bools


class Visitors(Protocol):
    """The people of one arm, with what they remember; each day they return or do not, open, and view."""

    def returns(self, day: int) -> Bools:
        """Who opens the page on this day, bool [people]; called once a day, in order."""
        ...

    def open(self, sessions: Opening) -> None:
        """Their sessions begin; called after `returns` with those who do, if there are any."""
        ...

    def view(self, page: Page) -> Reaction:
        """They look at one page; whoever goes on is shown the next one, until there is none."""
        ...


# Makes the people of one arm; called anew for each arm and each A/A run.
MakeVisitors = Callable[[Setting], Visitors]
