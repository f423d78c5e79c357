"""Rank, condition and roots of small matrices."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from formula_torch.numerics.rank import gram_rank, independent_columns
from formula_torch.numerics.triangular import Root, cholesky_root, tall_qr


@pytest.fixture
def x() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(500, 6))


def test_tall_qr_of_blocks_is_the_qr_of_all(x) -> None:
    blocks = [torch.from_numpy(x[i : i + 70].T.copy()) for i in range(0, 500, 70)]
    r = tall_qr(blocks)
    np.testing.assert_allclose(r.T @ r, x.T @ x, rtol=1e-12, atol=1e-11)


def test_root_solves(x) -> None:
    root = cholesky_root(x.T @ x)
    np.testing.assert_allclose(root.solve(x.T @ x[:, 0]), np.eye(6)[0], atol=1e-13)
    np.testing.assert_allclose(root.inverse_gram @ (x.T @ x), np.eye(6), atol=1e-12)


@pytest.mark.parametrize("k", [5, 120])
def test_condition_is_that_of_unit_columns(k: int) -> None:
    x = np.random.default_rng(1).normal(size=(400, k)) * 10.0 ** np.arange(k).clip(max=8)
    x[:, 1] += x[:, 0] * 10
    unit = x / np.linalg.norm(x, axis=0)
    assert cholesky_root(x.T @ x).condition == pytest.approx(np.linalg.cond(unit), rel=0.2 if k > 64 else 1e-6)


@pytest.mark.parametrize("find", [lambda x: independent_columns(np.linalg.qr(x)[1]), lambda x: gram_rank(x.T @ x)])
def test_dependent_columns_are_found_from_the_left(find, x) -> None:
    x[:, 3] = x[:, 0] - 2 * x[:, 2]
    x[:, 5] = 0
    rank = find(x)
    assert rank.kept == [0, 1, 2, 4]
    np.testing.assert_allclose(rank.combinations[3], [1, 0, -2, 0, 0, 0], atol=1e-9)
    np.testing.assert_allclose(rank.combinations[5], 0)
    kept = x[:, rank.kept]
    np.testing.assert_allclose(rank.root.r.T @ rank.root.r, kept.T @ kept, rtol=1e-10, atol=1e-10)


def test_not_positive_definite_is_none() -> None:
    assert cholesky_root(np.array([[1.0, 2.0], [2.0, 1.0]])) is None


def test_empty_root() -> None:
    assert Root(np.zeros((0, 0))).condition == 1.0
