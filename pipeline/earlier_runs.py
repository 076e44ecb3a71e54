"""Who finds what earlier runs came to, for the report."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tfx.dsl.components.base.base_node import BaseNode
from tfx.dsl.components.common.resolver import Resolver
from tfx.types.channel import Channel

from components.run_history import spec as run_history
from components.run_history.component import RunHistory
from contracts import nodes
from contracts.artifacts import GateDecision, LabelReportArtifact
from pipeline import resolvers
from pipeline.judging import Judging
from pipeline.settings import Settings


@dataclass(frozen=True)
class EarlierRunsFound:
    """The node that finds what earlier runs came to.

    Attributes:
      node: The node.
      decisions: The decisions of earlier runs.
      label_reports: Their label reports.
    """

    node: BaseNode
    decisions: Channel
    label_reports: Channel


FindEarlierRuns = Callable[[Settings, Judging, Channel], EarlierRunsFound]


def from_metadata(settings: Settings, judged: Judging, label_report: Channel) -> EarlierRunsFound:
    """Asks ML Metadata: for local runners, which run resolver strategies of our own."""
    del settings  # Metadata know the runs of one root.
    node = Resolver(
        strategy_class=resolvers.EarlierRuns,
        decision=judged.decision,
        label_report=label_report,
        # All of them: channels with a producer would be merged with those of this run.
        earlier_decisions=Channel(type=GateDecision),
        earlier_label_reports=Channel(type=LabelReportArtifact),
    ).with_id(nodes.EARLIER_RUNS)
    return EarlierRunsFound(node, node.outputs[resolvers.DECISIONS], node.outputs[resolvers.LABEL_REPORTS])


def from_records(settings: Settings, judged: Judging, label_report: Channel) -> EarlierRunsFound:
    """Asks the push destination, beside whose versions each run leaves what it came to: for all other backends."""
    node = RunHistory(
        decision=judged.decision,
        label_report=label_report,
        model_blessing=judged.blessing,
        serving=settings.serving,
        most=resolvers.MOST_EARLIER_RUNS,
    ).with_id(nodes.EARLIER_RUNS)
    return EarlierRunsFound(node, node.outputs[run_history.DECISIONS_KEY], node.outputs[run_history.LABEL_REPORTS_KEY])
