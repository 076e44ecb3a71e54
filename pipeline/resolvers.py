"""Which model a new student is compared with, who finds it, and which runs came before this one.

The baseline is what the push destination serves, wherever the pipeline runs: what was blessed
and never pushed, or was rolled back, is none, and metadata that were lost change nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import ml_metadata as mlmd
from tfx import types
from tfx.dsl.components.base.base_node import BaseNode
from tfx.dsl.components.common import resolver
from tfx.dsl.components.common.resolver import Resolver
from tfx.types.channel import Channel

from components.last_served import spec as last_served
from components.last_served.component import LastServed
from contracts import keys, nodes, properties
from pipeline.settings import Settings

MODEL = "model"
CANDIDATE = "candidate"

# What EarlierRuns resolves: this run's artifacts by key, and all there are.
DECISIONS = "earlier_decisions"
LABEL_REPORTS = "earlier_label_reports"
_EARLIER_THAN = {DECISIONS: keys.DECISION, LABEL_REPORTS: keys.LABEL_REPORT}
MOST_EARLIER_RUNS = 60


class Present(resolver.ResolverStrategy):
    """Leaves out artifacts that stand for none.

    LastServed always has an output, as every component; where nothing serves, it stands for none,
    and Evaluator and ServingValidator must not see it.  What is left is the same as long as
    LastServed comes from the cache, so that everything downstream does, too.
    """

    def resolve_artifacts(
        self, store: mlmd.MetadataStore, input_dict: dict[str, list[types.Artifact]]
    ) -> dict[str, list[types.Artifact]]:
        """Resolves any channels.

        Args:
          store: Not used; part of the interface.
          input_dict: Artifacts by key.

        Returns:
          The same keys, without artifacts that have the custom property `absent`.
        """
        return {
            key: [each for each in artifacts if not each.get_int_custom_property(properties.ABSENT)]
            for key, artifacts in input_dict.items()
        }


class EarlierRuns(resolver.ResolverStrategy):
    """Resolves what was decided and labelled before this run, oldest first.

    Before means with a smaller id than this run's own artifact: when an unchanged run is
    repeated, its artifacts come from the cache, so that the same ones are earlier, and what
    is made of them is cached as well.
    """

    def resolve_artifacts(
        self, store: mlmd.MetadataStore, input_dict: dict[str, list[types.Artifact]]
    ) -> dict[str, list[types.Artifact]]:
        """Resolves the channels `earlier_decisions` and `earlier_label_reports`.

        Args:
          store: Not used; part of the interface.
          input_dict: All decisions and label reports, and this run's as `decision` and
            `label_report`.

        Returns:
          The same keys; of the earlier ones the newest `MOST_EARLIER_RUNS`.
        """
        found = dict(input_dict)
        for all_key, own_key in _EARLIER_THAN.items():
            own = min((_order(each) for each in input_dict[own_key]), default=0)
            earlier = sorted((each for each in input_dict[all_key] if _order(each) < own), key=_order)
            found[all_key] = earlier[-MOST_EARLIER_RUNS:]
        return found


def _order(artifact: types.Artifact) -> int:
    return int(artifact.id)


@dataclass(frozen=True)
class Resolved:
    """The nodes that find the model that serves.

    Attributes:
      nodes: The nodes, in order.
      model: The model that serves, or nothing.
      candidate: The model under test; nothing where the nodes could not find out.
    """

    nodes: list[BaseNode]
    model: Channel
    candidate: Channel


LastBlessed = Callable[[Settings, Channel], Resolved]


def from_destination(
    settings: Settings, student: Channel, strategy: type[resolver.ResolverStrategy] = Present
) -> Resolved:
    """Asks the push destination: for local runners, which run drivers and resolver strategies of our own."""
    served = LastServed(candidate=student, serving=settings.serving)
    node = Resolver(strategy_class=strategy, model=served.outputs[last_served.MODEL_KEY], candidate=student).with_id(
        nodes.LAST_BLESSED
    )
    return Resolved([served, node], node.outputs[MODEL], node.outputs[CANDIDATE])


def from_destination_alone(settings: Settings, student: Channel) -> Resolved:
    """Asks the push destination: for backends that run no resolver strategy of our own.

    There the entry point leaves out artifacts that stand for none, and a node that fails stops
    all that follow, so the candidate needs no detour.
    """
    node = LastServed(candidate=student, serving=settings.serving).with_id(nodes.LAST_BLESSED)
    return Resolved([node], node.outputs[last_served.MODEL_KEY], student)
