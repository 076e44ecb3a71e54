import importlib
import inspect
import json
from dataclasses import replace

import pytest
from tfx.dsl.compiler.compiler import Compiler
from tfx.dsl.input_resolution.ops import ops, siblings_op
from tfx.orchestration.pipeline import Pipeline

from contracts import keys
from contracts.outcome import Outcome
from pipeline.earlier_runs import from_records
from pipeline.pipeline import create_labelling, create_pipeline
from pipeline.settings import Folder, Settings
from records.spans import SpanFolders, Window
from schema.loader import load_surface
from tests.e2e import library


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pipeline")
    surface = load_surface(library.write_surface(folder / "surface"))
    return Settings(
        surface=surface.surface,
        schema_path=str(surface.schema_path),
        examples="examples",
        teacher="teacher",
        teacher_fingerprint="abc",
        root=str(folder / "root"),
        serving=str(folder / "serving"),
        metadata=str(folder / "metadata.sqlite"),
        beam_args=["--runner=FnApiRunner"],
    )


@pytest.fixture(scope="module")
def nodes(settings):
    return {node.id: node for node in create_pipeline(settings).components}


def upstream(nodes, name):
    return {node.id for node in nodes[name].upstream_nodes}


def test_transform_makes_nothing_that_nobody_reads(nodes):
    """A cache of analyzers, which no run read, took a fifth of its time."""
    assert set(nodes["Transform"].outputs) == {"transform_graph", "transformed_examples"}


def test_the_flow_is_that_of_the_design(nodes):
    assert upstream(nodes, "TeacherLabeler") == {"ImportExampleGen", "Teacher", "RawExampleGuard"}
    assert upstream(nodes, "Transform") == {"TeacherLabeler", "ImportSchemaGen", "LabelledExampleGuard"}
    assert upstream(nodes, "Trainer.student") == upstream(nodes, "Trainer.control") == {"Transform"}
    trained = {"Trainer.student", "Trainer.control"}
    assert upstream(nodes, "Evaluator") == {"TeacherLabeler", "LastBlessed", *trained}
    assert upstream(nodes, "LastBlessed") == {"LastServed", "Trainer.student"}
    assert upstream(nodes, "LastServed") == {"Trainer.student"}


def test_nothing_is_judged_or_pushed_when_the_resolver_fails(nodes):
    assert nodes["BlessingGate"].inputs["model"].producer_component_id == "LastBlessed"
    assert {"BlessingGate", "ServingValidator"} <= upstream(nodes, "Pusher")


def test_student_and_control_differ_in_their_arm_alone(nodes):
    names = ("student", "control")
    configs = [json.loads(nodes[f"Trainer.{name}"].exec_properties["custom_config"]) for name in names]
    assert [each.pop("arm") for each in configs] == list(names)
    assert configs[0] == configs[1]


def test_trainers_alone_are_told_how_many_train_together(settings, nodes):
    several = {node.id: node for node in create_pipeline(replace(settings, trainer_workers=3)).components}
    for name in ("Trainer.student", "Trainer.control"):
        config, alone = (json.loads(each[name].exec_properties["custom_config"]) for each in (several, nodes))
        # What was trained by one process is still in the cache.
        assert config == alone | {keys.TRAINER_WORKERS: 3}
    others = set(nodes) - {"Trainer.student", "Trainer.control"}
    assert {name: several[name].exec_properties for name in others} == {
        name: nodes[name].exec_properties for name in others
    }


@pytest.fixture(scope="module")
def continuing(settings) -> dict:
    training = settings.surface.training.model_copy(update={"continue_from": "served"})
    surface = settings.surface.model_copy(update={"training": training})
    return {node.id: node for node in create_pipeline(replace(settings, surface=surface)).components}


def test_the_control_continues_from_the_earlier_control_and_never_from_the_student(continuing):
    """A student has seen soft labels, and so has whatever comes of it."""
    for role in ("student", "control"):
        base = continuing[f"Trainer.{role}"].inputs["base_model"]
        assert (base.producer_component_id, base.output_key) == ("Continuation", role)
        left = continuing["Pusher"].inputs[f"{role}_run"]
        assert (left.producer_component_id, left.output_key) == (f"Trainer.{role}", "model_run")
    assert upstream(continuing, "Continuation") == {"ImportExampleGen"}
    assert continuing["Continuation"].exec_properties["serving"].endswith("serving")


def test_a_cold_run_has_nothing_of_it(nodes):
    assert "Continuation" not in nodes
    assert not {"student_run", "control_run"} & set(nodes["Pusher"].inputs)
    assert "base_model" not in nodes["Trainer.control"].inputs


@pytest.fixture(scope="module")
def paired(settings, tmp_path_factory) -> Settings:
    folder = tmp_path_factory.mktemp("paired")
    text = library.SURFACE + library.PAIRS
    surface = load_surface(library.write_surface(folder / "surface", surface=text, schema=library.SCHEMA_WITH_PAIRS))
    return replace(settings, surface=surface.surface, schema_path=str(surface.schema_path))


def test_transform_learns_ids_from_pairs_where_there_are_any(nodes, paired):
    assert nodes["Transform"].exec_properties["splits_config"] is None
    found = {node.id: node for node in create_pipeline(paired).components}["Transform"]
    splits = json.loads(found.exec_properties["splits_config"])
    assert splits == {"analyze": ["train", "unlabelled"], "transform": ["train", "eval", "unlabelled"]}


def test_catalogues_reach_the_sampler_with_their_fingerprints(paired):
    given = {"people": Folder("of/people", "abc"), "items": Folder("of/items", "def")}
    found = {node.id: node for node in create_pipeline(replace(paired, pairs_from=given)).components}
    properties = found["CandidateSampler"].exec_properties
    assert [properties[name] for name in ("people", "people_fingerprint")] == ["of/people", "abc"]
    assert [properties[name] for name in ("items", "items_fingerprint")] == ["of/items", "def"]
    assert properties.get("candidates") is None


def test_a_new_teacher_under_the_same_path_is_another_input(nodes):
    assert nodes["TeacherLabeler"].exec_properties["teacher_fingerprint"] == "abc"


def test_the_report_comes_last_and_knows_of_earlier_runs(nodes):
    assert {"Pusher", "BlessingGate", "EarlierRuns", "Trainer.student"} <= upstream(nodes, "EvaluationReport")
    assert nodes["EvaluationReport"].downstream_nodes == set()


def test_the_gate_notes_the_statistics_of_the_examples_for_the_report_of_the_next_run(nodes):
    assert nodes["BlessingGate"].inputs["statistics"].producer_component_id == "RawStatistics"


def test_a_backend_without_resolvers_of_our_own_reads_earlier_runs_from_the_push_destination(settings):
    nodes = {node.id: node for node in create_pipeline(settings, earlier_runs=from_records).components}
    assert type(nodes["EarlierRuns"]).__name__ == "RunHistory"
    assert nodes["EarlierRuns"].exec_properties["serving"] == settings.serving
    assert upstream(nodes, "EarlierRuns") == {"BlessingGate", "TeacherLabeler"}
    assert "EarlierRuns" in upstream(nodes, "EvaluationReport")


def test_a_backend_without_exit_codes_gets_a_last_node_that_fails(settings):
    nodes = {node.id: node for node in create_pipeline(settings, fails_unless=Outcome.BLESSED).components}
    assert nodes["Outcome"].exec_properties["fails_unless"] == "blessed"
    assert upstream(nodes, "Outcome") == {"BlessingGate", "Pusher", "EvaluationReport"}
    assert nodes["Outcome"].downstream_nodes == set()


def test_earlier_spans_are_labelled_in_the_same_pipeline_and_trained_on(settings):
    """For backends whose cache finds them: each like the newest one, and checked against the one before."""
    nodes = {node.id: node for node in create_pipeline(replace(settings, earlier=("/two", "/one"))).components}
    spans = ("", ".before-1", ".before-2")
    folders = [nodes[f"ImportExampleGen{each}"].exec_properties["input_base"] for each in spans]
    assert folders == [settings.examples, "/two", "/one"]
    window = nodes["Transform"].inputs["examples"].channels
    assert [each.producer_component_id for each in window] == [
        "TeacherLabeler.before-2",
        "TeacherLabeler.before-1",
        "TeacherLabeler",
    ]
    assert {f"LabelledExampleGuard{each}" for each in spans} <= upstream(nodes, "Transform")
    previous = {
        name: nodes[name].inputs["previous_statistics"].producer_component_id
        for name in ("LabelledExampleGuard", "LabelledExampleGuard.before-1")
    }
    assert previous == {
        "LabelledExampleGuard": "LabelledStatistics.before-1",
        "LabelledExampleGuard.before-1": "LabelledStatistics.before-2",
    }
    assert "previous_statistics" not in nodes["LabelledExampleGuard.before-2"].inputs
    assert nodes["Evaluator"].inputs["examples"].producer_component_id == "TeacherLabeler"


def test_over_spans_the_window_is_trained_on_and_the_newest_span_is_judged(settings, tmp_path):
    window = Window(SpanFolders(tmp_path, "span-{SPAN}"), 3, 5)
    nodes = {node.id: node for node in create_pipeline(replace(settings, window=window)).components}
    assert upstream(nodes, "Transform") == {"Window", "ImportSchemaGen", "LabelledExampleGuard"}
    assert upstream(nodes, "Window") == {"LabelledExampleGuard"}
    assert "TeacherLabeler" in upstream(nodes, "Evaluator")
    assert upstream(nodes, "LabelledExampleGuard") == {"PreviousSpan", "ImportSchemaGen"}
    generator = nodes["ImportExampleGen"].exec_properties
    assert '"start_span_number": 5' in generator["range_config"]
    assert '"pattern": "span-{SPAN}/train/*"' in generator["input_config"]


def test_labelling_alone_is_the_same_nodes(settings, tmp_path):
    window = Window(SpanFolders(tmp_path, "span-{SPAN}"), 3, 5)
    whole = [node.id for node in create_pipeline(replace(settings, window=window)).components]
    alone = [node.id for node in create_labelling(replace(settings, window=window)).components]
    assert set(alone) == set(whole[: len(alone)])
    assert alone[-1] == "LabelledExampleGuard"


def test_keyed_labels_end_with_the_labeler(settings):
    nodes = {node.id: node for node in create_labelling(settings, "visit").components}
    assert list(nodes)[-1] == "TeacherLabeler"
    assert nodes["TeacherLabeler"].exec_properties["key_column"] == "visit"
    assert "RawExampleGuard" in upstream(nodes, "TeacherLabeler")


def resolving(compiled: Pipeline) -> dict[str, type]:
    """The classes that find inputs of a pipeline's nodes in the metadata, by the name in its compiled form."""
    graphs = [
        graph
        for each in Compiler().compile(compiled).nodes
        for graph in each.pipeline_node.inputs.input_graphs.values()
    ]
    names = {node.op_node.op_type for graph in graphs for node in graph.nodes.values() if node.HasField("op_node")}
    found = {}
    for name in names:
        module, _, own = name.rpartition(".")
        found[name] = getattr(importlib.import_module(module), own) if module else ops.get_by_name(name)
    return found


def filtering(resolver: type) -> bool:
    return "filter_query" in inspect.getsource(inspect.getmodule(resolver))


@pytest.mark.parametrize("create", [create_pipeline, create_labelling])
def test_no_input_is_found_by_a_filter_which_newer_metadata_refuses(settings, tmp_path, create):
    """ML Metadata 1.21, on Python 3.12 and 3.13, answers every query with a filter with an error."""
    over_spans = replace(settings, window=Window(SpanFolders(tmp_path, "span-{SPAN}"), 3, 5))
    found = resolving(create(settings)) | resolving(create(over_spans))
    assert "pipeline.spans.PreviousSpan" in found
    assert {name for name, each in found.items() if filtering(each)} == set()
    assert filtering(siblings_op.Siblings)
