"""The examples of a window as the models read them, with the soft labels of several teachers side by side.

Transform learns its vocabularies and scales from a window of labelled spans, as in a run: the same
`preprocessing_fn`, by Transform's own analyzers.  Teachers differ in the soft labels alone, so that one pass
does for all of them; those of all but the first stand in columns of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import apache_beam as beam
import numpy as np
import tensorflow as tf
import tensorflow_transform as tft
import tensorflow_transform.beam as tft_beam
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.portability.fn_api_runner.fn_runner import FnApiRunner
from numpy.typing import NDArray
from tensorflow_metadata.proto.v0 import schema_pb2
from tensorflow_transform.beam.tft_beam_io import transform_fn_io
from tensorflow_transform.tf_metadata import dataset_metadata, metadata_io
from tfx_bsl.public import tfxio

from contracts.held_out import HeldOutRows
from evidence.data import RunData, as_value
from models import inputs, vocabulary, without_row
from models.batching import split
from models.columns import input_columns, soft_label_sizes, training_columns
from models.preprocessing import preprocessing_fn, soft_labels
from models.scales import LabelStatistics, label_statistics, soft_statistics
from models.terms import scaled_columns
from records.encoding import NumberField, NumberLayout
from records.tf_example import FLOAT
from schema.errors import InputError
from schema.loader import SurfaceFolder
from schema.surface import EVAL_SPLIT, TRAIN_SPLIT, Surface, soft_label

# The labelled examples of a split, by the teacher's span and the examples' span.
Labelled = Callable[[int, int, str], Sequence[bytes]]
_Columns = dict[str, NDArray[Any]]
_BATCH = 4096


@dataclass(frozen=True)
class Day:
    """A window of spans, and the span after it.

    Attributes:
      data: What models are trained on, with the soft labels of the first teacher, and the next span's examples.
      teachers: By teacher, the columns of its soft labels, and the statistics of those.
      slices: Which of the next span's examples are in each slice, bool [examples].
      clusters: What the examples are clustered by, [examples]; None where nothing is.
    """

    data: RunData
    teachers: Mapping[int, tuple[_Columns, Mapping[str, Any]]]
    slices: Mapping[str, NDArray[np.bool_]]
    clusters: NDArray[Any] | None

    def held_out_rows(self, surface: Surface) -> list[HeldOutRows]:
        """How new users and items are to the window's held-out rows, and to the next span's examples."""
        of = self.data
        known = {name: len(values) for name, values in of.vocabularies.items()}
        return without_row.compared_as_read(surface, of.training, (of.fitted, of.held_out), of.evaluation, known)

    def of(self, teacher: int | None) -> RunData:
        """The data with the soft labels of a teacher; without one, whoever's, which a control does not read."""
        if teacher is None:
            return self.data
        columns, statistics = self.teachers[teacher]
        return replace(
            self.data,
            training={**self.data.training, **columns},
            statistics={**self.data.statistics, **statistics},
        )


class Examples:
    """The labelled spans."""

    def __init__(self, loaded: SurfaceFolder, spans: Sequence[int], labelled: Labelled, clusters: str | None):
        """Reads nothing yet.

        Args:
          loaded: The surface and its schema.
          spans: All spans, in order.
          labelled: Gives labelled examples.
          clusters: A raw column whose values belong together, such as a user id; or None.

        Raises:
          InputError: The examples have no such column.
        """
        self._surface, self._schema = loaded.surface, loaded.schema
        self._spans, self._labelled, self._cluster = spans, labelled, clusters
        columns = {each.name for each in loaded.schema.feature}
        if clusters is not None and clusters not in columns:
            raise InputError(f"--cluster {clusters}: the examples' schema has no such column")
        self._sides = without_row.id_columns(self._surface, dict.fromkeys(columns))
        self._soft = {name: size or 1 for name, size in soft_label_sizes(self._surface).items()}
        representations = self._surface.teacher_representations
        self._soft |= {
            soft_label(each.source): representations[each.source].size
            for each in self._surface.representations.values()
        }
        self._fixed = {
            name: {feature: value for feature, value in each.features.items() if value is not None}
            for name, each in self._surface.slices.items()
            if not each.derived and None not in each.features.values()
        }
        raw = [*self._fixed.values(), *self._sides.values(), *([(clusters,)] if clusters else [])]
        self._raw = sorted({name for each in raw for name in each})
        self._ids: dict[int, _Columns] = {}

    def day(self, span: int, length: int, teachers: Sequence[int], folder: str) -> Day:
        """The window that ends with a span, and the span after it.

        Args:
          span: The newest span.
          length: How many; fewer where there are not as many.
          teachers: The spans as of which the teachers were trained.
          folder: A new folder for Transform's graph.
        """
        place = self._spans.index(span)
        window, after = self._spans[max(0, place - length + 1) : place + 1], self._spans[place + 1]
        records = [each for of in window for each in self._records(of, TRAIN_SPLIT, teachers)]
        transform = self._analyzed(records, teachers, folder)
        variants = [_variant(name, each) for each in teachers[1:] for name in self._soft]
        names = [*input_columns(self._surface), *training_columns(self._surface, distil=True), *variants]
        read = _reader(transform, names, self._raw)
        columns, _ = read(records)
        evaluation, raw = read(self._records(after, EVAL_SPLIT, teachers))
        fitted, held_out = split(len(records), self._surface.training)
        data = RunData(
            name=f"span {span}",
            training=columns,
            evaluation=evaluation,
            fitted=fitted,
            held_out=held_out,
            vocabulary_sizes=vocabulary.sizes(self._surface, transform),
            vocabularies=vocabulary.known_values(self._surface, transform),
            statistics=label_statistics(self._surface, columns),
            teacher={},
            raw=raw,
            slices={},
            small_slices=0,
        )
        return Day(
            data=data,
            teachers={each: self._said(columns, transform, each, each == teachers[0]) for each in teachers},
            slices=self._slices(place, raw, transform, teachers[0]),
            clusters=raw[self._cluster] if self._cluster else None,
        )

    def _records(self, span: int, split_name: str, teachers: Sequence[int]) -> list[bytes]:
        """The examples with the soft labels of the first teacher, and those of the others in columns of their own."""
        records = list(self._labelled(teachers[0], span, split_name))
        for teacher in teachers[1:]:
            spec = {name: tf.io.FixedLenFeature([size], tf.float32) for name, size in self._soft.items()}
            said = tf.io.parse_example(list(self._labelled(teacher, span, split_name)), spec)
            layout = NumberLayout(
                [NumberField(_variant(name, teacher), FLOAT, size) for name, size in self._soft.items()]
            )
            added = layout.encode([said[name].numpy() for name in self._soft])
            records = list(map(bytes.__add__, records, added))
        return records

    def _schema_of(self, teachers: Sequence[int]) -> schema_pb2.Schema:
        schema = schema_pb2.Schema()
        schema.CopyFrom(self._schema)
        for feature in self._schema.feature:
            for teacher in teachers[1:] if feature.name in self._soft else ():
                schema.feature.add().CopyFrom(feature)
                schema.feature[-1].name = _variant(feature.name, teacher)
        return schema

    def _analyzed(self, records: Sequence[bytes], teachers: Sequence[int], folder: str) -> tft.TFTransformOutput:
        """What Transform learns of some examples."""
        schema = self._schema_of(teachers)
        # Beam keeps the function, and must not keep what it is a method of.
        preprocess = partial(_preprocess, surface=self._surface, soft=tuple(self._soft), teachers=tuple(teachers[1:]))
        source = tfxio.TFExampleBeamRecord(physical_format="inmem", telemetry_descriptors=["crosskd"], schema=schema)
        # Beam's DirectRunner downloads a runner at run time; this one does not.
        options = PipelineOptions([])
        with beam.Pipeline(runner=FnApiRunner(), options=options) as pipeline, tft_beam.Context(f"{folder}/tmp"):
            batches = pipeline | beam.Create(list(records), reshuffle=False) | source.BeamSource()
            function = (batches, source.TensorAdapterConfig()) | tft_beam.AnalyzeDataset(preprocess)
            _ = function | transform_fn_io.WriteTransformFn(f"{folder}/graph")
        metadata = dataset_metadata.DatasetMetadata(schema)
        metadata_io.write_metadata(metadata, f"{folder}/graph/{tft.TFTransformOutput.RAW_METADATA_DIR}")
        return tft.TFTransformOutput(f"{folder}/graph")

    def _said(
        self, columns: _Columns, transform: tft.TFTransformOutput, teacher: int, first: bool
    ) -> tuple[_Columns, dict[str, LabelStatistics]]:
        """The columns of a teacher's soft labels under their own names, and the statistics of those that need some."""
        names = {name: name if first else _variant(name, teacher) for name in self._soft}
        found = soft_statistics([names[each] for each in scaled_columns(self._surface)], transform)
        statistics = {name: found[of] for name, of in names.items() if of in found}
        return {name: columns[of] for name, of in names.items()}, statistics

    def _slices(
        self, place: int, raw: _Columns, transform: tft.TFTransformOutput, teacher: int
    ) -> dict[str, NDArray[np.bool_]]:
        """The surface's slices with a value for each feature, and people and items without a row in any span so far."""
        found = {}
        for name, features in self._fixed.items():
            rows = [raw[feature] == as_value(raw[feature], value) for feature, value in features.items()]
            found[name] = np.all(rows, axis=0)
        ids = sorted({name for each in self._sides.values() for name in each})
        if not ids:
            return found
        spec = transform.raw_feature_spec()
        for each in self._spans[: place + 1]:
            if each not in self._ids:
                rows = tf.io.parse_example(
                    list(self._labelled(teacher, each, TRAIN_SPLIT)), {name: spec[name] for name in ids}
                )
                self._ids[each] = {name: inputs.dense(rows[name]).numpy() for name in ids}
        parts = [self._ids[each] for each in self._spans[: place + 1]]
        training = {name: np.concatenate([part[name] for part in parts]) for name in ids}
        return found | without_row.slices(self._sides, training, raw)


def _variant(column: str, teacher: int) -> str:
    return f"{column}@{teacher}"


def _preprocess(
    columns: dict[str, Any], *, surface: Surface, soft: Sequence[str], teachers: Sequence[int]
) -> dict[str, tf.Tensor]:
    """A run's `preprocessing_fn`, and the same for the soft labels of further teachers."""
    outputs = preprocessing_fn(columns, {"surface": surface.model_dump_json(by_alias=True)})
    for teacher in teachers:
        of = {name: columns[_variant(name, teacher)] for name in soft}
        said = soft_labels(surface, {**columns, **of})
        outputs |= {_variant(name, teacher): said[name] for name in soft}
    return outputs


def _reader(
    transform: tft.TFTransformOutput, names: Sequence[str], raw_names: Sequence[str]
) -> Callable[[Sequence[bytes]], tuple[_Columns, _Columns]]:
    """What gives columns of examples after Transform, and as they came."""
    spec, layer = transform.raw_feature_spec(), transform.transform_features_layer()

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
    def of_batch(batch: tf.Tensor) -> tuple[dict[str, tf.Tensor], dict[str, tf.Tensor]]:
        raw = tf.io.parse_example(batch, spec)
        transformed = layer(dict(raw))
        return {name: transformed[name] for name in names}, {name: inputs.dense(raw[name]) for name in raw_names}

    def read(records: Sequence[bytes]) -> tuple[_Columns, _Columns]:
        parts = [of_batch(tf.constant(list(records[at : at + _BATCH]))) for at in range(0, len(records), _BATCH)]
        return tuple(  # type: ignore[return-value]  # a tuple of two, which mypy cannot count
            {name: np.concatenate([part[which][name].numpy() for part in parts]) for name in wanted}
            for which, wanted in ((0, names), (1, raw_names))
        )

    return read
