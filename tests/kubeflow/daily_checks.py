"""Checks of what a daily run on Kubeflow relies on; `test_mutations` shows what each of them notices."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

from contracts.continuation import StartingPoint
from contracts.decision import Decision
from contracts.provenance import Origin, Provenance, TrainingLeft
from records import documents
from records.fingerprint import fingerprint
from records.training_states import STATE_FOLDER, ArmState, folder_of, leave
from schema.loader import load_surface
from tests.components.continuation.states import write_state
from tests.components.evaluation_report import handmade
from tests.e2e import library
from tests.kubeflow.backend import Cluster, OpenSource, TaskFailedError
from tests.kubeflow.kit import Kit


def tomorrow_finds_the_examples_of_today(kit: Kit) -> None:
    """What the newest span's node made is, a day later, in the cache of the node of the span before."""
    kit.request = replace(kit.request, window=2)
    cluster = replace(kit.cluster, cache={})
    today = kit.backend(kit.compile(span="1"), cluster=cluster)
    today.run_task(today.task("import-example-gen"))
    tomorrow = kit.backend(kit.compile(span="2"), cluster=cluster)
    tomorrow.run_task(tomorrow.task("import-example-gen-before-1"))
    assert tomorrow.cached == {"import-example-gen-before-1"}
    assert _uri(tomorrow, "import-example-gen-before-1") == _uri(today, "import-example-gen")


def _uri(backend: OpenSource, task: str) -> str:
    return str(backend.artifacts[task, "examples"]["uri"])


def candidates_come_from_a_bucket(kit: Kit) -> None:
    """Pairs are read from logs of candidates, by a node that Beam alone could not give a bucket to."""
    kit.cluster.store.upload(
        library.write_candidates(kit.folder / "candidates", rows=40, seed=7), "s3://elsewhere/candidates"
    )
    text = library.SURFACE + library.PAIRS
    folder = library.write_surface(kit.folder / "pairs", surface=text, schema=library.SCHEMA_WITH_PAIRS)
    kit.request = replace(
        kit.request, surface=load_surface(folder).surface, schema=(folder / "schema.pbtxt").read_text()
    )
    places = {
        "candidates": "s3://elsewhere/candidates",
        "candidates_fingerprint": fingerprint(str(kit.folder / "candidates")),
    }
    backend = kit.backend(kit.compile(**places))
    for name in ("import-schema-gen", "import-example-gen", "candidate-sampler"):
        backend.run_task(backend.task(name))
    assert (backend.artifact("candidate-sampler", "extended_examples") / "Split-unlabelled").is_dir()
    report = json.loads((backend.artifact("candidate-sampler", "candidate_report") / "report.json").read_text())
    assert report["source"] == "s3://elsewhere/candidates"


def decided(kit: Kit, blessed: bool) -> OpenSource:
    """A run that came as far as a decision, and whose student was not pushed."""
    backend = kit.backend(kit.compile())
    sentence = "Every gate was passed." if blessed else "AUC is too low."
    decision = Decision(
        surface="library", blessed=blessed, first_run=True, sentence=sentence, gates=(), checks=(), metrics=()
    )
    folder = kit.folder / f"decision-{blessed}"
    documents.write(str(folder), decision)
    labels = kit.folder / f"labels-{blessed}"
    documents.write(str(labels), handmade.labels())
    _give(backend, "blessing-gate", "decision", folder, "crosskd.GateDecision")
    _give(backend, "blessing-gate", "blessing", folder, "tfx.ModelBlessing", current_model=f"s3://b/{blessed}")
    _give(backend, "teacher-labeler", "label_report", labels, "crosskd.LabelReport")
    _give(backend, "evaluation-report", "page", folder, "system.HTML")
    _give(backend, "pusher", "pushed_model", folder, "tfx.PushedModel", pushed=0, sentence="Not pushed: superseded.")
    return backend


def _give(backend: OpenSource, task: str, key: str, folder: Path, title: str, **metadata: Any) -> None:
    """Lets a task have made something."""
    uri = f"{backend.root}/{task}/given/{key}"
    backend.cluster.store.upload(folder, uri)
    made = backend.metadata.record(key, {"uri": uri, "type": {"schemaTitle": title}, "metadata": metadata})
    backend.artifacts[task, key] = backend.metadata.runtime_artifact(made)


def a_run_shows_what_it_came_to(kit: Kit) -> None:
    """By the exit codes of the command, at the first attempt."""
    said = {True: "exit code 4\n.*Blessed, and not pushed: superseded", False: "exit code 3\n.*Not blessed: AUC is"}
    for blessed, message in said.items():
        backend = decided(kit, blessed)
        ended = _failure(backend, "outcome")
        assert re.search(rf"(?s)outcome: failed; the last of 1 attempts: {message}", ended), ended


def _failure(backend: OpenSource, name: str) -> str:
    """How a task failed; nothing where it succeeded."""
    try:
        backend.run_task(backend.task(name))
    except TaskFailedError as failed:
        return str(failed)
    return ""


def a_run_finds_the_runs_before_it(kit: Kit) -> None:
    for blessed, expected in ((True, []), (False, ["Every gate was passed."])):
        backend = decided(kit, blessed)
        backend.run_task(backend.task("earlier-runs"))
        made = backend.artifacts["earlier-runs", "earlier_decisions"]
        assert len(json.loads(made["metadata"].get("parts", "[]"))) == len(expected)
        found = sorted(backend.path(made["uri"]).glob("*"))
        assert [documents.read(str(each), Decision).sentence for each in found] == expected


ARMS = ("student", "control")


def a_run_continues_from_what_serves(kit: Kit) -> None:
    """Each arm from its own, as soon as something serves; never out of the cache, and not from what is damaged."""
    text = library.SURFACE.replace("training: {", "training: {continue_from: served, ")
    surface = load_surface(library.write_surface(kit.folder / "continuing", surface=text)).surface
    kit.request, cluster = replace(kit.request, surface=surface), replace(kit.cluster, cache={})
    serving = f"s3://elsewhere/continued/{kit.folder.name}"
    cold, _ = _continuation(kit, cluster, serving)
    assert [(point.role, point.version, point.data) for point in cold] == [(role, None, "span/1") for role in ARMS]
    left = _serve(kit, serving, version=7)
    warm, states = _continuation(kit, cluster, serving)
    assert [(point.role, point.version, point.lineage) for point in warm] == [(role, 7, ("span/0",)) for role in ARMS]
    assert [(state.role, state.data) for state in states] == [(role, "span/0") for role in ARMS]
    weights = f"{folder_of(serving, left.digest, 'control')}/weights.npz"
    bucket, _, key = weights.removeprefix("s3://").partition("/")
    cluster.store.client.delete_object(Bucket=bucket, Key=key)
    ended = _failure(_with_examples(kit, cluster, serving), "continuation")
    assert re.search(r"(?s)exit code 2\n.*Not tried again: .*damaged or gone", ended), ended


def _continuation(kit: Kit, cluster: Cluster, serving: str) -> tuple[list[StartingPoint], list[ArmState]]:
    """What both arms of a run are handed."""
    backend = _with_examples(kit, cluster, serving)
    backend.run_task(backend.task("continuation"))
    assert "continuation" not in backend.cached
    folders = [backend.artifact("continuation", role) / "Format-Serving" for role in ARMS]
    states = [each / STATE_FOLDER for each in folders if (each / STATE_FOLDER).is_dir()]
    return [documents.read(str(each), StartingPoint) for each in folders], [
        documents.read(str(each), ArmState) for each in states
    ]


def _with_examples(kit: Kit, cluster: Cluster, serving: str) -> OpenSource:
    """A run that came as far as its examples."""
    backend = kit.backend(kit.compile(serving=serving), cluster=cluster)
    backend.run_task(backend.task("import-example-gen"))
    return backend


def _serve(kit: Kit, bucket: str, version: int) -> TrainingLeft:
    """A version in the bucket, and what its run left of both arms."""
    serving = kit.folder / "continued"
    runs = {role: write_state(kit.folder / "left" / role, role, "span/0") for role in ARMS}
    left = TrainingLeft(digest=leave(str(serving), runs), data="span/0", lineage=())
    provenance = Provenance(
        version=version,
        pushed_at="",
        model="",
        model_fingerprint="",
        decision="",
        origin=Origin(surface="library", data_span="0"),
        training=left,
    )
    documents.write(str(serving / str(version)), provenance)
    kit.cluster.store.upload(serving, bucket)
    return left
