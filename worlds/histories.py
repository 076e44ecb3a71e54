"""What people did before a moment, as lists: the newest events first, none of the same moment or later."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray


@dataclass(frozen=True)
class History:
    """For each row, places in a log.

    Attributes:
      places: Int [rows, most]; row numbers of the log, the newest event first.  What lies behind
        a row's count means nothing.
      counts: Int [rows]; how many of them there are.
    """

    places: NDArray[np.int64]
    counts: NDArray[np.int64]


def before(log: pd.DataFrame, rows: pd.DataFrame, most: int) -> History:
    """The last events of each row's person that are strictly older than the row.

    An event of the same second is none of them: nobody knows which came first.

    Args:
      log: What happened, with the columns `user` and `timestamp`, in time order.
      rows: The moments to look back from, with the same two columns.
      most: The most events a row gets.
    """
    people = pd.Index(pd.concat([log["user"], rows["user"]]).unique())
    of_log = people.get_indexer(log["user"])
    order = np.argsort(of_log, kind="stable")
    # One sorted number for a person and a moment; moments are counted from the first one of all.
    first = min(log["timestamp"].min(), rows["timestamp"].min())
    span = int(max(log["timestamp"].max(), rows["timestamp"].max()) - first) + 1
    keys = of_log[order] * span + (log["timestamp"].to_numpy()[order] - first)
    people_begin = people.get_indexer(rows["user"]) * span
    begin = np.searchsorted(keys, people_begin)
    end = np.searchsorted(keys, people_begin + (rows["timestamp"].to_numpy() - first))
    places = end[:, None] - 1 - np.arange(most)
    return History(order[np.maximum(places, 0)], np.minimum(end - begin, most))
