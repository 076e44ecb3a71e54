"""Bad records among good ones: counted exactly, the rest unharmed, in memory that does not grow.

Claim (docs/labelling.md): of a million records 10,000 bad ones of eight kinds become dead letters, each
with its place and its reason; every other record is labelled, in its order; the peak memory is that of a
fifth of the records; and it takes not much longer than as many good records alone.

    python -m benchmarks.bad_records --json OUT

Each labelling runs in a process of its own, for its peak memory, which is this module called with one
argument: the run as JSON.
"""

from __future__ import annotations

import gzip
import json
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import tensorflow as tf
import typer
from tfx.types import artifact_utils, standard_artifacts

from benchmarks.labels.ways import run_labeler
from crosskd.terminal import TERMINAL, seconds
from records.tfrecords import RecordWriter, read_records
from schema.surface import Surface

SPLIT = "train"
_SHARD_ROWS = 50_000
_BLOCK = 10_000
_EVERY = 100  # one record in so many is bad
_MOST = 0.02  # the bound on bad records
_MOST_NUMBER = 1000  # what the teacher refuses lies beyond
_SMALL_SHARE = 5


def main(
    records: Annotated[int, typer.Option(min=10_000, help="Records, of which one in a hundred is bad.")] = 1_000_000,
    out: Annotated[Path, typer.Option("--json", help="Where the figures go.")] = Path(
        "benchmarks/results/bad_records.json"
    ),
) -> None:
    """Label good records with bad ones among them."""
    started = time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix="crosskd-bad-records-"))
    try:
        _save_teacher(folder / "teacher")
        small = _measure(folder, records // _SMALL_SHARE)
        large = _measure(folder, records)
        good = _measure(folder, records, spoilt=False)
    finally:
        shutil.rmtree(folder)
    figures = {
        "runs": [small, large, good],
        "ratio_of_peak_memory": round(large["peak_mib"] / small["peak_mib"], 3),
        "ratio_of_seconds_to_good_alone": round(large["seconds"] / good["seconds"], 2),
        "exact": all(each["exact"] for each in (small, large, good)),
    }
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(figures, indent=2) + "\n")
    TERMINAL.json(figures)
    TERMINAL.say(f"done in {seconds(started)}")
    if not figures["exact"]:
        raise typer.Exit(1)


def _good(number: int) -> tf.train.Example:
    """Record `number` as it should be; its soft label is 2 `x` + `n`."""
    made = tf.train.Example()
    features = made.features.feature
    features["x"].float_list.value.append(float(number % 4096))
    features["n"].bytes_list.value.append(str(number % 100).encode())
    features["number"].int64_list.value.append(number)
    features["clicked"].int64_list.value.append(number % 2)
    return made


def _of_another_type(made: tf.train.Example) -> bytes:
    made.features.feature["x"].bytes_list.value.append(b"words")
    return bytes(made.SerializeToString())


def _two_values(made: tf.train.Example) -> bytes:
    made.features.feature["x"].float_list.value.append(1.0)
    return bytes(made.SerializeToString())


def _without(made: tf.train.Example) -> bytes:
    del made.features.feature["x"]
    return bytes(made.SerializeToString())


def _no_number(made: tf.train.Example) -> bytes:
    made.features.feature["n"].bytes_list.value[0] = b"seven"
    return bytes(made.SerializeToString())


def _refused(made: tf.train.Example) -> bytes:
    made.features.feature["n"].bytes_list.value[0] = str(10 * _MOST_NUMBER).encode()
    return bytes(made.SerializeToString())


def _not_finite(made: tf.train.Example) -> bytes:
    made.features.feature["x"].float_list.value[0] = float("nan")
    return bytes(made.SerializeToString())


# Eight ways to spoil a record, with the reason that its dead letter must bear.
_KINDS: tuple[tuple[str, Callable[[tf.train.Example], bytes]], ...] = (
    ("unparsable", lambda made: b"\xff\xfe" + bytes(made.SerializeToString())[:7]),
    ("unparsable", lambda made: bytes(made.SerializeToString())[:-3]),
    ("wrong_type", _of_another_type),
    ("wrong_size", _two_values),
    ("missing_feature", _without),
    ("uncastable", _no_number),
    ("teacher_failed", _refused),
    ("non_finite", _not_finite),
)


def _spoiling(number: int) -> tuple[str, Callable[[tf.train.Example], bytes]] | None:
    """What is done to a record; the place within a hundred moves, so that none is at the same place in a batch."""
    hundred, place = divmod(number, _EVERY)
    return _KINDS[hundred % len(_KINDS)] if place == (hundred * 37) % _EVERY else None


def _record(number: int, *, spoilt: bool) -> bytes:
    spoiling = _spoiling(number) if spoilt else None
    return spoiling[1](_good(number)) if spoiling else bytes(_good(number).SerializeToString())


def _write(folder: Path, count: int, *, spoilt: bool) -> None:
    target = folder / f"Split-{SPLIT}"
    target.mkdir(parents=True)
    shards = -(-count // _SHARD_ROWS)
    for shard in range(shards):
        numbers = range(shard * _SHARD_ROWS, min((shard + 1) * _SHARD_ROWS, count))
        with (target / f"data-{shard:05d}-of-{shards:05d}.gz").open("wb") as file:
            writer = RecordWriter(file, 1)
            for start in range(0, len(numbers), _BLOCK):
                writer.write([_record(number, spoilt=spoilt) for number in numbers[start : start + _BLOCK]])
            writer.finish()


def _surface() -> Surface:
    return Surface.model_validate(
        {
            "name": "bad",
            "features": {"x": {"kind": "numeric"}},
            "tasks": {
                "click": {"kind": "binary", "label": "clicked", "ungated": "a benchmark", "distil": {"from": "click"}}
            },
            "teacher": {
                "tasks": {"click": {"kind": "binary"}},
                "features": {"x": {"dtype": "float"}, "n": {"dtype": "int"}},
                "max_bad_fraction": _MOST,
            },
        }
    )


class _Teacher(tf.Module):
    """Answers 2 x + n, and refuses large numbers, as an embedding does."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = tf.Variable(2.0)

    @tf.function(
        input_signature=[tf.TensorSpec([None, 1], tf.float32, name="x"), tf.TensorSpec([None, 1], tf.int64, name="n")]
    )
    def rank(self, x: tf.Tensor, n: tf.Tensor) -> dict[str, tf.Tensor]:
        with tf.control_dependencies([tf.debugging.assert_less(n, tf.constant(_MOST_NUMBER, tf.int64))]):
            return {"click": self.scale * x + tf.cast(n, tf.float32)}


def _save_teacher(folder: Path) -> None:
    teacher = _Teacher()
    tf.saved_model.save(teacher, str(folder), signatures={"serving_default": teacher.rank})


def _measure(folder: Path, count: int, *, spoilt: bool = True) -> dict[str, Any]:
    """Labels `count` records in a process of its own, and looks at every record and letter that came of it."""
    what = f"{count:,} records, {'one in a hundred of them bad' if spoilt else 'all of them good'}"
    TERMINAL.say(f"writing {what}")
    examples, out = folder / f"examples-{count}-{spoilt}", folder / f"out-{count}-{spoilt}"
    _write(examples, count, spoilt=spoilt)
    request = {"teacher": str(folder / "teacher"), "examples": str(examples), "out": str(out)}
    command = [sys.executable, "-m", "benchmarks.bad_records", json.dumps(request)]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", errors="replace", check=False)
    if done.returncode:
        raise RuntimeError(f"a labelling process failed:\n{done.stderr[-4000:]}")
    answer = json.loads(done.stdout.splitlines()[-1])
    expected = {number: spoiling[0] for number in range(count) if spoilt and (spoiling := _spoiling(number))}
    letters = dict(_letters(out))
    labelled = _check_labels(out, expected, count)
    TERMINAL.say(f"{what}: {answer['seconds']:.0f} s, {answer['peak_mib']:.0f} MiB at most")
    return {
        "records": count,
        "bad": dict(Counter(expected.values())),
        "counted": answer["bad"],
        "labelled": labelled,
        "exact": letters == expected and answer["bad"] == dict(Counter(expected.values())),
        "seconds": round(answer["seconds"], 1),
        "peak_mib": round(answer["peak_mib"]),
    }


def _letters(out: Path) -> Iterator[tuple[int, str]]:
    """Number and reason of each dead letter."""
    for path in sorted(out.glob("dead_letters/**/*.jsonl.gz")):
        for line in gzip.decompress(path.read_bytes()).splitlines():
            letter = json.loads(line)
            shard = int(Path(letter["file"]).name.split("-")[1])
            yield shard * _SHARD_ROWS + letter["position"], letter["reason"]


def _check_labels(out: Path, bad: dict[int, str], count: int) -> int:
    """How many records were labelled: all good ones in their order, each with its own label.

    Raises:
      RuntimeError: They are not.
    """
    spec = {name: tf.io.FixedLenFeature([], dtype) for name, dtype in (("number", tf.int64), ("x", tf.float32))}
    spec |= {"n": tf.io.FixedLenFeature([], tf.string), "teacher/click": tf.io.FixedLenFeature([], tf.float32)}
    good = (number for number in range(count) if number not in bad)
    labelled = 0
    for path in sorted(out.glob(f"examples/Split-{SPLIT}/*.gz")):
        with path.open("rb") as file:
            for batch in read_records(file, compressed=True, batch_size=4096):
                parsed = tf.io.parse_example(batch, spec)
                numbers = parsed["number"].numpy()
                expected = 2 * (numbers % 4096) + numbers % 100
                if numbers.tolist() != [next(good) for _ in numbers] or np.any(parsed["teacher/click"] != expected):
                    raise RuntimeError(f"{path}: not the good records with their labels, around record {numbers[0]}")
                labelled += len(batch)
    if next(good, None) is not None:
        raise RuntimeError(f"{out}: good records are not there")
    return labelled


def _label(request: dict[str, str]) -> dict[str, Any]:
    artifact = standard_artifacts.Examples()
    artifact.uri, artifact.split_names = request["examples"], artifact_utils.encode_split_names([SPLIT])
    artifact.set_string_custom_property("payload_format", "FORMAT_TF_EXAMPLE")
    artifact.set_string_custom_property("file_format", "tfrecords_gzip")
    started = time.monotonic()
    report = run_labeler(
        Path(request["teacher"]), artifact, Path(request["out"]), surface=_surface(), max_bad_fraction=_MOST
    )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"bad": report.overall.bad, "seconds": time.monotonic() - started, "peak_mib": peak}


if __name__ == "__main__":
    if len(sys.argv) == 2 and sys.argv[1].startswith("{"):
        print(json.dumps(_label(json.loads(sys.argv[1]))))
    else:
        typer.run(main)
