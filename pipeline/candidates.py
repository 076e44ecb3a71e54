"""The node that adds pairs never shown, for a surface that asks for them."""

from __future__ import annotations

from tfx import v1 as tfx

from components.candidate_sampler.component import CandidateSampler
from pipeline.settings import Settings


def sampler(settings: Settings, examples: tfx.dsl.Channel, schema: tfx.dsl.Channel) -> CandidateSampler | None:
    """The CandidateSampler of a surface with an `unlabelled:` section; None for any other."""
    if settings.surface.unlabelled is None:
        return None
    return CandidateSampler(
        examples=examples,
        schema=schema,
        surface=settings.surface_json,
        candidates=settings.candidates,
        candidates_fingerprint=settings.candidates_fingerprint,
    )
