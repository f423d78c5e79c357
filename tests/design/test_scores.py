"""The scores operator against dense matrices, in every way a design can be built."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import formula_torch as ft
from formula_torch.design import scores as scores_module

FORMULAS = [
    "y ~ x + z",
    "y ~ x * g + h",
    "y ~ C(g, Sum) * z + I(x**2)",
    "y ~ g:h + x - 1",
    "y ~ x + z + twice + g",
    "y ~ year + I(year**2)",
]


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    rng = np.random.default_rng(5)
    n = 240
    x = rng.normal(size=n)
    return pd.DataFrame(
        {
            "y": rng.normal(size=n) + x,
            "x": x,
            "z": rng.normal(size=n) * 1e3,
            "twice": 2 * x,
            "year": 1990.0 + np.arange(n) % 25,
            "g": rng.choice(list("abc"), n),
            "h": rng.choice(list("uv"), n),
            "w": rng.uniform(0.5, 2, n),
            "m": rng.integers(1, 4, n),
            "id": rng.integers(0, 17, n),
        }
    )


@pytest.fixture(params=[(None, "analytic"), ("w", "analytic"), ("m", "frequency")], ids=["plain", "analytic", "counts"])
def weighting(request: pytest.FixtureRequest) -> tuple[str | None, str]:
    return request.param


def dense_parts(frame, formula, weighting):
    """The operator, and by plain numpy in coefficients: bread, X, slopes, weights, counts."""
    weights, kind = weighting
    fit = ft.fit(formula, frame, weights=weights, weights_type=kind)
    design = fit.rows.design(fit.recipe)
    kept = fit.solution.kept
    x = design.dense()[:, kept]
    counts = frame[weights].to_numpy(float) if kind == "frequency" else np.ones(len(frame))
    w = frame[weights].to_numpy(float) if weights and kind == "analytic" else np.ones(len(frame))
    root = np.sqrt(w * counts)[:, None]
    q, r = np.linalg.qr(x * root)
    slopes = w * fit.resid.to_numpy()
    return fit, fit.moments(), q / root, np.linalg.inv(r), slopes, w, counts


def in_params(moments, kept, inner):
    return moments.sandwich(inner)[np.ix_(kept, kept)]


@pytest.mark.filterwarnings("ignore::formula_torch.errors.CollinearityWarning")
@pytest.mark.parametrize("formula", FORMULAS)
@pytest.mark.parametrize("whitened", [False, True], ids=["gram", "rows"])
def test_products_equal_dense_ones(frame, formula, weighting, whitened, monkeypatch) -> None:
    monkeypatch.setattr(scores_module, "GRAM_CONDITION", 0.0 if whitened else np.inf)
    fit, moments, q, root, slopes, w, counts = dense_parts(frame, formula, weighting)
    scores, kept = moments.scores(), fit.solution.kept
    codes = frame["id"].to_numpy()
    dense = q * slopes[:, None]

    def check(ours, theirs):
        np.testing.assert_allclose(in_params(moments, kept, ours), root @ theirs @ root.T, rtol=1e-7, atol=1e-12)

    half = np.linspace(0.5, 1.5, len(frame))
    check(scores.outer(), dense.T @ (dense * counts[:, None]))
    check(scores.outer(half), dense.T @ (dense * (counts * half**2)[:, None]))
    sums = np.zeros((17, q.shape[1]))
    np.add.at(sums, codes, dense * counts[:, None])
    ours = scores.by(codes, 17)
    check(ours.T @ ours, sums.T @ sums)
    share = scores.information_by(codes, 17)
    check(share[3], (q * (w * counts)[:, None])[codes == 3].T @ q[codes == 3])
    np.testing.assert_allclose(share.sum(0), np.eye(q.shape[1]), atol=1e-9)
    np.testing.assert_allclose(scores.leverage(), w * (q**2).sum(1), rtol=1e-8)
    repeated = np.repeat(dense, counts.astype(int), axis=0)
    check(scores.dense().T @ scores.dense(), repeated.T @ repeated)
    np.testing.assert_allclose(scores.row_slopes(), slopes, rtol=1e-8, atol=1e-10)


def test_scores_sum_to_zero_at_the_solution(frame, weighting) -> None:
    parts = dense_parts(frame, "y ~ x * g + z", weighting)
    moments, slopes = parts[1], parts[4]
    total = moments.scores().by(np.zeros(len(frame), dtype=np.int64), 1)
    assert np.abs(total).max() < 1e-10 * np.abs(slopes).sum()


def test_bread_is_the_square_of_the_lift(frame) -> None:
    moments = ft.fit("y ~ x * g + year", frame).moments()
    np.testing.assert_allclose(moments.lift @ moments.lift.T, moments.bread, rtol=1e-10)


def test_large_sums_are_refused_before_they_are_made(frame, monkeypatch) -> None:
    moments = ft.fit("y ~ x", frame).moments()
    monkeypatch.setattr("formula_torch.design.design.DENSE_LIMIT_BYTES", 100)
    with pytest.raises(ft.errors.DataError, match="sums by cluster"):
        moments.scores().by(np.arange(len(frame)), len(frame))
