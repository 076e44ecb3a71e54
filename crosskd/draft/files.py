"""Writes the three files of a drafted surface folder."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import Path
from typing import Any

import yaml
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from crosskd.draft.guesses import FeatureGuess
from crosskd.draft.sample import ExampleSample
from crosskd.draft.teacher import TeacherDraft
from schema.base import TaskKind
from schema.features import EventSequence
from schema.loader import RAW, SCHEMA_FILE, SERVING, SURFACE_FILE, TRAINING
from schema.metrics import main_metric
from schema.reference import json_schema
from schema.surface import soft_label

JSON_SCHEMA_FILE = "surface.schema.json"
NAMES = (SURFACE_FILE, SCHEMA_FILE, JSON_SCHEMA_FILE)
# A finite logit beyond odds of e^50 is a broken teacher; a regression's unit is not known here.
_SOFT_LABEL_RANGE = (-50.0, 50.0)
_NOT_CLEARLY_WORSE = -0.01
_MOST_DRIFT = 0.1  # Jensen-Shannon divergence from the span before, where the examples come in spans

_HEAD = """\
# yaml-language-server: $schema={schema_file}
#
# Drafted by `crosskd init` from {rows:,} examples of {examples}.
# What follows a `# guess:` was guessed from a name or from this sample: read it, and mend it.
# A line marked GAP asks what no sample tells: answer it, or leave the column out.  The keys are
# explained in {schema_file} (an editor with a YAML language server shows it while you type)
# and in the documentation.
name: {name}
"""
_FEATURES = """
# What the student reads.  Whatever a server does not have when it ranks must not stand here.
features:
"""
_SEQUENCES = """
# What users did lately: how many events are read, which end is the newest, and how they become one vector.
sequences:
"""
_TASKS = """
# What is predicted and served.  The gates below only say "not clearly worse than without distillation,
# nor than the model that was blessed last": add `at_least`, the least that is of use.
tasks:
"""
_NO_TASK = """\
  # GAP: no column looks like a hard label.  Name the task, and put its column for LABEL_COLUMN.
  my_task:
    kind: %s # or regression
    label: LABEL_COLUMN
    gates:
"""
_TEACHER = """
# How the teacher is called, and what becomes its inputs: a column of the same name, `from:` another
# one, or `default:` where the target has nothing.
teacher:
"""
_NO_TEACHER = """
# GAP: no `teacher:`, so this is a source domain, or a target yet without a teacher.  Remove the
# folder and give `crosskd init` a SavedModel with --teacher, and this section is written from its signature.
"""
_REST = """
# Parts of the evaluation data that are reported, and may be gated, by feature value.
slices: {}

# The student's shape and training; these are the defaults.
model: {trunk: [64, 32], tower: [16]}
"""
_TRAINING = """\
training: {epochs: 10, batch_size: 256, learning_rate: 0.001}
"""
# What chooses the epoch, where the examples are divided by time.
_IN_TIME = """\
# guess: the sample is in the order of time, and `split:` below evaluates what came last.  So the last training rows,
# of later days and of new people as those that judge, choose the epoch (`hold_out: last`), and not every tenth.
training: {epochs: 10, batch_size: 256, learning_rate: 0.001, hold_out: last}
"""
_NOT_IN_TIME = """\
# Every tenth training row chooses the epoch, and `split:` below evaluates what came last.  This sample is not in the
# order of time: write the examples in it, and add `hold_out: last`, which chooses by rows of later days and new people.
training: {epochs: 10, batch_size: 256, learning_rate: 0.001}
"""
_SPLIT = """
# guess: how the examples are divided into training and evaluation, as there is no train/ and eval/:
# by time (what came last is evaluated, as in production), by group (of a person, or a request) or random.
split: {split}
"""
_SCHEMA_HEAD = """\
# The TFDV schema of the examples (tensorflow.metadata.v0.Schema, in text form), drafted by `crosskd init`:
# types, presence and shapes as TensorFlow Data Validation infers them from {rows:,} examples.
#
# Environments: RAW is the examples as they arrive, TRAINING as they are once the teacher has labelled
# them, SERVING what a server sends.  A column without a shape may be absent from an example.
# No range or set of values is taken from the sample, but for labels that are 0 or 1: add what must hold.
"""


@dataclass(frozen=True)
class Draft:
    """All that the files say.

    Attributes:
      name: Name of the surface.
      examples: Where the sample is from.
      sample: What was read.
      features: Guesses by column.
      tasks: Kind by label column; tasks are named after it.
      left_out: Why a column is no feature, by column; labels are not among them.
      asked: Of other columns that are no features yet, what is asked, and the line that makes it one.
      group: Column of requests, if one was found.
      split: How examples without `train/` and `eval/` are divided, in YAML's flow style; None for others.
      in_time: Whether the sample is in the order of the time that divides the examples; None where none does.
      teacher: The teacher's section; None without a teacher.
      labels_said: Whether the user named the labels, so that none is a guess.
    """

    name: str
    examples: Path
    sample: ExampleSample
    features: Mapping[str, FeatureGuess]
    tasks: Mapping[str, TaskKind]
    left_out: Mapping[str, str]
    asked: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    group: str | None = None
    split: str | None = None
    in_time: bool | None = None
    teacher: TeacherDraft | None = None
    labels_said: bool = False


def write(draft: Draft, folder: Path) -> None:
    """Writes ``surface.yaml``, ``schema.pbtxt`` and ``surface.schema.json`` into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / SURFACE_FILE).write_text(surface_text(draft), encoding="utf-8")
    (folder / SCHEMA_FILE).write_text(schema_text(draft), encoding="utf-8")
    (folder / JSON_SCHEMA_FILE).write_text(json.dumps(json_schema(), indent=1) + "\n", encoding="utf-8")


def surface_text(draft: Draft) -> str:
    """``surface.yaml``, with a comment beside each guess."""
    head = _HEAD.format(schema_file=JSON_SCHEMA_FILE, rows=draft.sample.rows, examples=draft.examples, name=draft.name)
    tasks = "".join(_task(draft, label, kind) for label, kind in draft.tasks.items())
    parts = [
        head,
        _FEATURES,
        *_features(draft),
        *_sequences(draft),
        _TASKS,
        tasks or _NO_TASK % TaskKind.BINARY + _gate(TaskKind.BINARY),
        *_teacher(draft.teacher),
        _REST,
        {None: _TRAINING, True: _IN_TIME, False: _NOT_IN_TIME}[draft.in_time],
    ]
    if draft.split:
        parts.append(_SPLIT.format(split=draft.split))
    if draft.group:
        parts.append(f"\n# guess: examples of one {draft.group} were ranked together.\ngroup: {draft.group}\n")
    return "".join(parts)


def schema_text(draft: Draft) -> str:
    """``schema.pbtxt``: what was inferred, with the three environments and the soft labels."""
    schema = schema_pb2.Schema(default_environment=[RAW, TRAINING, SERVING])
    for inferred in draft.sample.schema.feature:
        feature = schema.feature.add()
        feature.CopyFrom(inferred)
        _settle(feature, draft)
    for task in draft.teacher.tasks if draft.teacher else ():
        _add_soft_label(schema, task)
    return _SCHEMA_HEAD.format(rows=draft.sample.rows) + text_format.MessageToString(schema)


def _features(draft: Draft) -> Iterator[str]:
    for name, guess in draft.features.items():
        content: dict[str, Any] = {"kind": str(guess.kind), "side": str(guess.side)}
        content |= {"size": guess.size} if guess.size > 1 else {}
        content |= {} if guess.default is None else {"default": guess.default}
        content |= {} if guess.embedding is None else {"embedding": guess.embedding}
        content |= {"many": True} if guess.many else {}
        content |= {} if guess.sequence is None else {"sequence": guess.sequence}
        content |= {} if guess.embedding_of is None else {"embedding_of": guess.embedding_of}
        note = draft.sample.columns[name].note
        yield f"  {_key(name)}: {_flow(content)} # guess: {guess.why}{f'; {note}' if note else ''}\n"
    for name, (question, line) in draft.asked.items():
        yield f"  # GAP {name}: {question}\n  # {_key(name)}: {line}\n"
    for name, why in draft.left_out.items():
        yield f"  # {name} is left out: {why}\n"


def _sequences(draft: Draft) -> Iterator[str]:
    """How each sequence is read; by attention where its events are of the ids that are ranked."""
    found: dict[str, bool] = {}
    for guess in draft.features.values():
        if guess.sequence is not None:
            found[guess.sequence] = found.get(guess.sequence, False) or guess.embedding_of is not None
    if found:
        yield _SEQUENCES
    for name, shared in found.items():
        content = {"length": EventSequence().length, "newest": "first"} | ({"read": "attention"} if shared else {})
        yield f"  {_key(name)}: {_flow(content)} # guess: the newest event comes first\n"


def _task(draft: Draft, label: str, kind: TaskKind) -> str:
    name = task_name(label)
    distil = _distil(name, draft.teacher.tasks) if draft.teacher else ""
    values = "0 or 1" if draft.sample.columns[label].is_flag else "not in every example"
    guess = "" if draft.labels_said else f" # guess: {values}, and an action by its name: a label"
    return f"  {name}:\n    kind: {kind}\n    label: {_key(label)}{guess}\n{distil}    gates:\n{_gate(kind)}"


def _gate(kind: TaskKind) -> str:
    """A gate that only says: not clearly worse."""
    least = {"at_least": _NOT_CLEARLY_WORSE}
    return f"      - {_flow({'metric': main_metric(kind).name, 'vs_last_blessed': least, 'vs_control': dict(least)})}\n"


def _distil(task: str, teacher_tasks: Sequence[str]) -> str:
    if task in teacher_tasks:
        return f"    distil: {_flow({'from': task})} # guess: the teacher's task of the same name\n"
    if not teacher_tasks:
        return ""
    example = _flow({"from": max(teacher_tasks, key=lambda each: _likeness(task, each))})
    return f"    # distil: {example} # GAP if it learns from one of: {', '.join(teacher_tasks)}\n"


def _likeness(task: str, other: str) -> int:
    """The letters that two names begin a word with alike: `clicked` and `p_click` have five."""
    pairs = [(one, two) for one in task.lower().split("_") for two in other.lower().split("_")]
    return max(sum(1 for _ in takewhile(lambda both: both[0] == both[1], zip(*pair, strict=False))) for pair in pairs)


def task_name(label: str) -> str:
    """A task's name may hold letters, digits and underscores, and begins with a letter."""
    name = "".join(each if each.isascii() and each.isalnum() else "_" for each in label).strip("_")
    return name if name[:1].isalpha() else f"task_{name}"


def _teacher(teacher: TeacherDraft | None) -> Iterator[str]:
    if teacher is None:
        yield _NO_TEACHER
        return
    yield _TEACHER
    yield f"  signature: {_key(teacher.content['signature'])}\n  takes: {teacher.content['takes']}\n"
    for section in ("tasks", "features"):
        yield f"  {section}:\n"
        for name, content in teacher.content[section].items():
            note = f" # {teacher.notes[name]}" if name in teacher.notes else ""
            yield f"    {_key(name)}: {_flow(content)}{note}\n"
    for name, (question, lines) in teacher.asked.items():
        yield f"    # GAP {name}: {question} Take away the # of one:\n"
        for content, means in zip(lines, ("yes", "no, or not known: it is filled"), strict=True):
            yield f"    # {_key(name)}: {_flow(content)} # {means}\n"


def _settle(feature: schema_pb2.Feature, draft: Draft) -> None:
    """A scalar's shape as parsers want it, ranges for labels alone, and where the column exists."""
    column = draft.sample.columns[feature.name]
    guess = draft.features.get(feature.name)
    if guess is not None and (guess.many or guess.sequence is not None):
        # A list may be empty, or absent, or longer than in this sample.
        for field in ("shape", "value_count"):
            feature.ClearField(field)
        feature.presence.ClearField("min_fraction")
    if feature.HasField("shape") and column.size == 1:
        feature.ClearField("shape")
        feature.shape.SetInParent()
    if feature.WhichOneof("domain_info"):
        feature.ClearField(feature.WhichOneof("domain_info"))
    if draft.tasks.get(feature.name) is TaskKind.BINARY and feature.type == schema_pb2.INT:
        feature.int_domain.min, feature.int_domain.max = 0, 1
    if feature.name not in draft.features:
        feature.not_in_environment.append(SERVING)


def _add_soft_label(schema: schema_pb2.Schema, task: str) -> None:
    feature = schema.feature.add(name=soft_label(task), type=schema_pb2.FLOAT, not_in_environment=[RAW, SERVING])
    feature.presence.min_fraction = 1
    feature.presence.min_count = 1
    feature.value_count.min = feature.value_count.max = 1
    feature.float_domain.min, feature.float_domain.max = _SOFT_LABEL_RANGE
    feature.float_domain.disallow_nan = feature.float_domain.disallow_inf = True
    feature.drift_comparator.jensen_shannon_divergence.threshold = _MOST_DRIFT


def _flow(content: Mapping[str, Any]) -> str:
    return yaml.safe_dump(dict(content), default_flow_style=True, sort_keys=False, width=1000).strip()


def _key(name: str) -> str:
    """A name as YAML, quoted where it must be."""
    return yaml.safe_dump(name, width=1000).strip().removesuffix("...").strip()
