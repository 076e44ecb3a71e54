"""Evidence that is damaged, forged, or missing: nothing is pushed on it."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import ml_metadata as mlmd
import pytest
import tensorflow as tf
from ml_metadata.proto import metadata_store_pb2
from tfx.dsl.components.common.resolver import ResolverStrategy

from crosskd.summary import summarize
from pipeline.failures import input_error
from pipeline.runners import Runner
from schema.errors import InputError
from tests.drills import shelf
from tests.drills.product import Product, without

pytestmark = pytest.mark.slow


def delete_config(evaluation: Path) -> None:
    (evaluation / "eval_config.json").unlink()


def delete_metrics(evaluation: Path) -> None:
    (_metrics(evaluation)).unlink()


def cut_metrics_in_a_record(evaluation: Path) -> None:
    content = _metrics(evaluation).read_bytes()
    _metrics(evaluation).write_bytes(content[: len(content) // 2])


def cut_metrics_after_the_overall_slice(evaluation: Path) -> None:
    """Leaves a file that is whole to every reader, without the slices that are gated."""
    records = [record.numpy() for record in tf.data.TFRecordDataset(str(_metrics(evaluation)))]
    overall = [record for record in records if b"genre" not in record]
    assert 0 < len(overall) < len(records)
    with tf.io.TFRecordWriter(str(_metrics(evaluation))) as writer:
        for record in overall:
            writer.write(record)


def delete_validations(evaluation: Path) -> None:
    (evaluation / "validations.tfrecord").unlink()


def empty_validations(evaluation: Path) -> None:
    (evaluation / "validations.tfrecord").write_bytes(b"")


def _metrics(evaluation: Path) -> Path:
    (found,) = evaluation.glob("metrics-*")
    return found


DAMAGES = [
    delete_config,
    delete_metrics,
    cut_metrics_in_a_record,
    cut_metrics_after_the_overall_slice,
    delete_validations,
    empty_validations,
]


@pytest.fixture
def damaged(product, evaluated, request):
    """Damages an evaluation and has it judged; the Evaluator comes from the cache, the gate must not."""
    kind, damage = request.param
    kept = {path: path.read_bytes() for path in evaluated.evaluations[kind].iterdir()}
    damage(evaluated.evaluations[kind])
    yield product.refuse(evaluated.candidate, product.reworded(f"{kind} {damage.__name__}"))
    for path, content in kept.items():
        path.write_bytes(content)


def _name(value: tuple[str, Callable[[Path], None]]) -> str:
    return f"{value[0]}-{value[1].__name__}"


@pytest.mark.parametrize(
    "damaged",
    [*(("evaluation", each) for each in DAMAGES), ("control_evaluation", cut_metrics_in_a_record)],
    indirect=True,
    ids=_name,
)
def test_an_evaluation_that_is_not_whole(damaged):
    assert damaged.run.nodes["Evaluator"].state == "CACHED"
    assert any("Run the Evaluator again." in sentence for sentence in damaged.failed())


class Judged:
    """A candidate that was judged and not blessed, and what somebody may then do to the verdict."""

    def __init__(self, product: Product):
        self.product = product
        self.candidate = product.candidate("forged", replace(shelf.GOOD, of={"liked": shelf.USELESS}))
        judged = product.run(without(product.nodes(self.candidate), "Pusher"))
        assert not judged.decision.blessed
        self.blessing = judged.run.output("BlessingGate", "blessing")[0]
        self.decision = Path(judged.run.output("BlessingGate", "decision")[0]) / "decision.json"

    def edit_file(self, old: str = "NOT_BLESSED", new: str = "BLESSED") -> None:
        (Path(self.blessing) / old).rename(Path(self.blessing) / new)

    def edit_metadata(self, value: int = 1) -> None:
        store = mlmd.MetadataStore(_connection(self.product.settings.metadata))
        (artifact,) = store.get_artifacts_by_uri(self.blessing)
        artifact.custom_properties["blessed"].int_value = value
        store.put_artifacts([artifact])

    def edit_decision(self) -> None:
        self.decision.write_text(self.decision.read_text().replace('"blessed": false', '"blessed": true'))

    def push(self) -> str:
        """Runs the pusher, with the gate's verdict from the cache; gives its error."""
        before = self.product.served()
        with pytest.raises(Exception, match="contradict") as raised:
            self.product.judge(self.candidate)
        assert self.product.served() == before
        return str(input_error(raised.value))


@pytest.fixture(scope="module")
def judged(product) -> Judged:
    return Judged(product)


@pytest.fixture
def forged(judged) -> Iterator[Judged]:
    """The same, mended after the test."""
    decision = judged.decision.read_text()
    yield judged
    if not (Path(judged.blessing) / "NOT_BLESSED").exists():
        judged.edit_file("BLESSED", "NOT_BLESSED")
    judged.edit_metadata(0)
    judged.decision.write_text(decision)


def _connection(path: str) -> metadata_store_pb2.ConnectionConfig:
    config = metadata_store_pb2.ConnectionConfig()
    config.sqlite.filename_uri = path
    return config


def test_a_blessing_file_edited_by_hand(forged):
    forged.edit_file()
    message = forged.push()
    assert "recorded as not blessed (file NOT_BLESSED), and the folder holds BLESSED" in message
    assert "Was it edited by hand?" in message


def test_a_decision_edited_by_hand(forged):
    forged.edit_decision()
    assert "the decision says blessed (Not blessed: liked auc" in forged.push()


def test_a_blessing_edited_in_its_file_and_in_the_metadata(forged):
    forged.edit_file()
    forged.edit_metadata()
    message = forged.push()
    assert "the decision says not blessed (Not blessed: liked auc" in message
    assert "the blessing blessed" in message


class Failing(ResolverStrategy):
    """A resolver that fails; TFX then goes on as if there were nothing to resolve."""

    def resolve_artifacts(self, store, input_dict):
        raise ValueError("the metadata are not what was expected")


@pytest.mark.parametrize("runner", list(Runner), ids=str)
def test_a_resolver_that_fails(product, evaluated, runner):
    before = product.served()
    outcome = product.run(product.nodes(evaluated.candidate, last_blessed=Failing), runner=runner)
    assert outcome.decision is None
    assert outcome.sentence == ""
    assert product.served() == before
    with pytest.raises(InputError, match="came to no decision; it stopped at BlessingGate, LastBlessed, Pusher"):
        summarize(product.root)
