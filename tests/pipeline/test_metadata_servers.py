"""Metadata on the database servers that Debian has, through TFX's own runner."""

import pytest
from ml_metadata.errors import InternalError
from ml_metadata.metadata_store import MetadataStore
from ml_metadata.proto import metadata_store_pb2 as mlmd
from tfx.components.schema_gen.import_schema_gen.component import ImportSchemaGen

from crosskd.runs import METADATA_URL_FILE, newest_run, remember_server
from pipeline.beam_options import beam_args
from pipeline.metadata import connection
from pipeline.pipeline import assemble
from pipeline.runners import Runner, run
from pipeline.settings import Settings
from schema.errors import InputError
from schema.loader import load_surface
from tests import databases
from tests.e2e import library

TEXT = r'{"surface": "{\"name\": 1}"}'
URL = "mysql://crosskd@db.example/metadata"


@pytest.fixture
def url(monkeypatch):
    monkeypatch.setenv("CROSSKD_METADATA_PASSWORD", databases.PASSWORD)
    with databases.mariadb() as found:
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
    node = ImportSchemaGen(schema_file=settings.schema_path)
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


def keep(store: MetadataStore, text: str) -> str:
    """A text's way into metadata and back."""
    kind = store.put_context_type(mlmd.ContextType(name="probe"))
    context = mlmd.Context(type_id=kind, name="probe")
    context.custom_properties["text"].string_value = text
    (identity,) = store.put_contexts([context])
    (kept,) = store.get_contexts_by_id([identity])
    return str(kept.custom_properties["text"].string_value)


@pytest.mark.databases
def test_texts_of_the_pipeline_come_back_from_mysql(url):
    assert keep(MetadataStore(connection(url)), TEXT) == TEXT


@pytest.mark.databases
def test_postgresql_is_refused_because_ml_metadata_fails_there():
    """When this fails, ML Metadata has been mended, and PostgreSQL may be let in."""
    with databases.postgresql() as config, pytest.raises(InternalError, match="syntax error"):
        keep(MetadataStore(config), TEXT)


def test_a_root_remembers_its_server(tmp_path):
    remember_server(tmp_path / "root", URL)
    assert (tmp_path / "root" / METADATA_URL_FILE).read_text() == f"{URL}\n"


def test_a_root_with_metadata_of_its_own_stays_as_it_is(tmp_path):
    (tmp_path / "metadata.sqlite").touch()
    with pytest.raises(InputError, match=r"keeps its metadata in metadata.sqlite already; choose another --root"):
        remember_server(tmp_path, URL)
