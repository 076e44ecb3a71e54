import pytest
from google.protobuf import json_format
from kfp.pipeline_spec import pipeline_spec_pb2
from tfx.types import artifact_utils, standard_artifacts

from contracts.artifacts import GateDecision
from pipeline.kfp.invocation import give_classes, identity, merge, parse, result
from pipeline.kfp.storage import Storage

CLASSES = {
    "examples": "tfx.types.standard_artifacts.Examples",
    "decision": "contracts.artifacts.GateDecision",
    "model": "tfx.types.standard_artifacts.Model",
}
LAUNCHED = Storage(launched=True)
# What drivers say of a type: open-source Kubeflow nothing, an empty schema or a generic title; Vertex the schema.
TYPES = (
    {},
    {"instanceSchema": ""},
    {"schemaTitle": "system.Dataset"},
    {"instanceSchema": "title: tfx.Examples\ntype: object\n"},
)


def inputs(**artifacts):
    content = {"artifacts": {key: {"artifacts": [artifact]} for key, artifact in artifacts.items()}}
    return json_format.ParseDict(content, pipeline_spec_pb2.ExecutorInput.Inputs()).artifacts


def parsed(storage=LAUNCHED, names=None, **artifacts):
    message = inputs(**artifacts)
    give_classes(message, CLASSES, storage)
    return parse(message, storage, {} if names is None else names)


@pytest.mark.parametrize("kind", TYPES, ids=str)
def test_the_class_comes_from_the_interface_whatever_the_backend_says(kind):
    (examples,) = parsed(examples={"uri": "s3://b/x", "type": kind, "metadata": {"split_names": '["train"]'}})[
        "examples"
    ]
    assert isinstance(examples, standard_artifacts.Examples)
    assert (examples.split_names, examples.uri) == ('["train"]', "/s3/b/x")


def test_classes_of_our_own_are_found():
    (decision,) = parsed(decision={"uri": "/d", "type": {"schemaTitle": "system.Artifact"}})["decision"]
    assert isinstance(decision, GateDecision)


def test_an_artifact_that_stands_for_none_is_left_out():
    assert parsed(model={"uri": "s3://b/none", "metadata": {"absent": 1.0}}) == {"model": []}


@pytest.mark.parametrize("key", ["executor-logs", "what-some-later-release-adds"])
def test_what_the_backend_adds_is_passed_over(key):
    found = parsed(**{key: {"uri": "s3://b/logs", "type": {"schemaTitle": "system.Artifact"}}, "model": {"uri": "/m"}})
    assert list(found) == ["model"]


def test_an_identity_is_the_same_everywhere_and_survives_metadata():
    names = {}
    (model,) = parsed(names=names, model={"uri": "minio://b/model", "name": "resource/1"})["model"]
    assert model.id == identity("minio://b/model")
    assert names == {model.id: "resource/1"}
    # As ML Metadata's SQLite, MySQL and JSON hand a double back: the first writes 15 digits of it.
    assert int(float(f"{float(model.id):.15g}")) == int(float(model.id)) == model.id
    assert all(identity(f"s3://b/{each}") < 10**15 for each in range(1000))
    assert identity("minio://b/model") != identity("minio://b/model2")


def test_what_an_executor_sets_comes_back_in_the_next_container():
    blessing = standard_artifacts.ModelBlessing()
    blessing.uri = "/minio/b/blessing"
    blessing.id = identity("minio://b/blessing")
    blessing.set_int_custom_property("current_model_id", identity("minio://b/model"))
    blessing.set_string_custom_property("current_model", "/minio/b/model")
    message = result({"blessing": [blessing]}, {"blessing": blessing}, LAUNCHED, {blessing.id: "n"})
    (said,) = message.artifacts["blessing"].artifacts
    assert (said.uri, said.name) == ("minio://b/blessing", "n")
    assert said.metadata["current_model"] == "minio://b/model"
    again = inputs(blessing=json_format.MessageToDict(said))
    give_classes(again, {"blessing": "tfx.types.standard_artifacts.ModelBlessing"}, LAUNCHED, {"minio://b/model"})
    (back,) = parse(again, LAUNCHED, {})["blessing"]
    assert back.get_int_custom_property("current_model_id") == identity("minio://b/model")
    assert back.get_string_custom_property("current_model") == "/minio/b/model"


def test_metadata_that_speaks_of_no_artifact_at_hand_stays_a_uri():
    pushed = inputs(model={"uri": "s3://b/pushed", "metadata": {"destination": "s3://serving/7", "of": "s3://b/m"}})
    give_classes(pushed, CLASSES, LAUNCHED, {"s3://b/m", "s3://b/pushed"})
    (found,) = parse(pushed, LAUNCHED, {})["model"]
    assert found.get_string_custom_property("destination") == "s3://serving/7"
    assert (found.get_string_custom_property("of"), found.uri) == ("/s3/b/m", "/s3/b/pushed")


def test_what_a_driver_found_out_is_taken_over():
    message = json_format.ParseDict(
        {"outputs": {"artifacts": {"examples": {"artifacts": [{"uri": "/x"}]}}}}, pipeline_spec_pb2.ExecutorInput()
    )
    driven = {"parameterValues": {"span": 3}, "artifacts": {"examples": {"artifacts": [{"metadata": {"span": 3}}]}}}
    merge(message, json_format.ParseDict(driven, pipeline_spec_pb2.ExecutorOutput()))
    assert message.inputs.parameter_values["span"].number_value == 3
    assert message.outputs.artifacts["examples"].artifacts[0].metadata["span"] == 3
    assert message.outputs.artifacts["examples"].artifacts[0].uri == "/x"


def examples_at(uri: str) -> standard_artifacts.Examples:
    found = standard_artifacts.Examples()
    found.uri, found.id = uri, identity(uri)
    return found


def test_several_artifacts_of_one_output_are_one_to_a_backend_and_several_again_to_a_container():
    whole = examples_at("/s3/b/out")
    parts = artifact_utils.replicate_artifacts(whole, 11)
    for place, each in enumerate(parts):
        each.split_names, each.span = '["train"]', place
        each.set_string_custom_property("file_format", "tfrecords_gzip")
    message = result({"examples": parts}, {"examples": whole}, LAUNCHED, {})
    (said,) = message.artifacts["examples"].artifacts
    assert said.uri == "s3://b/out"
    again = inputs(examples=json_format.MessageToDict(said))
    give_classes(again, CLASSES, LAUNCHED)
    back = parse(again, LAUNCHED, {})["examples"]
    assert [each.uri for each in back] == [f"/s3/b/out/{place}" for place in range(11)]
    assert [(each.split_names, each.span) for each in back] == [('["train"]', place) for place in range(11)]
    assert {each.get_string_custom_property("file_format") for each in back} == {"tfrecords_gzip"}
    assert len({each.id for each in back}) == 11


def test_parts_lie_inside_of_their_whole():
    with pytest.raises(ValueError, match="expected all artifacts of one output in /s3/b/out/, found /s3/b/other"):
        result(
            {"x": [examples_at("/s3/b/out/0"), examples_at("/s3/b/other")]},
            {"x": examples_at("/s3/b/out")},
            LAUNCHED,
            {},
        )


def test_artifacts_of_numbered_keys_are_those_of_one_input_in_order():
    keys = {"examples": 0, **{f"examples--{place}": place for place in (10, 2, 1)}}
    message = inputs(**{key: {"uri": f"/{place}"} for key, place in keys.items()})
    give_classes(message, dict.fromkeys(keys, CLASSES["examples"]), LAUNCHED)
    found = parse(message, LAUNCHED, {})
    assert list(found) == ["examples"]
    assert [each.uri for each in found["examples"]] == ["/0", "/1", "/2", "/10"]
