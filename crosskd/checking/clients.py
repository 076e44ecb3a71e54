"""Checks whether the clients of what serves could go on with a student of the surface, before one is trained."""

from __future__ import annotations

from pathlib import Path

from contracts.provenance import Provenance
from contracts.rollback_intent import RollbackIntent
from crosskd.checking.findings import CheckReport
from crosskd.places import serving_folder
from records import documents
from records.versions import Versions
from schema.loader import SurfaceFolder


def check_clients(folder: SurfaceFolder, root: Path, report: CheckReport) -> None:
    """Checks the surface against the version that serves; ServingValidator asks the same of the trained student.

    Args:
      folder: The surface.
      root: Of the runs.
      report: Takes what is found.

    Raises:
      InputError: What serves cannot be read.
    """
    serving = serving_folder(root, folder.surface.name)
    # A rollback that was stopped is completed first, and then another version serves.
    if (serving / RollbackIntent.FILE).exists() or not Versions(str(serving)).versions():
        return
    # Only now, since they import TensorFlow.
    from tensorflow_transform.tf_metadata.schema_utils import schema_as_feature_spec

    from components.last_served.finding import find_served
    from models.export import promised_signature
    from records.clients import breaks, refusal
    from records.served import read_served

    found = find_served(str(serving))
    if found is None:
        return
    provenance = documents.find_whole(found.folder, Provenance)
    served = read_served(found.folder, found.version, provenance.origin.task_kinds if provenance else None)
    promised = promised_signature(folder.surface, schema_as_feature_spec(folder.schema).feature_spec)
    refused = refusal(breaks(promised, served), served, folder.surface.serving.breaking_change)
    report.serves = served.version
    if refused is not None:
        report.problem(refused)
