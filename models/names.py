"""Names of what is made for a column: layers, files.  Columns may be called anything."""

from __future__ import annotations

import re
import zlib

_OTHER = re.compile(r"[^A-Za-z0-9_]")


def identifier(column: str) -> str:
    """A column's name in letters, digits and `_` of ASCII; different for different columns.

    Names of layers may hold no slash, those of TensorFlow's scopes and of files hardly
    anything else.  Where a character must give way, a checksum after a dot, which no plain
    name has, tells `user/age` from `user_age`.
    """
    if not _OTHER.search(column):
        return column
    return f"{_OTHER.sub('_', column)}.{zlib.crc32(column.encode()):08x}"
