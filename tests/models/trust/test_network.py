"""Networks side by side: each learns from rows of folds that are not its own."""

from __future__ import annotations

import numpy as np

from models.trust.network import CrossFit, Rows, classes_cross_entropy, cross_entropy, squared_error


def rows(targets: np.ndarray, inputs: np.ndarray) -> Rows:
    count = len(targets)
    return Rows(
        np.float32(inputs), np.float32(targets).reshape(count, -1), np.arange(count) % 4, np.ones(count, np.float32)
    )


def test_the_losses_are_those_of_their_names():
    logits = np.float32([[[0.0], [2.0]]])
    np.testing.assert_allclose(
        cross_entropy(np.float32([[[1.0]]]), logits), [[np.log(2), np.log1p(np.exp(-2))]], rtol=1e-5
    )
    np.testing.assert_allclose(squared_error(np.float32([[[1.0, 3.0]]]), np.float32([[[0.0, 1.0]]])), [[5.0]])
    shares = np.log(np.float32([[[0.2, 0.8], [0.5, 0.5]]]))
    np.testing.assert_allclose(
        classes_cross_entropy(np.float32([[[1.0]]]), shares), [[-np.log(0.8), np.log(2)]], rtol=1e-5
    )


def test_a_network_learns_what_there_is_and_keeps_its_constant_where_there_is_nothing():
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(1200, 2))
    noise = rng.normal(size=1200)
    fits = [
        CrossFit(rows(of, inputs), 4, squared_error, lambda found: [float(found.mean())], seed=1).outputs(
            np.float32(inputs)
        )[..., 0]
        for of in (inputs[:, 0] * inputs[:, 1] + 0.1 * noise, noise + 5)
    ]
    own = [each[np.arange(1200), np.arange(1200) % 4] for each in fits]
    assert np.corrcoef(own[0], inputs[:, 0] * inputs[:, 1])[0, 1] > 0.8
    assert own[1].std() < 0.15
    np.testing.assert_allclose(own[1].mean(), 5, atol=0.15)


def test_a_row_without_weight_teaches_nothing():
    rng = np.random.default_rng(1)
    inputs = np.float32(rng.normal(size=(400, 1)))
    wrong = np.arange(400) % 8 < 4
    targets = np.where(wrong[:, None], 100.0, inputs)
    weighed = Rows(inputs, np.float32(targets), np.arange(400) % 4, np.float32(~wrong))
    found = CrossFit(weighed, 4, squared_error, lambda found: [float(found.mean())], seed=0).outputs(inputs)
    assert np.abs(found).max() < 5
