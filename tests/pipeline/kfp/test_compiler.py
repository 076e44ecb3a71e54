import json
from dataclasses import replace

import pytest
import yaml
from kfp import components

from contracts import artifacts, keys
from contracts.outcome import Outcome
from pipeline.kfp.compiler import CompileRequest, compile_job
from pipeline.kfp.parameters import Defaults, placeholder
from pipeline.kfp.policies import Policies
from pipeline.kfp.specification import kubernetes_name
from pipeline.pipeline import create_pipeline
from pipeline.resolvers import from_destination_alone
from pipeline.settings import Settings
from schema.candidates import PAIRS_FROM
from schema.errors import InputError
from schema.loader import load_surface
from tests.e2e import library

DEFAULTS = Defaults(
    examples="s3://data/library/{SPAN}",
    span=None,
    teacher="s3://data/teacher",
    teacher_fingerprint="abc",
    serving=None,
    seed=3,
    gates="",
    beam_args="--runner=FnApiRunner",
)
POLICIES = Policies.model_validate(
    {
        "default": {"cpu": 1, "memory": 4, "retries": 1},
        "nodes": {
            "Trainer.student": {"cpu": 8, "memory": 32, "accelerator": {"type": "nvidia.com/gpu"}},
            "Transform": {"cache": False, "retries": 0},
        },
    }
)


@pytest.fixture(scope="module")
def request_(tmp_path_factory) -> CompileRequest:
    loaded = load_surface(library.write_surface(tmp_path_factory.mktemp("compiler") / "surface"))
    return CompileRequest(
        surface=loaded.surface,
        schema=loaded.schema_path.read_text(),
        image="registry.example:5000/team/crosskd:1.2",
        pipeline_root="s3://artifacts/library",
        defaults=DEFAULTS,
        policies=POLICIES,
        code_revision="f00",
    )


@pytest.fixture(scope="module")
def job(request_):
    return compile_job(request_)


@pytest.fixture(scope="module")
def spec(job):
    return job["pipelineSpec"]


def task(spec, name):
    return spec["root"]["dag"]["tasks"][name]


def executor(spec, name):
    return spec["deploymentSpec"]["executors"][f"exec-{name}"]


def argument(spec, name, option):
    args = executor(spec, name)["container"]["args"]
    return args[args.index(option) + 1]


def test_the_sdk_of_kubeflow_reads_it(spec):
    loaded = components.load_component_from_text(yaml.safe_dump(spec))
    assert loaded.name == "crosskd-library"
    assert spec["schemaVersion"] == "2.1.0"


def test_every_node_of_the_pipeline_is_a_task_of_its_own(request_, spec):
    settings = Settings(request_.surface, "s", "e", "t", "f", "root", "serving", ":memory:", ())
    assert set(spec["root"]["dag"]["tasks"]) == {
        kubernetes_name(node.id)
        for node in create_pipeline(
            settings, last_blessed=from_destination_alone, fails_unless=Outcome.PUSHED
        ).components
    }


@pytest.mark.parametrize(
    ("node", "name"),
    [
        ("ImportExampleGen", "import-example-gen"),
        ("Trainer.student", "trainer-student"),
        ("Trainer.control", "trainer-control"),
    ],
)
def test_names_are_those_that_kubernetes_takes(node, name):
    assert kubernetes_name(node) == name


def test_names_agree_everywhere(spec):
    assert task(spec, "evaluator")["dependentTasks"] == [
        "last-blessed",
        "teacher-labeler",
        "trainer-control",
        "trainer-student",
    ]
    assert task(spec, "transform")["inputs"]["artifacts"]["schema"] == {
        "taskOutputArtifact": {"producerTask": "import-schema-gen", "outputArtifactKey": "schema"}
    }
    for name, each in spec["root"]["dag"]["tasks"].items():
        assert each["taskInfo"]["name"] == name
        assert spec["components"][each["componentRef"]["name"]]["executorLabel"] in spec["deploymentSpec"]["executors"]


def test_no_node_needs_a_resolver_or_an_importer_which_open_source_kubeflow_has_not_for_volumes(spec):
    kinds = {kind for each in spec["deploymentSpec"]["executors"].values() for kind in each}
    assert kinds == {"container"}
    assert argument(spec, "last-blessed", "--executor_class_path") == "components.last_served.executor.Executor"


def test_what_a_run_continues_from_is_found_there_as_what_serves_is(request_):
    training = request_.surface.training.model_copy(update={"continue_from": "served"})
    surface = request_.surface.model_copy(update={"training": training})
    spec = compile_job(replace(request_, surface=surface))["pipelineSpec"]
    found = task(spec, "continuation")
    assert found["cachingOptions"] == {}
    assert found["inputs"]["parameters"]["serving"] == {"componentInputParameter": "serving"}
    assert argument(spec, "continuation", "--executor_class_path") == "components.continuation.executor.Executor"
    for role in ("student", "control"):
        base = task(spec, f"trainer-{role}")["inputs"]["artifacts"]["base_model"]
        assert base == {"taskOutputArtifact": {"producerTask": "continuation", "outputArtifactKey": role}}
        left = task(spec, "pusher")["inputs"]["artifacts"][f"{role}_run"]
        assert left == {"taskOutputArtifact": {"producerTask": f"trainer-{role}", "outputArtifactKey": "model_run"}}


def test_the_parameters_that_are_asked_for(job, spec):
    parameters = spec["root"]["inputDefinitions"]["parameters"]
    given = {name: each.get("defaultValue") for name, each in parameters.items()}
    assert given == {
        "span": None,
        "teacher": "s3://data/teacher",
        "teacher_fingerprint": "abc",
        "serving": None,
        "seed": 3,
        "gates": "",
        "beam_args": "--runner=FnApiRunner",
    }
    assert job["runtimeConfig"]["parameterValues"] == {name: each for name, each in given.items() if each is not None}
    assert job["runtimeConfig"]["gcsOutputDirectory"] == "s3://artifacts/library"
    assert spec["defaultPipelineRoot"] == "s3://artifacts/library"


def test_trainers_alone_are_told_how_many_processes_train_together(request_, spec):
    several = compile_job(replace(request_, trainer_workers=2))["pipelineSpec"]
    told = {name for name, each in several["root"]["dag"]["tasks"].items() if keys.TRAINER_WORKERS in json.dumps(each)}
    assert told == {"trainer-student", "trainer-control"}
    assert keys.TRAINER_WORKERS not in json.dumps(spec)


def test_parameters_reach_the_tasks_that_use_them(spec):
    def taken(name):
        values = task(spec, name)["inputs"].get("parameters", {})
        return {
            key: each["componentInputParameter"] for key, each in values.items() if "componentInputParameter" in each
        }

    assert taken("trainer-control") == {"pipelinechannel--seed": "seed"}
    assert taken("blessing-gate") == {
        "pipelinechannel--gates": "gates",
        "serving": "serving",
        "teacher": "teacher_fingerprint",
        "data_span": "span",
    }
    assert taken("evaluator") == {"pipelinechannel--gates": "gates", "pipelinechannel--beam_args": "beam_args"}
    assert taken("teacher-labeler")["teacher_fingerprint"] == "teacher_fingerprint"
    assert taken("teacher") == {"source": "teacher", "teacher_fingerprint": "teacher_fingerprint"}
    assert taken("last-blessed") == {"serving": "serving"}
    assert task(spec, "import-example-gen")["inputs"]["parameters"]["input_base"] == {
        "runtimeValue": {"constant": f"s3://data/library/{placeholder('span')}"}
    }


def test_the_provenance_says_the_span(request_, spec):
    def origin_of(compiled):
        value = task(compiled, "pusher")["inputs"]["parameters"]["provenance"]
        return json.loads(value["runtimeValue"]["constant"])

    assert origin_of(spec)["data_span"] == placeholder("span")
    assert "pipelinechannel--span" in task(spec, "pusher")["inputs"]["parameters"]
    unspanned = replace(request_, defaults=replace(DEFAULTS, examples="s3://data/library"))
    assert origin_of(compile_job(unspanned)["pipelineSpec"])["data_span"] is None


def test_the_entry_point_is_told_of_the_parameters_and_classes(spec):
    inputs = json.loads(argument(spec, "trainer-student", "--json_serialized_inputs_spec_args"))
    assert inputs["parameters"]["pipelinechannel--seed"] == {"parameterType": "NUMBER_INTEGER"}
    classes = json.loads(argument(spec, "blessing-gate", "--artifact_classes"))
    assert classes["outputs"]["decision"] == "contracts.artifacts.GateDecision"
    assert executor(spec, "trainer-student")["container"]["command"] == ["python", "-m", "pipeline.kfp.entrypoint"]


def test_the_schema_travels_with_the_specification_under_a_name_of_its_content(request_, spec):
    ((path, content),) = json.loads(argument(spec, "import-schema-gen", "--files")).items()
    assert content == library.SCHEMA
    assert task(spec, "import-schema-gen")["inputs"]["parameters"]["schema_file"]["runtimeValue"]["constant"] == path
    other = compile_job(replace(request_, schema=library.SCHEMA + "\n"))["pipelineSpec"]
    assert path not in argument(other, "import-schema-gen", "--files")


def test_policies(spec):
    student = executor(spec, "trainer-student")["container"]["resources"]
    assert (student["cpuLimit"], student["memoryLimit"]) == (8, 32)
    assert student["accelerator"] == {"type": "nvidia.com/gpu", "count": "1"}
    assert executor(spec, "trainer-control")["container"]["resources"]["cpuLimit"] == 1
    assert task(spec, "trainer-control")["retryPolicy"]["maxRetryCount"] == 1
    assert "retryPolicy" not in task(spec, "transform")


def test_retries_cover_nodes_that_run_for_days(spec):
    seconds = task(spec, "trainer-student")["retryPolicy"]["backoffMaxDuration"]
    assert int(seconds.removesuffix("s")) == 7 * 24 * 3600


def test_the_optional_nodes_compile_as_well(request_, tmp_path):
    folder = library.write_surface(
        tmp_path / "surface", surface=library.SURFACE + library.PAIRS, schema=library.SCHEMA_WITH_PAIRS
    )
    other = compile_job(replace(request_, surface=load_surface(folder).surface))["pipelineSpec"]
    assert task(other, "teacher-labeler")["inputs"]["artifacts"]["examples"]["taskOutputArtifact"] == {
        "producerTask": "candidate-sampler",
        "outputArtifactKey": "extended_examples",
    }
    assert "pipelinechannel--beam_args" in task(other, "candidate-sampler")["inputs"]["parameters"]


def test_what_looks_outside_of_the_pipeline_is_never_cached(request_, spec):
    cached = {name for name in spec["root"]["dag"]["tasks"] if task(spec, name)["cachingOptions"].get("enableCache")}
    assert set(spec["root"]["dag"]["tasks"]) - cached == {"last-blessed", "transform", "earlier-runs", "outcome"}
    unspanned = replace(request_, defaults=replace(DEFAULTS, examples="s3://data/library"))
    other = compile_job(unspanned)["pipelineSpec"]
    assert not task(other, "import-example-gen")["cachingOptions"]
    assert other["root"]["inputDefinitions"]["parameters"]["examples"]["defaultValue"] == "s3://data/library"
    assert "span" not in other["root"]["inputDefinitions"]["parameters"]


@pytest.fixture(scope="module")
def over_spans(request_):
    return compile_job(replace(request_, window=3, defaults=replace(DEFAULTS, span="20260301")))["pipelineSpec"]


def test_each_span_of_a_window_is_a_run_parameter(over_spans):
    parameters = over_spans["root"]["inputDefinitions"]["parameters"]
    spans = {name: each["defaultValue"] for name, each in parameters.items() if name.startswith("span")}
    assert spans == {"span": "20260301", "span_minus_1": "20260228", "span_minus_2": "20260227"}


def test_a_task_on_an_earlier_span_is_what_it_was_in_the_run_of_that_span(over_spans):
    """But for where its values come from: the backend's cache then knows it."""
    for name in ("import-example-gen", "raw-statistics", "raw-example-guard", "teacher-labeler", "labelled-statistics"):
        newest, earlier = (task(over_spans, each) for each in (name, f"{name}-before-2"))
        assert earlier["componentRef"] == newest["componentRef"] == {"name": f"comp-{name}"}
        for key, value in newest["inputs"].get("parameters", {}).items():
            expected = {"componentInputParameter": "span_minus_2"} if key == "pipelinechannel--span" else value
            assert earlier["inputs"]["parameters"][key] == expected
    assert f"exec-{name}-before-2" not in over_spans["deploymentSpec"]["executors"]


def test_the_window_is_trained_on_the_oldest_first(over_spans):
    artifacts = task(over_spans, "transform")["inputs"]["artifacts"]
    producers = {key: each["taskOutputArtifact"]["producerTask"] for key, each in artifacts.items()}
    assert producers == {
        "examples": "teacher-labeler-before-2",
        "examples--1": "teacher-labeler-before-1",
        "examples--2": "teacher-labeler",
        "schema": "import-schema-gen",
    }
    classes = json.loads(argument(over_spans, "transform", "--artifact_classes"))["inputs"]
    assert classes["examples--2"] == classes["examples"] == "tfx.types.standard_artifacts.Examples"
    spans = {key for key in task(over_spans, "transform")["inputs"]["parameters"] if "--span" in key}
    assert spans == {f"pipelinechannel--span{each}" for each in ("", "_minus_1", "_minus_2")}
    origin = task(over_spans, "pusher")["inputs"]["parameters"]["provenance"]["runtimeValue"]["constant"]
    assert json.loads(origin)["data_span"] == f"{placeholder('span_minus_2')}:{placeholder('span')}"


@pytest.mark.parametrize("given", [("candidates",), ("people", "items")])
def test_what_pairs_are_made_of_are_run_parameters(given, request_, tmp_path):
    folder = library.write_surface(
        tmp_path / "surface", surface=library.SURFACE + library.PAIRS, schema=library.SCHEMA_WITH_PAIRS
    )
    values = {name: f"s3://data/{name}" for name in given} | {f"{name}_fingerprint": f"of-{name}" for name in given}
    defaults = replace(DEFAULTS, **values)
    spec = compile_job(replace(request_, surface=load_surface(folder).surface, defaults=defaults))["pipelineSpec"]
    found = task(spec, "candidate-sampler")["inputs"]["parameters"]
    parameters = spec["root"]["inputDefinitions"]["parameters"]
    for name, value in values.items():
        assert found[name] == {"componentInputParameter": name}
        assert parameters[name]["defaultValue"] == value
    assert {name for name in parameters if name in PAIRS_FROM} == set(given)
    with pytest.raises(
        InputError, match=f"run parameter '{given[0]}': expected an absolute path on a volume, or a bucket"
    ):
        replace(DEFAULTS, **{given[0]: "here"}).given()


@pytest.mark.parametrize(("fails_unless", "said"), [(Outcome.PUSHED, "pushed"), (Outcome.BLESSED, "blessed")])
def test_a_run_that_does_not_come_to_what_was_asked_fails_at_once(request_, fails_unless, said):
    spec = compile_job(replace(request_, fails_unless=fails_unless))["pipelineSpec"]
    last = task(spec, "outcome")
    assert last["inputs"]["parameters"]["fails_unless"] == {"runtimeValue": {"constant": said}}
    assert "retryPolicy" not in last


def test_a_run_may_end_well_whatever_it_comes_to(request_):
    assert "outcome" not in compile_job(replace(request_, fails_unless=None))["pipelineSpec"]["root"]["dag"]["tasks"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"window": 2, "defaults": replace(DEFAULTS, examples="/data")}, r"--window: expected \{SPAN\} in --examples"),
        (
            {"defaults": replace(DEFAULTS, examples="s3://data/{YYYY}-{MM}-{DD}")},
            r"expected \{SPAN\}, which the span takes the place of as it is written .*, found \{YYYY\}",
        ),
        ({"window": 17}, "--window 17: expected at most 16"),
        ({"window": 3, "defaults": replace(DEFAULTS, span="1")}, "a whole number of at least 2"),
        (
            {"defaults": replace(DEFAULTS, candidates="s3://d/c")},
            "--candidates: surface 'library' has no `unlabelled:` section",
        ),
        (
            {"defaults": replace(DEFAULTS, people="s3://d/p")},
            "--people: surface 'library' has no `unlabelled:` section",
        ),
        ({"image": "team/crosskd"}, "--image: expected registry/name:tag"),
        ({"image": "Team/crosskd:1"}, "--image: expected registry/name:tag"),
        ({"pipeline_root": "/data/root"}, "--pipeline-root: expected a bucket"),
        ({"pipeline_root": "s3://"}, "--pipeline-root: expected a bucket"),
        ({"defaults": replace(DEFAULTS, examples="/data", span="7")}, r"--span: expected \{SPAN\} in --examples"),
        (
            {"defaults": replace(DEFAULTS, teacher='/tea"cher')},
            "run parameter 'teacher': expected a text without quotes",
        ),
        ({"defaults": replace(DEFAULTS, gates="[]")}, "expected an object of tasks"),
        ({"policies": Policies(nodes={"Trainer": {}})}, "nodes.Trainer: no such node; did you mean 'Trainer"),
    ],
)
def test_what_cannot_be_right_is_rejected_when_compiling(request_, change, message):
    with pytest.raises(InputError, match=message):
        compile_job(replace(request_, **change))


def test_kubeflow_takes_the_names_of_all_artifact_types():
    own = [each for each in vars(artifacts).values() if getattr(each, "__module__", "") == artifacts.__name__]
    assert artifacts.GateDecision in own
    assert all(each.TYPE_NAME in (f"crosskd.{each.__name__.removesuffix('Artifact')}", "system.HTML") for each in own)
