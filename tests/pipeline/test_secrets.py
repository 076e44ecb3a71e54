"""The password of the metadata server, in whatever is written."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from urllib.parse import quote

import pytest
from absl import logging as absl_logging
from google.protobuf import any_pb2

from pipeline.metadata import checked_url, connection
from pipeline.secrets import redact
from schema.errors import InputError

URL = "mysql://crosskd@db.example/metadata"
PASSWORDS = ["marked-0f3a", 'quo"ted', "back\\slash", "ümlaut", "tab\t", "per%cent", "it's", "both'\"", "a b"]


@pytest.fixture(params=PASSWORDS)
def password(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("CROSSKD_METADATA_PASSWORD", request.param)
    return str(request.param)


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """What the root logger writes."""
    before = logging.getLogRecordFactory()
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    logging.getLogger().addHandler(handler)
    yield stream
    logging.getLogger().removeHandler(handler)
    logging.setLogRecordFactory(before)


def spellings(password: str) -> list[str]:
    config = connection(URL)
    packed = any_pb2.Any()
    packed.Pack(config)
    return [str(config), str(packed), repr(config), repr(password), json.dumps(password), quote(password)]


def test_no_log_holds_it_whoever_writes(password: str, log: io.StringIO) -> None:
    for text in spellings(password):
        logging.getLogger("tfx.orchestration").warning("Using connection config:\n %s", text)
        absl_logging.error("Using connection config:\n %s", text)
        logging.getLogger("beam").error(text)
    written = log.getvalue()
    assert written.count("***") >= 3 * 6
    for each in (password, json.dumps(password)[1:-1], repr(password)[1:-1]):
        assert each not in written


def test_no_traceback_holds_it(password: str, log: io.StringIO) -> None:
    connection(URL)
    try:
        raise ValueError(f"cannot connect with {password}")
    except ValueError:
        logging.getLogger("tfx").exception("it failed")
    assert "ValueError: cannot connect with ***" in log.getvalue()
    assert password not in log.getvalue()


def test_what_is_no_secret_stays(password: str, log: io.StringIO) -> None:
    connection(URL)
    logging.getLogger("tfx").error("%s of %d", "one", 2)
    assert log.getvalue() == "one of 2\n"
    assert redact("one of 2") == "one of 2"


def test_without_a_password_nothing_is_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CROSSKD_METADATA_PASSWORD", raising=False)
    assert redact("anything") == "anything"


@pytest.mark.parametrize(
    "url",
    [
        "mysql://crosskd:marked@db/metadata",
        "mysql:/crosskd:marked@db/metadata",
        "mysql//crosskd:marked@db/metadata",
        "crosskd:marked@db/metadata",
        "mysql://crosskd%3Amarked@db/metadata",
        "mysql://crosskd@db/metadata?password=marked",
        "mysql://crosskd@db/metadata#marked",
        "mysql://crosskd:marked@db:port/metadata",
        "mysql://:marked@db/metadata",
        "postgresql://crosskd:marked@db/metadata",
    ],
)
def test_a_url_with_a_password_is_refused_without_saying_it(url: str) -> None:
    with pytest.raises(InputError) as raised:
        checked_url(url)
    assert "marked" not in str(raised.value)
