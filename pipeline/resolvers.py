"""Which model a new student is compared with, who finds it, and which runs came before this one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import ml_metadata as mlmd
from tfx import types
from tfx import v1 as tfx
from tfx.components.evaluator import constants
from tfx.dsl.components.base.base_node import BaseNode
from tfx.dsl.components.common import resolver
from tfx.types import standard_artifacts

from components.last_served import spec as last_served
from components.last_served.component import LastServed
from contracts import keys, nodes, properties
from pipeline.settings import Settings

MODEL = "model"
BLESSING = "model_blessing"
CANDIDATE = "candidate"

# What EarlierRuns resolves: this run's artifacts by key, and all there are.
DECISIONS = "earlier_decisions"
LABEL_REPORTS = "earlier_label_reports"
_EARLIER_THAN = {DECISIONS: keys.DECISION, LABEL_REPORTS: keys.LABEL_REPORT}
MOST_EARLIER_RUNS = 60


class LastBlessedBefore(resolver.ResolverStrategy):
    """Resolves the last blessed model, or what was blessed before the candidate if that is it.

    TFX's LatestBlessedModelStrategy resolves, when an unchanged pipeline runs again, the
    candidate itself: the baseline differs from the first run's, nothing downstream is
    cached, and the same model is pushed twice.  What was blessed before the last blessed
    model does not change, so here everything is cached.

    The order is that of the blessings, not of the models: a model that was trained, left
    unjudged by a run that was cut short, and comes back from the cache after a better one
    was blessed, is compared with the better one.

    A model that was rolled back counts no more: `crosskd rollback` leaves a mark on it.
    """

    def resolve_artifacts(
        self, store: mlmd.MetadataStore, input_dict: dict[str, list[types.Artifact]]
    ) -> dict[str, list[types.Artifact]]:
        """Resolves the channels `model`, `model_blessing` and `candidate`.

        Args:
          store: Not used; part of the interface.
          input_dict: All models, all blessings, and the model under test.

        Returns:
          The same keys; `model` and `model_blessing` are empty before the first blessing.
        """
        candidate = max((model.id for model in input_dict[CANDIDATE]), default=0)
        models = {
            model.id: model for model in input_dict[MODEL] if not model.get_int_custom_property(properties.ROLLED_BACK)
        }
        blessings = [each for each in sorted(input_dict[BLESSING], key=_order) if _is_of(each, models)]
        while blessings and _model_of(blessings[-1]) == candidate:
            blessings.pop()
        if not blessings:
            return {MODEL: [], BLESSING: [], CANDIDATE: input_dict[CANDIDATE]}
        last = blessings[-1]
        return {MODEL: [models[_model_of(last)]], BLESSING: [last], CANDIDATE: input_dict[CANDIDATE]}


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


def _was_rolled_back(model: types.Artifact) -> bool:
    return bool(model.get_int_custom_property(properties.ROLLED_BACK))


def _is_of(blessing: types.Artifact, models: dict[int, types.Artifact]) -> bool:
    """Whether it blesses one of these models."""
    value = blessing.get_int_custom_property(properties.BLESSED)
    return bool(value == constants.BLESSED_VALUE and _model_of(blessing) in models)


def _model_of(blessing: types.Artifact) -> int:
    return int(blessing.get_int_custom_property(properties.BLESSED_MODEL_ID))


@dataclass(frozen=True)
class Resolved:
    """The node that finds the last blessed model.

    Attributes:
      node: The node.
      model: The last blessed model, or nothing.
      candidate: The model under test; nothing where the node could not find out.
    """

    node: BaseNode
    model: tfx.dsl.Channel
    candidate: tfx.dsl.Channel


LastBlessed = Callable[[Settings, tfx.dsl.Channel], Resolved]


def from_metadata(
    settings: Settings,
    student: tfx.dsl.Channel,
    strategy: type[resolver.ResolverStrategy] = LastBlessedBefore,
) -> Resolved:
    """Asks ML Metadata: for local runners, which run resolver strategies of our own."""
    del settings  # Part of the interface; metadata are the same for all settings of a root.
    node = tfx.dsl.Resolver(
        strategy_class=strategy,
        # All models: a channel with the student's producer would be merged with `candidate`.
        model=tfx.dsl.Channel(type=standard_artifacts.Model),
        model_blessing=tfx.dsl.Channel(
            type=standard_artifacts.ModelBlessing, producer_component_id=nodes.BLESSING_GATE, output_key="blessing"
        ),
        candidate=student,
    ).with_id(nodes.LAST_BLESSED)
    return Resolved(node, node.outputs[MODEL], node.outputs[CANDIDATE])


def from_destination(settings: Settings, student: tfx.dsl.Channel) -> Resolved:
    """Asks the push destination: for backends that run no resolver strategy of our own.

    There a node that fails stops all that follow, so the candidate needs no detour.
    """
    node = LastServed(candidate=student, serving=settings.serving).with_id(nodes.LAST_BLESSED)
    return Resolved(node, node.outputs[last_served.MODEL_KEY], student)
