"""What a run of the pipeline is bound to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from contracts.provenance import Origin
from records.spans import Window
from schema.surface import Surface


@dataclass(frozen=True)
class Folder:
    """Where a folder lies, and the fingerprint of its content."""

    path: str
    fingerprint: str


@dataclass(frozen=True)
class Settings:
    """Everything a run is bound to; the runners fill it, the pipeline only reads it.

    Attributes:
      surface: The surface.
      schema_path: Its TFDV schema.  TFX's cache knows it by path, so the path must
        change with the content.
      examples: Folder with `train/` and `eval/`, gzipped TFRecords of tf.Example; with a
        window, the folder that holds the spans' folders.
      teacher: The teacher's SavedModel.
      teacher_fingerprint: The fingerprint of its content.
      root: Where artifacts go.
      serving: Where a blessed student is pushed, one numbered folder per version.
      metadata: The SQLite file of ML Metadata, or the URL of a database server; see `pipeline.metadata`.
      beam_args: Arguments of every Beam pipeline.
      pairs_from: Folders of gzipped TFRecords of tf.Example that unlabelled pairs are made of
        beside the examples, by `schema.candidates.PAIRS_FROM`.
      measurements: Folder in which the runner keeps a `contracts.measurements.Measurements` of the nodes; empty
        where it measures none.
      code_revision: The version control revision of the code, for provenance.
      span: The span of the examples, where no window says it.
      window: The spans to train on; the last one is labelled and evaluated.  None where
        the examples are not divided into spans.
      earlier: Folders of examples of the spans before the run's own one, the nearest first, that are
        labelled in the same pipeline and trained on: for backends where no resolver of ours finds
        what earlier runs labelled.  Their caches find it instead.
      data_span: What `span` and `earlier` are together, for provenance; None derives it from `span`.
      trainer_workers: How many processes of its machine a Trainer starts, which train together.
      announced: Examples of each split, of the newest span, as counted before the run; None
        where nobody has.
    """

    surface: Surface
    schema_path: str
    examples: str
    teacher: str
    teacher_fingerprint: str
    root: str
    serving: str
    metadata: str
    beam_args: Sequence[str]
    pairs_from: Mapping[str, Folder] = field(default_factory=dict)
    measurements: str = ""
    code_revision: str | None = None
    span: str | None = None
    window: Window | None = None
    announced: Mapping[str, int] | None = None
    earlier: Sequence[str] = ()
    data_span: str | None = None
    trainer_workers: int = 1

    @property
    def origin(self) -> Origin:
        """What a pushed model's provenance says of the run that made it."""
        return Origin(
            surface=self.surface.name,
            data_span=str(self.window) if self.window else self.data_span or self.span,
            teacher_fingerprint=self.teacher_fingerprint,
            git_revision=self.code_revision,
            teacher=self.teacher,
            examples=self.examples,
            task_kinds={name: task.kind.value for name, task in self.surface.tasks.items()},
        )

    @property
    def surface_json(self) -> str:
        """The surface as components take it."""
        return self.surface.model_dump_json(by_alias=True)
