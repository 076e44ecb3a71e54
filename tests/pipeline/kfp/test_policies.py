import pytest

from pipeline.kfp.policies import Accelerator, Policy, read_policies
from schema.errors import InputError

NODES = ("TeacherLabeler", "Trainer.student", "Transform")


def write(folder, text):
    path = folder / "policies.yaml"
    path.write_text(text)
    return path


def test_a_node_has_the_default_and_its_exceptions(tmp_path):
    policies = read_policies(
        write(
            tmp_path,
            "default: {cpu: 4, memory: 16, retries: 1}\n"
            "nodes:\n  TeacherLabeler: {memory: 32, accelerator: {type: nvidia.com/gpu, count: 2}, cache: false}\n",
        )
    )
    policies.check(NODES)
    assert policies.of("Transform") == Policy(cpu=4, memory=16, retries=1)
    assert policies.of("TeacherLabeler") == Policy(
        cpu=4, memory=32, retries=1, accelerator=Accelerator(type="nvidia.com/gpu", count=2), cache=False
    )


def test_without_a_file_there_are_defaults():
    assert read_policies(None).of("Transform") == Policy(cpu=2, memory=8, retries=2, cache=True)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("default: {cpu: 0}", "greater than 0"),
        ("nodes: {Transform: {ram: 3}}", r"policies.yaml: nodes.Transform.ram: unknown key; expected one of acc"),
        ("nodes: {Transform: {retries: -1}}", "greater than or equal to 0"),
        ("defaults: {}", r"defaults: unknown key; did you mean 'default'"),
        ("default: [", "not valid YAML"),
        ("default: {}\ndefault: {cpu: 1}", "this key stands twice"),
        ("default: {priority_class: high}", "priority_class: a pipeline of Kubeflow 2.17 has no field for it"),
        ("nodes: {Transform: {priority_class: high}}", "COMPILED_PIPELINE_SPEC_PATCH"),
        ("default: {tolerations: [{operator: Equal, value: x}]}", "expected a key"),
        ("default: {tolerations: [{key: a, operator: Exists, value: x}]}", "operator Exists: expected no value"),
        ("default: {tolerations: [{key: a, effect: Never}]}", "NoSchedule"),
        ("default: {tolerations: [{key: a, value: b, effect: NoSchedule, seconds: 3}]}", "with effect NoExecute alone"),
        ("default: {node_selector: {pool: 'a b'}}", "expected a label of Kubernetes"),
        ("default: {labels: {'a/b/c': x}}", "expected a key of Kubernetes"),
        ("default: {annotations: {'-a': x}}", "expected a key of Kubernetes"),
        ("default: {environment: {A-B: x}}", "expected the name of an environment variable"),
        ("default: {secrets: ['store=KEY']}", "expected secret-name:key=VARIABLE"),
        ("default: {memory: 8, shared_memory: 8}", "expected less than memory, 8, of which it is a part"),
        ("nodes: {Transform: {memory: 1, shared_memory: 2}}", "expected less than memory"),
        ("default: {deadline_hours: 0}", "greater than 0"),
        ("run: {keep_days: 3}", "keep_days"),
    ],
)
def test_files_that_are_no_policies(tmp_path, text, message):
    with pytest.raises(InputError, match=message):
        read_policies(write(tmp_path, text))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"nowhere.yaml: expected a YAML file of policies"):
        read_policies(tmp_path / "nowhere.yaml")


def test_an_unknown_node_is_an_error_with_the_nearest_name(tmp_path):
    policies = read_policies(write(tmp_path, "nodes: {Trainer.students: {cpu: 8}}"))
    with pytest.raises(InputError, match=r"nodes.Trainer.students: no such node; did you mean 'Trainer.student'"):
        policies.check(NODES)


def test_the_nodes_of_earlier_spans_are_run_as_those_of_the_newest(tmp_path):
    policies = read_policies(write(tmp_path, "nodes: {TeacherLabeler: {memory: 32}}"))
    policies.check(["TeacherLabeler", "TeacherLabeler.before-1"])
    assert policies.of("TeacherLabeler.before-1").memory == 32
    of_label = policies.of_executors(["exec-teacher-labeler", "exec-teacher-labeler-before-12", "exec-transform"])
    assert [each.memory for each in of_label.values()] == [32, 32, 8]
    with pytest.raises(InputError, match="no such node"):
        read_policies(write(tmp_path, "nodes: {TeacherLabeler.before-1: {}}")).check(["TeacherLabeler.before-1"])
