"""Which examples a run is trained on, of the artifact that holds the newest of them."""

from __future__ import annotations

from tfx import types
from tfx.dsl.io import fileio
from tfx.types import artifact_utils

from records.training_states import data_of


def trained_on(examples: types.Artifact, data_span: str) -> str:
    """The newest span, or a digest of the content of all splits' files; see `records.training_states.data_of`."""
    splits = artifact_utils.decode_split_names(examples.split_names)
    folders = {split: artifact_utils.get_split_uris([examples], split)[0] for split in splits}
    files = {split: [str(each) for each in fileio.glob(f"{folder}/*")] for split, folder in folders.items()}
    return data_of(data_span, files)
