from __future__ import annotations

from pathlib import Path

import numpy as np
import tensorflow as tf

from evidence import data
from evidence.fitting import Fitter
from evidence.held_out import held_out_rows
from evidence.pairs import train_pairs
from evidence.paths import RunPaths
from evidence.tuning import SETTINGS
from tests.evidence.test_data import paths as paths  # fixtures: a run of the tiny surface
from tests.models.conftest import SURFACE
from tests.models.conftest import transformed as transformed


def test_pairs_are_exported_as_trained(paths: RunPaths, tmp_path: Path):
    said: list[str] = []
    trained = train_pairs(SURFACE, paths, seeds=2, budget=1, out=tmp_path, progress=said.append)
    pairs = trained.pairs
    assert [Path(each.student).relative_to(tmp_path) for each in pairs] == [
        Path("seed-0/student"),
        Path("seed-1/student"),
    ]
    assert said == ["student: held-out rows chose 'as configured'", "control: held-out rows chose 'as configured'"]
    loaded = data.load(SURFACE, paths)
    assert trained.held_out_rows == held_out_rows(SURFACE, [loaded])
    surface, fitter = SETTINGS[0].seeded(SURFACE, 1), Fitter(loaded)
    expected = fitter.predict(
        surface, fitter.fit(surface, loaded.training, distil=False), loaded.evaluation, distil=False
    )
    records = list(tf.data.TFRecordDataset(str(Path(paths.labelled_eval) / "part.gz"), "GZIP").as_numpy_iterator())
    served = tf.saved_model.load(pairs[1].control).signatures["serving_default"](examples=tf.constant(records))
    np.testing.assert_allclose(served["click"], 1 / (1 + np.exp(-expected["click"])), rtol=1e-4)
    np.testing.assert_allclose(served["minutes"], expected["minutes"], rtol=1e-4)
