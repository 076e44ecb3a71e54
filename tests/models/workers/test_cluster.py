import json

import pytest

from models.workers.cluster import VARIABLE, Cluster, cluster_of, named
from schema.errors import InputError


def of(content) -> Cluster | None:
    return cluster_of({VARIABLE: content if isinstance(content, str) else json.dumps(content)})


TWO = ["host-0:2222", "host-1:2222"]


@pytest.mark.parametrize(
    "content",
    [
        "",
        "  ",
        {},
        {"cluster": {}, "task": {"type": "worker", "index": 0}},
        {"cluster": {"worker": ["host-0:2222"]}, "task": {"type": "worker", "index": 0}},
        {"cluster": {"chief": ["host-0:2222"], "worker": []}, "task": {"type": "chief", "index": 0}},
    ],
)
def test_one_process_has_no_other_workers(content):
    assert of(content) is None


def test_without_the_variable_there_are_no_other_workers():
    assert cluster_of({}) is None


def test_a_tf_job_of_workers_is_read():
    """As Kubeflow's training operator writes it."""
    content = {"cluster": {"worker": TWO}, "task": {"type": "worker", "index": 1}, "environment": "cloud"}
    assert of(content) == Cluster(("host-0:2222", "host-1:2222"), 1)
    assert not of(content).chief


def test_a_custom_job_of_vertex_is_read():
    """Its first pool is the chief's; the place of a worker is after it."""
    cluster = {"chief": ["chief-0:2222"], "worker": TWO}
    found = of({"cluster": cluster, "task": {"type": "worker", "index": "1"}})
    assert found == Cluster(("chief-0:2222", "host-0:2222", "host-1:2222"), 2)
    assert of({"cluster": cluster, "task": {"type": "chief", "index": 0}}).chief


def test_what_is_named_is_read_again():
    assert of(named(("127.0.0.1:1", "[::1]:2"), 1)) == Cluster(("127.0.0.1:1", "[::1]:2"), 1)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("{not json", "expected JSON, found '{not json'"),
        ([1], r"expected a mapping of `cluster` and `task`, found \[1\]"),
        ({"cluster": ["a:1", "b:1"]}, r"expected `cluster`, a mapping, found \['a:1', 'b:1'\]"),
        ({"cluster": {"worker": "a:1,b:1"}}, "a list of `host:port` as `cluster.worker`, found 'a:1,b:1'"),
        ({"cluster": {"worker": ["a:1", "b"]}}, "as `cluster.worker`, found 'b'"),
        ({"cluster": {"worker": ["a:1", "b:70000"]}}, "found 'b:70000'"),
        ({"cluster": {"worker": ["a:1", 3]}}, "found 3"),
        ({"cluster": {"worker": ["a:1", "http://b:1"]}}, "found 'http://b:1'"),
        ({"cluster": {"worker": ["a:1", "a:1"]}}, "a different address for every worker, found a:1 several times"),
        ({"cluster": {"chief": ["a:1", "b:1"]}}, "one chief at most, found 2"),
        ({"cluster": {"worker": [], "chief": []}}, "workers in the cluster, found none"),
        ({"cluster": {"worker": TWO, "ps": ["p:1"]}}, "found 'ps'.*Keras 3 trains on no parameter servers"),
        ({"cluster": {"worker": TWO, "evaluator": ["p:1"]}}, "found 'evaluator'.*own Evaluator evaluates"),
        ({"cluster": {"worker": TWO}}, "expected `task`, a mapping of `type` and `index`, found None"),
        ({"cluster": {"worker": TWO}, "task": {"type": "chief", "index": 0}}, "has worker 0 to 1; found type 'chief'"),
        ({"cluster": {"worker": TWO}, "task": {"type": "worker", "index": 2}}, "found type 'worker', index 2"),
        ({"cluster": {"worker": TWO}, "task": {"type": "worker", "index": -1}}, "index -1"),
        ({"cluster": {"worker": TWO}, "task": {"type": "worker", "index": True}}, "index True"),
        ({"cluster": {"worker": TWO}, "task": {"type": ["worker"], "index": 0}}, "index 0"),
    ],
)
def test_anything_else_is_an_error_that_says_what_was_expected(content, expected):
    with pytest.raises(InputError, match=expected) as raised:
        of(content)
    assert str(raised.value).startswith("the environment variable TF_CONFIG: expected ")
    assert "It looks like" in str(raised.value)
