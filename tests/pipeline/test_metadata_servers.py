"""Metadata on the database servers that Debian has, through TFX's own runner."""

import pytest
from tfx import v1 as tfx

from crosskd.runs import METADATA_URL_FILE, newest_run, remember_server
from pipeline.pipeline import assemble
from pipeline.runners import Runner, beam_args, run
from pipeline.settings import Settings
from schema.errors import InputError
from schema.loader import load_surface
from tests import databases
from tests.e2e import library

URL = "mysql://crosskd@db.example/metadata"


@pytest.fixture(params=[databases.mariadb, databases.postgresql], ids=lambda server: server.__name__)
def url(request, monkeypatch):
    monkeypatch.setenv("CROSSKD_METADATA_PASSWORD", databases.PASSWORD)
    with request.param() as found:
        yield found


def run_in(root, surface, url):
    """A run of one node by a member of the team, in a root of their own."""
    remember_server(root, url)
    settings = Settings(
        surface=surface.surface,
        schema_path=str(surface.schema_path),
        examples="examples",
        teacher="teacher",
        teacher_fingerprint="f",
        root=str(root / "artifacts"),
        serving=str(root / "serving"),
        metadata=url,
        beam_args=beam_args([]),
    )
    node = tfx.components.ImportSchemaGen(schema_file=settings.schema_path)
    run(assemble(settings, [node]), Runner.LOCAL)
    return newest_run(root).nodes["ImportSchemaGen"]


@pytest.mark.databases
def test_a_team_shares_what_was_computed(url, tmp_path):
    surface = load_surface(library.write_surface(tmp_path / "surface"))
    first = run_in(tmp_path / "mine", surface, url)
    assert first.state == "COMPLETE"
    assert first.outputs["schema"][0][0].startswith(str(tmp_path / "mine"))
    second = run_in(tmp_path / "yours", surface, url)
    assert second.state == "CACHED"
    assert second.outputs["schema"][0][0] == first.outputs["schema"][0][0]


def test_a_root_remembers_its_server(tmp_path):
    remember_server(tmp_path / "root", URL)
    assert (tmp_path / "root" / METADATA_URL_FILE).read_text() == f"{URL}\n"


def test_a_root_with_metadata_of_its_own_stays_as_it_is(tmp_path):
    (tmp_path / "metadata.sqlite").touch()
    with pytest.raises(InputError, match=r"keeps its metadata in metadata.sqlite already; choose another --root"):
        remember_server(tmp_path, URL)
