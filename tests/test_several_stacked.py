"""Several predictors over the same rows: every sum of blocks against dense matrices."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from torch import Tensor

from formula_torch.design import design as design_module
from formula_torch.design.design import Design
from formula_torch.design.parts import Part, constant_part, part_of
from formula_torch.design.stacked import Stacked
from formula_torch.design.stacked_scores import StackedScores
from formula_torch.errors import DataError
from formula_torch.formula.learn import learn
from formula_torch.solvers.least_squares import least_squares

N = 157


def table() -> dict[str, object]:
    rng = np.random.default_rng(5)
    return {
        "y": rng.normal(size=N),
        "x": rng.normal(size=N),
        "year": 2000.0 + rng.integers(0, 20, N),
        "g": rng.choice(list("abcd"), N),
        "h": rng.choice(list("uvw"), N),
        "w": rng.integers(1, 4, N).astype(float),
    }


def part(formula: str, weights: str | None = None) -> tuple[Part, Design]:
    design = learn(f"y ~ {formula}", table(), weights=weights).design
    assert design.y is not None
    solution = least_squares(replace(design, y=torch.zeros_like(design.y)))
    total = float(N if design.weights is None else design.weights.sum())
    return part_of(design, solution.coordinates, total), design


@dataclass(frozen=True)
class Rows:
    value: Tensor
    first: Tensor
    pairs: dict[tuple[int, int], Tensor]

    def second(self, j: int, k: int) -> Tensor | None:
        return self.pairs.get((j, k))


# (main, other) formulas: numbers, factors alone, the same factor in both, powers of a year, aliased columns.
CASES = [
    ("x + year", "x"),
    ("g + x", "h"),
    ("g * x", "g + h"),
    ("year + I(year^2) + I(year^3)", "g + year"),
    ("x + g + I(2 * x)", "1"),
    ("g - 1", "C(g, Sum)"),
]


@pytest.fixture(params=CASES, ids=lambda c: f"{c[0]} | {c[1]}")
def case(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> tuple[Stacked, list[np.ndarray]]:
    """Four predictors: main, other, a constant, main again; and their dense coordinates."""
    (main, one), (other, two) = part(request.param[0]), part(request.param[1])
    # Several blocks of rows, the last one shorter.
    monkeypatch.setattr(design_module, "BATCH_ROWS", 64)
    monkeypatch.setattr(Design.batches, "__defaults__", (64,))
    offset = torch.linspace(-1, 1, N, dtype=torch.float64)
    stacked = Stacked((main, other, constant_part(one)), (0, 1, 2, 0), (offset, None, None, None))
    dense = [p.design.dense() @ p.whiten for p in stacked.parts]
    assert two.n_rows == N
    return stacked, [dense[p] for p in stacked.owner]


def kernel(rows: slice, eta: Tensor) -> Rows:
    """Any smooth function of eta that differs from row to row; d2 / d0 d3 is zero."""
    t = torch.arange(N, dtype=torch.float64)[rows] / N
    c = [torch.cos(eta[j] + t * (j + 1)) for j in range(4)]
    pairs = {(j, k): c[j] * c[k] + t for j in range(4) for k in range(j, 4) if (j, k) != (0, 3)}
    return Rows(c[0] + c[1], torch.stack(c), pairs)


def test_coordinates_are_orthonormal_on_average(case: tuple[Stacked, list[np.ndarray]]) -> None:
    for q in case[1]:
        assert np.allclose(q.T @ q / N, np.eye(q.shape[1]), atol=1e-8)


def test_lift_carries_coordinates_to_the_columns_as_they_came() -> None:
    for formula, _ in CASES[:5]:
        own, design = part(formula, "w")
        theta = np.linspace(-1, 1, own.rank)
        eta = own.design.dense() @ own.whiten @ theta
        assert np.allclose(design.dense() @ np.nan_to_num(own.lift @ theta), eta, rtol=1e-9, atol=1e-7)


def test_predictors_gradient_and_hessian_are_those_of_dense_matrices(case: tuple[Stacked, list[np.ndarray]]) -> None:
    stacked, q = case
    theta = np.linspace(-0.5, 0.5, stacked.size)
    eta = np.stack([qj @ theta[block] for qj, block in zip(q, stacked.blocks, strict=True)])
    eta[0] += np.linspace(-1, 1, N)
    assert np.allclose(stacked.predictors(theta), eta, atol=1e-12)
    found = kernel(slice(0, N), torch.from_numpy(eta))
    value, gradient, hessian = stacked.derivatives(theta, kernel)
    assert value == pytest.approx(float(found.value.sum()), rel=1e-12)
    assert stacked.value(theta, lambda rows, e: kernel(rows, e).value) == pytest.approx(value, rel=1e-14)
    expected = np.concatenate([qj.T @ d.numpy() for qj, d in zip(q, found.first, strict=True)])
    assert np.allclose(gradient, expected, atol=1e-10)
    assert np.allclose(hessian, hessian.T)
    for j, row in enumerate(stacked.blocks):
        for k in range(j, 4):
            weights = found.second(j, k)
            block = np.zeros((q[j].shape[1], q[k].shape[1])) if weights is None else (q[j].T * weights.numpy()) @ q[k]
            assert np.allclose(hessian[row, stacked.blocks[k]], block, atol=1e-9), (j, k)


@pytest.mark.parametrize("counted", [False, True])
def test_scores_are_those_of_dense_matrices(case: tuple[Stacked, list[np.ndarray]], counted: bool) -> None:
    stacked, q = case
    rng = np.random.default_rng(1)
    theta, whiten = np.linspace(-0.5, 0.5, stacked.size), rng.normal(size=(stacked.size, 3))
    counts = rng.integers(1, 4, N)
    scores = StackedScores(stacked, theta, kernel, whiten, torch.from_numpy(counts.astype(float)) if counted else None)
    first = kernel(slice(0, N), stacked.predictors(theta)).first.numpy()
    each = np.concatenate([qj * d[:, None] for qj, d in zip(q, first, strict=True)], axis=1) @ whiten
    repeats = counts if counted else np.ones(N, dtype=int)
    assert np.allclose(scores.dense(), np.repeat(each, repeats, axis=0), atol=1e-11)
    assert np.allclose(scores.outer(), (each.T * repeats) @ each, atol=1e-9)
    m = rng.random(N)
    assert np.allclose(scores.outer(m), (each.T * repeats * m**2) @ each, atol=1e-9)
    codes = rng.integers(0, 5, N)
    sums = np.zeros((5, 3))
    np.add.at(sums, codes, each * repeats[:, None])
    assert np.allclose(scores.by(codes, 5), sums, atol=1e-10)
    for refused in (scores.leverage, scores.orthonormal, lambda: scores.along(m), lambda: scores.by(codes, 5, m)):
        with pytest.raises(DataError, match="one linear predictor"):
            refused()


def test_projection_is_weighted_least_squares() -> None:
    own, design = part("x + g", "w")
    offset = torch.linspace(0, 1, N, dtype=torch.float64)
    stacked = Stacked((own,), (0,), (offset,))
    target = torch.from_numpy(np.random.default_rng(2).normal(size=(1, N)))
    w = design.weights
    assert w is not None
    fitted = stacked.predictors(stacked.project(target, w))[0].numpy() - offset.numpy()
    x, root = design.dense(), np.sqrt(w.numpy())
    beta = np.linalg.lstsq(x * root[:, None], (target[0].numpy() - offset.numpy()) * root, rcond=None)[0]
    assert np.allclose(fitted, x @ beta, atol=1e-12)


def test_a_part_without_its_constant_is_centred() -> None:
    own, design = part("year + g")
    bare = own.without_constant()
    q = bare.design.dense() @ bare.whiten
    assert q.shape == (N, own.rank - 1)
    assert np.abs(q.mean(0)).max() < 1e-12
    theta = np.linspace(-1, 1, bare.rank)
    # The row of the constant says what the columns as they came have beside.
    assert np.allclose(design.dense() @ (bare.lift @ theta), q @ theta, atol=1e-9)
