"""Keeps the password of the metadata server out of logs and messages.

TFX's runners log the connection they were given, password and all, into files that everybody on
the machine may read.  What a process logs passes one factory of records, so that is where
the password is taken out, whoever logs it, and however it is spelled there.
"""

from __future__ import annotations

import json
import logging
import os
from typing import Any
from urllib.parse import quote

PASSWORD_VARIABLE = "CROSSKD_METADATA_PASSWORD"
_SHOWN = "***"
_FORMATTER = logging.Formatter()


def redact(text: str) -> str:
    """A text without the password, as it is and as protocol buffers, Python, JSON and URLs spell it."""
    for spelling in _spellings(os.environ.get(PASSWORD_VARIABLE, "")):
        text = text.replace(spelling, _SHOWN)
    return text


def keep_out_of_logs() -> None:
    """Has every record that this process logs from now on go through `redact`."""
    factory = logging.getLogRecordFactory()
    if not isinstance(factory, _Redacting):
        logging.setLogRecordFactory(_Redacting(factory))


class _Redacting:
    """A factory of log records that takes the password out of messages and tracebacks."""

    def __init__(self, factory: Any) -> None:
        self._factory = factory

    def __call__(self, *arguments: Any, **named: Any) -> logging.LogRecord:
        record: logging.LogRecord = self._factory(*arguments, **named)
        message = record.getMessage()
        redacted = redact(message)
        if redacted != message:
            record.msg, record.args = redacted, None
        if record.exc_info:
            # Formatters take the text that is there.
            record.exc_text = redact(_FORMATTER.formatException(record.exc_info))
        return record


def _spellings(password: str) -> list[str]:
    """All ways in which it may be written, the longest first, so that none is left in part."""
    if not password:
        return []
    from google.protobuf import text_encoding

    content = password.encode("utf-8", "surrogateescape")
    found = {
        password,
        text_encoding.CEscape(content, as_utf8=True),
        text_encoding.CEscape(content, as_utf8=False),
        repr(password)[1:-1],
        repr(content)[2:-1],
        json.dumps(password)[1:-1],
        json.dumps(password, ensure_ascii=False)[1:-1],
        quote(password, safe=""),
    }
    return sorted(found, key=len, reverse=True)
