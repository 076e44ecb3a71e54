"""The pipeline: from target examples and a teacher to a pushed student."""

from __future__ import annotations

from tfx.dsl.components.base.base_node import BaseNode
from tfx.orchestration.pipeline import Pipeline

from contracts.outcome import Outcome
from pipeline.earlier_runs import FindEarlierRuns, from_metadata
from pipeline.judging import judging
from pipeline.labelling import keyed_labelling, labelling
from pipeline.metadata import connection
from pipeline.reporting import reporting
from pipeline.resolvers import LastBlessed, from_destination
from pipeline.settings import Settings
from pipeline.teachers import MakeTeacher, where_it_lies
from pipeline.training import training
from schema.surface import Surface


def create_pipeline(
    settings: Settings,
    *,
    make_teacher: MakeTeacher = where_it_lies,
    last_blessed: LastBlessed = from_destination,
    earlier_runs: FindEarlierRuns = from_metadata,
    fails_unless: Outcome | None = None,
) -> Pipeline:
    """Builds the whole DAG for one surface: label, train student and control, judge, push, report.

    Args:
      settings: What the run is bound to.
      make_teacher: Makes the node that brings the teacher; see `pipeline.teachers`.
      last_blessed: Makes the nodes that find the model that serves today; see `pipeline.resolvers`.
      earlier_runs: Makes the nodes that find what earlier runs came to; see `pipeline.earlier_runs`.
      fails_unless: What the run must come to, or its last node fails, for backends that know no exit
        code; None adds no such node.
    """
    labelled = labelling(settings, make_teacher)
    trained = training(settings, labelled)
    judged = judging(
        settings,
        student=trained.student,
        control=trained.control,
        examples=labelled.examples,
        label_report=labelled.report,
        last_blessed=last_blessed,
        statistics=labelled.statistics,
        runs=trained.runs if settings.surface.training.continue_from else None,
    )
    report = reporting(settings, labelled, trained, judged, earlier_runs, fails_unless)
    return assemble(settings, [*labelled.nodes, *trained.nodes, *judged.nodes, *report])


def create_labelling(settings: Settings, key_column: str = "") -> Pipeline:
    """Builds the labelling stage alone, for one span; a whole run finds its results in the cache.

    Args:
      settings: What the run is bound to.
      key_column: If it is given, only this column and the soft labels are written: labels to
        store, and not the examples that a run trains on.
    """
    return assemble(settings, keyed_labelling(settings, key_column) if key_column else labelling(settings).nodes)


def assemble(settings: Settings, nodes: list[BaseNode]) -> Pipeline:
    """A pipeline of these nodes, with the run's metadata, cache and Beam arguments."""
    return Pipeline(
        pipeline_name=pipeline_name(settings.surface),
        pipeline_root=settings.root,
        components=nodes,
        enable_cache=True,
        metadata_connection_config=connection(settings.metadata),
        beam_pipeline_args=list(settings.beam_args),
    )


def pipeline_name(surface: Surface) -> str:
    """The name under which ML Metadata keeps the runs of a surface."""
    return f"crosskd-{surface.name}"
