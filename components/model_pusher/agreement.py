"""Whether everything that speaks for or against a push says the same, about the same model."""

from __future__ import annotations

from tfx import types
from tfx.dsl.io import fileio

from contracts import properties
from contracts.blessings import BlessingFiles
from contracts.decision import Decision
from schema.errors import InputError


def says_blessed(blessing: types.Artifact, files: BlessingFiles, model: types.Artifact) -> bool:
    """What a blessing says of a model.

    Args:
      blessing: A ModelBlessing or InfraBlessing.
      files: The names of its files.
      model: The model to be pushed.

    Raises:
      InputError: Property and file differ, or it is about another model.
    """
    recorded = blessing.get_int_custom_property(properties.BLESSED) == 1
    found = {name for name in (files.yes, files.no) if fileio.exists(f"{blessing.uri.rstrip('/')}/{name}")}
    expected = files.named(blessed=recorded)
    if found != {expected}:
        raise InputError(
            f"{blessing.uri}: this blessing contradicts itself: it was recorded as "
            f"{'blessed' if recorded else 'not blessed'} (file {expected}), and the folder holds "
            f"{' and '.join(sorted(found)) or 'neither file'}. Was it edited by hand? Nothing is pushed; judge again."
        )
    _check_model(blessing, model)
    return recorded


def check_decision(decision: Decision, blessed: bool, surface: str, where: str) -> None:
    """Checks that the decision is the one behind the blessing.

    Args:
      decision: The decision.
      blessed: What the ModelBlessing says.
      surface: The surface to be pushed.
      where: The decision's folder, for the message.

    Raises:
      InputError: It says something else, or is about another surface.
    """
    if decision.blessed != blessed:
        raise InputError(
            f"{where}: the decision and the blessing contradict each other: the decision says "
            f"{_word(decision.blessed)} ({decision.sentence}), the blessing {_word(blessed)}. "
            "Was one of them edited by hand? Nothing is pushed; judge again."
        )
    if decision.surface != surface:
        raise InputError(
            f"{where}: expected a decision about surface {surface!r}, found one about {decision.surface!r}. "
            "Nothing is pushed."
        )


def check_fingerprint(blessing: types.Artifact, fingerprint: str) -> None:
    """Checks that the model is still the one that was blessed.

    Args:
      blessing: An InfraBlessing, which says what was validated.
      fingerprint: The fingerprint of the model to be pushed.

    Raises:
      InputError: The model has changed since.
    """
    validated = blessing.get_string_custom_property(properties.MODEL_FINGERPRINT)
    if validated and validated != fingerprint:
        raise InputError(
            f"{blessing.uri}: the model has changed since it was validated: its fingerprint was {validated[:16]}, "
            f"now it is {fingerprint[:16]}. Nothing is pushed; run the pipeline again."
        )


def _check_model(blessing: types.Artifact, model: types.Artifact) -> None:
    uri = blessing.get_string_custom_property(properties.BLESSED_MODEL)
    identity = blessing.get_int_custom_property(properties.BLESSED_MODEL_ID)
    if uri != model.uri or identity != model.id:
        raise InputError(
            f"{blessing.uri}: expected the blessing of the model {model.uri} (id {model.id}), found one of "
            f"{uri or 'no model'} (id {identity}). Nothing is pushed."
        )


def _word(blessed: bool) -> str:
    return "blessed" if blessed else "not blessed"
