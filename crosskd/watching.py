"""What `crosskd monitor` does before it judges: which model, which promise, which spans, and what they show."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import tensorflow_transform as tft
from tensorflow_metadata.proto.v0 import schema_pb2

from contracts import keys, nodes
from contracts.decision import Decision, MetricRow
from contracts.provenance import Provenance
from contracts.roles import ModelRole
from contracts.watch import Promise, WatchedMetric, WatchedSpan
from crosskd.places import SERVING
from crosskd.runs import Run, newest_runs
from evidence.watch.coverage import coverage
from evidence.watch.drift import drift, statistics_of
from evidence.watch.scoring import Kept, ScoredExamples, WatchedModel, measure, score_examples, watched_metrics
from evidence.watch.state import WatchState, order
from models.vocabulary import known_values
from records import documents
from records.manifest import damage
from records.spans import span_folders
from records.table_files import digest, is_uri, splits_of
from records.versions import Versions
from schema.errors import InputError
from schema.loader import read_schema
from schema.surface import EVAL_SPLIT, Surface

_RUNS_READ = 10_000
_SCHEMA, _SCHEMA_FILE = "schema", "schema.pbtxt"
# An interval of 95% in standard errors, from end to end.
_WIDTH = 2 * 1.959964
Say = Callable[[str], None]


@dataclass(frozen=True)
class Served:
    """The version that serves, and the run that pushed it.

    Attributes:
      version: Its number.
      pushed_as: The number under which it was pushed first.
      folder: Its SavedModel.
      provenance: Where it comes from.
      run: The run that pushed it.
    """

    version: int
    pushed_as: int
    folder: str
    provenance: Provenance
    run: Run


@dataclass(frozen=True)
class SpanPlace:
    """A span of examples: its name, and where it lies."""

    name: str
    place: Path


@dataclass(frozen=True)
class Chosen:
    """The spans that are looked at, in order, and those that are not.

    Attributes:
      spans: They are scored.
      immature: Their labels may still be arriving.
      trained: The model that serves was trained on them.
    """

    spans: tuple[SpanPlace, ...]
    immature: tuple[str, ...]
    trained: tuple[str, ...]


def served_version(root: Path, surface: str | None) -> Served:
    """What serves under a root.

    Args:
      root: The root.
      surface: Which surface; None where there is one alone.

    Raises:
      InputError: Nothing was pushed, it is damaged, or no run is known to have pushed it.
    """
    if not root.is_dir():
        raise InputError(f"{root}: no such folder. Expected the --root of a `crosskd run`.")
    versions = Versions(str(_pushed_folder(root, surface)))
    push = next(versions.history(lambda version: _restored(versions, version)))
    folder = versions.path(push.version)
    provenance = documents.read(folder, Provenance)
    if (problem := damage(folder, provenance.model_fingerprint)) is not None:
        raise InputError(f"{folder}, which serves, is damaged: {problem}. The next push repairs it.")
    return Served(push.version, push.original, folder, provenance, _pushing_run(root, provenance))


def _pushed_folder(root: Path, surface: str | None) -> Path:
    folders = sorted(each for each in (root / SERVING).iterdir()) if (root / SERVING).is_dir() else []
    pushed = [each for each in folders if each.is_dir() and Versions(str(each)).versions()]
    if not pushed:
        raise InputError(f"{root / SERVING}: nothing was pushed here yet, so that there is nothing to watch.")
    named = [each for each in pushed if surface in (None, each.name)]
    if len(named) != 1:
        names = ", ".join(each.name for each in pushed)
        raise InputError(f"--surface {surface or ''}: expected one of the surfaces that were pushed here: {names}")
    return named[0]


def _restored(versions: Versions, version: int) -> int | None:
    found = documents.find_whole(versions.path(version), Provenance)
    return found.restores if found else None


def _pushing_run(root: Path, provenance: Provenance) -> Run:
    """The first run that trained and blessed the model; later ones may have found it in the cache."""
    for run in reversed(newest_runs(root, _RUNS_READ)):
        trained = run.output(nodes.trainer(ModelRole.STUDENT), keys.MODEL)
        if trained and trained[0].rstrip("/") == provenance.model.rstrip("/") and _decision(run) is not None:
            return run
    raise InputError(
        f"{root}: version {provenance.version} serves, and no run here is known to have pushed it (its model was "
        f"{provenance.model}): what was promised of it is not known. Push with a run under this root."
    )


def _decision(run: Run) -> Decision | None:
    decided = run.output(nodes.BLESSING_GATE, keys.DECISION)
    return documents.find_whole(decided[0], Decision) if decided else None


def choose_spans(places: Sequence[Path], served: Served, maturity: int) -> Chosen:
    """The spans to look at.

    Args:
      places: Folders or files of examples, a span each; or patterns, and folders of spans.
      served: What serves.
      maturity: How many of the newest spans are left out, since their labels may still be arriving.

    Raises:
      InputError: There is none, or two have one name.
    """
    spans = sorted((span for place in places for span in _spans(place)), key=lambda span: order(span.name))
    names = [span.name for span in spans]
    doubled = sorted({name for name in names if names.count(name) > 1})
    if doubled:
        raise InputError(f"--examples: expected spans of different names, found two named {doubled[0]!r}")
    mature = spans[: len(spans) - maturity] if maturity else spans
    newest_trained = (served.provenance.origin.data_span or "").rpartition(":")[2]
    trained = [span for span in mature if newest_trained and order(span.name)[0] <= order(newest_trained)[0]]
    return Chosen(
        spans=tuple(span for span in mature if span not in trained),
        immature=tuple(span.name for span in spans[len(mature) :]),
        trained=tuple(span.name for span in trained),
    )


def _spans(place: Path) -> list[SpanPlace]:
    folders = None if is_uri(place) else span_folders(place)
    if folders is None:
        return [SpanPlace(place.name, place)]
    available = folders.available()
    if not available:
        raise InputError(f"{folders.base}: expected folders named {folders.name}, found none")
    return [SpanPlace(folders.title(span), folders.folder(span)) for span in available]


class Watcher:
    """Scores spans with what serves, and keeps what they showed.

    Attributes:
      served: What serves.
      surface: The surface as it was when that was judged.
      state: What was watched before.
    """

    def __init__(self, root: Path, served: Served, say: Say) -> None:
        self.served = served
        self.surface = Surface.model_validate_json(served.run.nodes[nodes.BLESSING_GATE].settings[keys.SURFACE])
        self.state = WatchState(root, self.surface.name)
        self._say = say
        self._known: dict[str, list[bytes]] | None = None

    def promise(self) -> Promise:
        """What was promised of what serves: kept, or worked out from the run that pushed it."""
        kept = self.state.promise(self.served.pushed_as)
        return kept[0] if kept else self._promise()

    def look_at(self, span: SpanPlace) -> WatchedSpan:
        """What a span shows; what is kept of it where nothing changed, or where another version served.

        Raises:
          InputError: The span has no examples, or they cannot be read.
        """
        told = digest([file for files in splits_of(span.place).values() for file in files])
        kept = self.state.span(span.name)
        if kept is not None and (kept.version != self.served.version or kept.digest == told):
            return kept
        found = self._show(span, told)
        self.state.keep_span(found)
        return found

    def _show(self, span: SpanPlace, told: str) -> WatchedSpan:
        self._say(f"looking at {span.name}")
        promise = self.promise()
        statistics = self.state.promise(self.served.pushed_as)
        assert statistics is not None  # self.promise keeps it
        scored = self._score(span.place, {name: frozenset(values) for name, values in promise.frequent.items()})
        schema = self._schema()
        return WatchedSpan(
            span=span.name,
            version=self.served.version,
            pushed_as=self.served.pushed_as,
            digest=told,
            rows=scored.rows,
            metrics=tuple(measure(self.surface, scored)),
            drift=tuple(drift(self.surface, schema, statistics[1], statistics_of(self.surface, schema, scored))),
            coverage=coverage(scored.columns, self._vocabularies()),
        )

    def _promise(self) -> Promise:
        """From the decision, and from what the gate judged the model on."""
        self._say(f"reading what was promised of version {self.served.pushed_as}")
        decision = _decision(self.served.run)
        assert decision is not None  # the run was found by it
        judged = Path(self._artifact(nodes.TEACHER_LABELER, keys.LABELLED_EXAMPLES), f"Split-{EVAL_SPLIT}")
        scored = self._score(judged, None)
        promised, notes = promised_metrics(self.surface, decision)
        found = Promise(
            version=self.served.pushed_as,
            run_id=self.served.run.run_id,
            decision=decision.sentence,
            metrics=tuple(promised),
            coverage=coverage(scored.columns, self._vocabularies()),
            frequent={name: tuple(sorted(values, key=str)) for name, values in scored.frequent.items()},
            notes=tuple(notes),
        )
        self.state.keep_promise(found, statistics_of(self.surface, self._schema(), scored))
        return found

    def _score(self, place: Path, frequent: Kept | None) -> ScoredExamples:
        return score_examples(WatchedModel(self.served.folder, self.surface, self._schema()), place, frequent)

    def _schema(self) -> schema_pb2.Schema:
        return read_schema(Path(self._artifact(nodes.IMPORT_SCHEMA_GEN, _SCHEMA), _SCHEMA_FILE))

    def _vocabularies(self) -> dict[str, list[bytes]]:
        if self._known is None:
            graph = tft.TFTransformOutput(self._artifact(nodes.TRANSFORM, keys.TRANSFORM_GRAPH))
            self._known = known_values(self.surface, graph)
        return self._known

    def _artifact(self, node: str, key: str) -> str:
        found = self.served.run.output(node, key)
        if found is None or not Path(found[0]).is_dir():
            raise InputError(
                f"{found[0] if found else node}: expected {key} of the run {self.served.run.run_id}, which pushed what "
                "serves, found it gone: what was promised cannot be worked out. Push again with a run under this root."
            )
        return found[0]


def promised_metrics(surface: Surface, decision: Decision) -> tuple[list[WatchedMetric], list[str]]:
    """The metrics that are watched, as the gate saw them, and what it saw too little of.

    Args:
      surface: The surface.
      decision: The decision of the run that pushed.
    """
    wanted = {(task, metric.name) for task, metric in watched_metrics(surface)}
    rows = [row for row in decision.metrics if (row.task, row.metric) in wanted]
    found = [_promised(row) for row in rows]
    unknown = [f"{each.task} {each.metric} {each.slice or 'overall'}" for each in found if each.error is None]
    notes = [f"Not watched, since the gate saw no interval of them: {', '.join(unknown)}."] if unknown else []
    return [each for each in found if each.error is not None], notes


def _promised(row: MetricRow) -> WatchedMetric:
    of = row.student
    value = of.value if of else None
    error = None
    if of is not None and value is not None and of.lower is not None and of.upper is not None:
        error = (of.upper - of.lower) / _WIDTH
    return WatchedMetric(
        task=row.task, metric=row.metric, slice=row.slice, examples=row.examples, value=value, error=error
    )
