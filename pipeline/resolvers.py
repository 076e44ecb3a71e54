"""Which model a new student is compared with."""

from __future__ import annotations

import ml_metadata as mlmd
from tfx import types
from tfx.components.evaluator import constants
from tfx.dsl.components.common import resolver

MODEL = "model"
BLESSING = "model_blessing"
CANDIDATE = "candidate"


class LastBlessedBefore(resolver.ResolverStrategy):
    """Resolves the last blessed model that is older than the candidate.

    TFX's LatestBlessedModelStrategy resolves, when an unchanged pipeline runs again, the
    candidate itself: the baseline differs from the first run's, nothing downstream is
    cached, and the same model is pushed twice.  What came before the candidate does not
    change, so here everything is cached.
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
        blessings = {
            blessing.get_int_custom_property(constants.ARTIFACT_PROPERTY_CURRENT_MODEL_ID_KEY): blessing
            for blessing in input_dict[BLESSING]
            if blessing.get_int_custom_property(constants.ARTIFACT_PROPERTY_BLESSED_KEY) == constants.BLESSED_VALUE
        }
        older = [model for model in input_dict[MODEL] if model.id in blessings and model.id < candidate]
        if not older:
            return {MODEL: [], BLESSING: [], CANDIDATE: input_dict[CANDIDATE]}
        last = max(older, key=lambda model: model.id)
        return {MODEL: [last], BLESSING: [blessings[last.id]], CANDIDATE: input_dict[CANDIDATE]}
