"""What arms left of their trainings, written by hand."""

from __future__ import annotations

from pathlib import Path

from records import documents
from records.manifest import record
from records.training_states import ArmState


def write_state(folder: Path, role: str, data: str, lineage: tuple[str, ...] = (), content: str = "") -> str:
    """What an arm left, its weights told apart by their content."""
    folder.mkdir(parents=True)
    weights = folder / "weights.npz"
    weights.write_text(content or f"{role} of {data}")
    documents.write(
        str(folder),
        ArmState(
            role=role,
            data=data,
            lineage=lineage,
            tables={},
            inputs=(),
            heads={},
            scales={},
            optimizer=None,
            steps=0,
            files={"weights.npz": record(str(weights)).sha256},
        ),
    )
    return str(folder)
