"""CandidateSampler: adds a split of pairs that were never shown to examples."""

from __future__ import annotations

from typing import Any

from tfx.dsl.components.base import base_beam_component, executor_spec
from tfx.types import channel_utils, standard_artifacts
from tfx.types.channel import BaseChannel

from components.candidate_sampler.executor import Executor
from components.candidate_sampler.spec import CandidateSamplerSpec
from contracts.artifacts import CandidateReportArtifact
from records.code import code_version
from schema.candidates import PAIRS_FROM, fingerprint_key
from schema.checks import from_json
from schema.errors import InputError
from schema.pairs import check_pairs_from, pair_plan
from schema.surface import Surface


class CandidateSampler(base_beam_component.BaseBeamComponent):
    """A Beam component that makes unlabelled examples: a user and an item never shown together.

    They are put together from the training examples and from catalogues of people and items,
    or read from logs of candidates.  No pair of the training or of the evaluation split is
    among them, and none has a label.

    Component `outputs` contains:

     - `extended_examples`: `standard_artifacts.Examples`: the input's splits, the very same
       files where the file system has hard links, and the split `unlabelled`.  Several input
       artifacts give as many output artifacts.
     - `candidate_report`: `contracts.artifacts.CandidateReportArtifact`.

    Example:
      ```python
      sampler = CandidateSampler(
          examples=example_gen.outputs["examples"],
          schema=schema_gen.outputs["schema"],
          surface=surface.model_dump_json(by_alias=True),
      )
      ```
    """

    SPEC_CLASS = CandidateSamplerSpec
    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(Executor)

    def __init__(
        self,
        examples: BaseChannel[Any],
        schema: BaseChannel[Any],
        surface: str,
        **pairs_from: str,
    ) -> None:
        """Constructs the component.

        Args:
          examples: Channel of `standard_artifacts.Examples`: gzipped TFRecords of tf.Example,
            with the splits `train` and `eval`.
          schema: Channel of `standard_artifacts.Schema` of the examples.
          surface: A `schema.surface.Surface` as JSON, with an `unlabelled:` section.
          pairs_from: Folders of gzipped TFRecords that pairs are made of beside the examples:
            `candidates`, to read instead of putting pairs together, or the catalogues
            `people` and `items`; each with a digest of its content, part of the cache key,
            as `candidates_fingerprint` and so on.

        Raises:
          InputError: The surface is none, does not say what identifies users and items, or
            has no use for such a folder.
        """
        parsed = from_json(Surface, surface, "CandidateSampler: surface", "a Surface")
        check_pairs_from(parsed, pairs_from)
        for name in PAIRS_FROM:
            if (name in pairs_from) != (fingerprint_key(name) in pairs_from):
                raise InputError(f"CandidateSampler: {name} and {fingerprint_key(name)} need each other")
        spec = CandidateSamplerSpec(
            examples=examples,
            schema=schema,
            # Only what pairs depend on: another gate or learning rate must not draw them anew.
            plan=pair_plan(parsed).model_dump_json(),
            **pairs_from,
            code=code_version("components.candidate_sampler"),
            extended_examples=channel_utils.as_channel([standard_artifacts.Examples()]),
            candidate_report=channel_utils.as_channel([CandidateReportArtifact()]),
        )
        super().__init__(spec=spec)
