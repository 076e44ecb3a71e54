"""People of someone else's simulator, who know nothing of the embedded world: by hand, one after the other."""

from __future__ import annotations

import numpy as np

from worlds.visitors import Opening, Page, Reaction, Setting

MINUTES = 5.0


class Punctual:
    """They come every other day, listen to what stands first for five minutes, and see two pages."""

    def __init__(self, setting: Setting) -> None:
        self.people = len(setting.users)
        self.opened: list[Opening] = []
        self.pages: list[Page] = []

    def returns(self, day: int) -> np.ndarray:
        return np.array([day % 2 == 0 for _ in range(self.people)])

    def open(self, sessions: Opening) -> None:
        self.opened.append(sessions)

    def view(self, page: Page) -> Reaction:
        self.pages.append(page)
        clicked = np.array([[place == 0 for place, _ in enumerate(row)] for row in page.items])
        return Reaction(
            clicked=clicked,
            minutes=np.where(clicked, MINUTES, 0.0),
            discovered=clicked & ~page.familiar,
            goes_on=np.array([page.number < 1 for _ in page.people]),
        )


class Forgetful(Punctual):
    """They raise an error on the second day."""

    def returns(self, day: int) -> np.ndarray:
        if day == 0:
            return super().returns(day)
        raise KeyError("yesterday")


def nobody(setting: Setting) -> object:
    return object()
