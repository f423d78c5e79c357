"""Arrows: solves, inverses, the triangular root and the rank are those of the dense matrix."""

from __future__ import annotations

import numpy as np
import pytest

from formula_torch.numerics import rank as ranks
from formula_torch.numerics.arrow import Arrow, LeftToRight, arrow_of
from formula_torch.numerics.rank import Rank, gram_rank
from formula_torch.numerics.triangular import ArrowRoot, Root, cholesky_root


def columns(seed: int, levels: int = 90, numbers: int = 3) -> np.ndarray:
    """Indicators of levels with an intercept and numbers strewn among them, in rows with weights."""
    draw = np.random.default_rng(seed)
    n = 12 * levels
    x = [np.ones((n, 1)), np.eye(levels)[draw.integers(0, levels, n)][:, 1:], draw.normal(2.0, 3.0, (n, numbers))]
    together = np.concatenate(x, axis=1)
    order = np.r_[0, 1 + draw.permutation(together.shape[1] - 1)]
    return together[:, order] * np.sqrt(draw.uniform(0.2, 2.0, n))[:, None]


def gram_of(x: np.ndarray) -> np.ndarray:
    upper = np.triu(x.T @ x)
    return upper + np.triu(upper, 1).T


@pytest.fixture(params=[0, 1, 2])
def gram(request) -> np.ndarray:
    return gram_of(columns(request.param, numbers=1 + 3 * request.param))


def test_leaves_are_orthogonal_and_nothing_is_lost(gram) -> None:
    arrow = arrow_of(gram)
    assert arrow is not None
    assert len(arrow.leaves) == 89
    np.testing.assert_array_equal(arrow.dense(), gram)
    v = np.random.default_rng(5).normal(size=(len(gram), 2))
    np.testing.assert_allclose(arrow.product(v), gram @ v, rtol=1e-12)
    some = np.arange(len(gram)) % 3 > 0
    np.testing.assert_array_equal(arrow.subset(some).dense(), gram[np.ix_(some, some)])


def test_matrices_without_leaves_are_none() -> None:
    x = np.random.default_rng(0).normal(size=(300, 80))
    assert arrow_of(x.T @ x) is None
    blocks = np.kron(np.eye(40), np.array([[2.0, 1.0], [1.0, 2.0]]))
    assert arrow_of(blocks) is None
    assert arrow_of(np.diag(np.r_[np.ones(79), 0.0])) is None


def test_roots_agree_with_dense_ones(gram) -> None:
    root, dense = cholesky_root(gram), Root(np.linalg.cholesky(gram).T)
    assert isinstance(root, ArrowRoot)
    inverse, v = np.linalg.inv(gram), np.random.default_rng(6).normal(size=len(gram))
    np.testing.assert_allclose(root.r, dense.r, atol=1e-11)
    np.testing.assert_allclose(root.inverse, np.linalg.inv(dense.r), atol=1e-11)
    np.testing.assert_allclose(root.solve(v), inverse @ v, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(root.inverse_gram, inverse, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(root.inverse_diagonal, np.diag(inverse), rtol=1e-10)
    np.testing.assert_allclose(root.lengths, dense.lengths, rtol=1e-12)
    np.testing.assert_allclose(root.product(v), gram @ v, rtol=1e-10)
    assert np.sum(root.half(v) ** 2) == pytest.approx(v @ gram @ v, rel=1e-12)
    assert root.condition == pytest.approx(dense.condition, rel=1e-8)
    some = list(range(0, len(gram), 2))
    part = root.of_columns(some)
    np.testing.assert_allclose(part.r.T @ part.r, gram[np.ix_(some, some)], atol=1e-10)
    np.testing.assert_allclose(root.scaled(3.0).r, 3 * dense.r, atol=1e-10)
    np.testing.assert_allclose(root.scaled(3.0).solve(v), inverse @ v / 9, rtol=1e-9, atol=1e-12)


def test_not_positive_definite_is_none(gram) -> None:
    gram[0, 0] = 1.0
    assert arrow_of(gram) is not None
    assert cholesky_root(gram) is None


def agrees(found: Rank, dense: Rank, gram: np.ndarray) -> None:
    assert found.kept == dense.kept
    assert list(found.combinations) == list(dense.combinations)
    for j, b in dense.combinations.items():
        np.testing.assert_allclose(found.combinations[j], b, atol=1e-8)
    np.testing.assert_allclose(found.root.r.T @ found.root.r, gram[np.ix_(dense.kept, dense.kept)], atol=1e-9)


@pytest.mark.parametrize("case", ["sum", "levels", "zero", "both"])
def test_rank_is_decided_from_the_left(case, monkeypatch) -> None:
    x = columns(3)
    k = x.shape[1]
    if case in ("zero", "both"):
        x[:, [4, 60]] = 0
    if case in ("sum", "both"):
        # Of numbers and levels that came before.
        x = np.concatenate([x, x[:, [5]] - 2 * x[:, [7]] + x[:, [0]]], axis=1)
    if case in ("levels", "both"):
        # The level that was left out, and a second constant.
        other = x[:, 0] - x[:, [j for j in range(k) if np.unique(x[:, j] / x[:, 0]).size == 2]].sum(axis=1)
        x = np.concatenate([x[:, :30], other[:, None], x[:, 30:], x[:, [0]]], axis=1)
    gram = gram_of(x)
    gram[np.abs(gram) < 1e-12] = 0
    found = gram_rank(gram)
    assert isinstance(found.root, ArrowRoot)
    monkeypatch.setattr(ranks, "arrow_of", lambda gram: None)
    dense = gram_rank(gram)
    assert len(dense.combinations) == {"sum": 1, "levels": 2, "zero": 2, "both": 5}[case]
    agrees(found, dense, gram)
    for j, b in dense.combinations.items():
        np.testing.assert_allclose(x @ b, x[:, j], atol=1e-7)


def test_a_last_level_made_by_the_others_is_seen_among_many() -> None:
    # All rows have one of 4,000 levels: what is left of the constant is 1e-5 of it, and then nothing.
    d = np.random.default_rng(7).uniform(0.5, 3.0, 4000)
    arrow = Arrow(np.arange(1, 4001), np.array([0]), d, d[:, None], np.array([[d.sum()]]))
    assert np.flatnonzero(~LeftToRight(arrow, 1e-10).kept).tolist() == [4000]
