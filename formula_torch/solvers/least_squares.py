"""Weighted least squares with as many digits as the data carry.

Three routes, from cheap to exact; each sees the standardised design in row blocks:

1. Cholesky of the Gram matrix and one corrected step (Bjorck 1987, Linear Algebra
   Appl. 88/89:31-48), where the columns are well conditioned;
2. row-blocked Householder QR where they are not;
3. double-double CholeskyQR, preconditioned by 2, where 2 leaves too few digits
   and the problem is small enough to pay for it.

Dependent columns are found from left to right, as R does, never by a pseudo-inverse.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from formula_torch.design import Design
from formula_torch.numerics.double_double import DoubleDouble, dd_matmul, dd_sum
from formula_torch.numerics.triangular import Rank, cholesky_root, gram_rank, independent_columns, tall_qr
from formula_torch.solvers.standardise import Standardised, standardise

__all__ = ["LeastSquares", "Totals", "least_squares"]

EPS = float(np.finfo(np.float64).eps)
# (X'X)^-1 from a Gram matrix loses twice the digits of the condition number: 1e-16 * 300**2 = 1e-11,
# and 1e-9 where a QR (2 n k**2 flops against n k**2 / 2, and less parallel) would take long.
CHOLESKY_CONDITION = 300.0
CHOLESKY_CONDITION_LARGE = 3000.0
QR_CHEAP = 1e8
# Above this many n k**2 (some seconds) only the Gram matrix is affordable.
QR_BUDGET = 4e10
QR_CELLS = 500_000
# Double-double costs some 40 flops for one. By n k**2: a matter of course when tiny, where the
# columns are not well conditioned when small, and where they are ill conditioned when larger.
EXACT_TINY = 2e4
EXACT_SMALL = 2e6
EXACT_BUDGET = 1e8
EXACT_CONDITION = 1e4
EXACT_COLUMNS = 64
EXACT_CELLS = 500_000


@dataclass(frozen=True)
class Totals:
    """Sums over rows of the weights and of the response (less the offset)."""

    weight: float
    mean: float
    centred: float
    uncentred: float


@dataclass(frozen=True, eq=False)
class LeastSquares:
    """The solution of min sum w (y - offset - x'b)^2.

    Parameters
    ----------
    params : array, shape (k,)
        NaN for aliased columns.
    inverse_gram : array, shape (k, k)
        (X'WX)^-1, NaN for aliased columns.
    root : array, shape (rank, rank)
        Any matrix with root'root = X'WX of the kept columns.
    kept : list of int
    dependent : dict of int to list of int
        Aliased column: the earlier columns it combines.
    ssr : float
        Weighted sum of squared residuals; 0 where it is rounding noise (`perfect`).
    totals : Totals
    implicit_constant : bool
        Whether the columns span the constant (explicitly or not).
    condition : float
        Condition number of the standardised columns: the digits at stake.
    entangled : list of int
        The columns most nearly dependent on others, worst first.
    method : str
        ``"cholesky"``, ``"qr"`` or ``"double-double"``.
    perfect, constant_response : bool
    """

    params: np.ndarray
    inverse_gram: np.ndarray
    root: np.ndarray
    kept: list[int]
    dependent: dict[int, list[int]]
    ssr: float
    totals: Totals
    implicit_constant: bool
    condition: float
    entangled: list[int]
    method: str
    perfect: bool
    constant_response: bool

    @property
    def rank(self) -> int:
        """Number of independent columns."""
        return len(self.kept)

    @cached_property
    def singular_values(self) -> np.ndarray:
        """Singular values of sqrt(W) X (kept columns), largest first."""
        return np.linalg.svd(self.root, compute_uv=False) if self.rank else np.zeros(0)


@dataclass(frozen=True, eq=False)
class _Answer:
    """What a route returns for the kept columns: in the units of X and y, but `beta` and `ssr` of Z."""

    params: np.ndarray
    inverse_gram: np.ndarray
    beta: np.ndarray
    ssr: float
    method: str


def least_squares(design: Design) -> LeastSquares:
    """Solve the weighted least-squares problem of a design with a response.

    Parameters
    ----------
    design : Design
        With `y`, and `weights` and `offset` or None.

    Examples
    --------
    >>> from formula_torch.formula.learn import learn
    >>> problem = learn("y ~ x", {"x": [0.0, 1.0, 2.0], "y": [1.0, 3.0, 5.5]})
    >>> least_squares(problem.design).params.round(4).tolist()
    [0.9167, 2.25]
    """
    z = standardise(design)
    one = torch.ones((), dtype=torch.float64, device=design.device)
    gram = z.design.gram(lambda rows: (z.response(rows), one), n_extra=2)
    k = design.k
    root = cholesky_root(gram[:k, :k])
    work = design.n_rows * k**2
    if root is not None and root.condition <= (CHOLESKY_CONDITION if work <= QR_CHEAP else CHOLESKY_CONDITION_LARGE):
        rank = Rank(list(range(k)), {}, root)
        answer = _exact(z, rank) if work <= EXACT_TINY else _corrected(z, rank, gram[:k, k], 1, "cholesky")
    elif work > QR_BUDGET:
        rank = gram_rank(gram[:k, :k])
        answer = _corrected(z, rank, gram[:k, k], 2, "cholesky")
    else:
        rank, answer = _ill_conditioned(z, gram)
    return _report(z, gram, rank, answer)


def _ill_conditioned(z: Standardised, gram: np.ndarray) -> tuple[Rank, _Answer]:
    k = z.design.k
    rank = independent_columns(tall_qr(_root_weighted(z)))
    work = z.design.n_rows * len(rank.kept) ** 2
    affordable = work <= EXACT_SMALL or (work <= EXACT_BUDGET and rank.root.condition > EXACT_CONDITION)
    if affordable and 0 < len(rank.kept) <= EXACT_COLUMNS:
        return rank, _exact(z, rank)
    return rank, _corrected(z, rank, gram[:k, k], 3, "qr")


def _root_weighted(z: Standardised) -> Iterator[Tensor]:
    k = z.design.k
    for batch in z.design.batches(max(2 * k, QR_CELLS // k)):
        rows = batch.block()
        yield rows if batch.weights is None else rows * batch.weights.sqrt()


def _corrected(z: Standardised, rank: Rank, xy: np.ndarray, steps: int, method: str) -> _Answer:
    """Solve the normal equations with a good root, then correct by the true residual.

    Each step adds delta = (X'X)^-1 X'r, and ||r - X delta||^2 = ||r||^2 - delta'X'r.
    """
    beta = np.zeros(z.design.k)
    beta[rank.kept] = rank.root.solve(xy[rank.kept])
    for _ in range(steps):
        gradient, ssr = _residual_pass(z, beta)
        delta = rank.root.solve(gradient[rank.kept])
        beta[rank.kept] += delta
    return _Answer(
        params=z.params(beta)[rank.kept],
        inverse_gram=z.covariance(rank.root.inverse_gram, rank.kept),
        beta=beta[rank.kept],
        ssr=max(ssr - delta @ gradient[rank.kept], 0.0),
        method=method,
    )


def _residual_pass(z: Standardised, beta: np.ndarray) -> tuple[np.ndarray, float]:
    """X'W r and r'W r for r = u - Z beta, in one pass over the row blocks."""
    gradient, ssr, weights = np.zeros(z.design.k), 0.0, z.design.weights
    for rows, batch in z.design.formed():
        residual = z.response(rows).sub_(batch.matvec(beta))
        weighted = residual if weights is None else residual * weights[rows]
        gradient += batch.rmatvec(weighted)
        ssr += float(weighted @ residual)
    return gradient, ssr


def _exact(z: Standardised, rank: Rank) -> _Answer:
    """Double-double CholeskyQR.

    With P = R^-1 from the float64 QR, Q = Z P is orthonormal up to cond * eps, so G = Q'Q is
    close to I and its inverse converges from float64 in one Newton step to 32 digits:
    beta = P G^-1 Q'u and (Z'Z)^-1 = P G^-1 P', whatever the rounding of P.
    """
    p = torch.from_numpy(rank.root.inverse)
    gram, qu = _exact_products(z, rank, p)
    inverse = DoubleDouble.of(torch.linalg.inv(gram.hi))
    for _ in range(2):
        inverse = inverse + dd_matmul(inverse, _identity_minus(dd_matmul(gram, inverse)))
    beta = dd_matmul(DoubleDouble.of(p), dd_matmul(inverse, qu[:, None]))
    # Z back to X: the large terms of the intercept cancel, so this too is done in 32 digits.
    back = DoubleDouble.of(torch.from_numpy(z.back(rank.kept)))
    to_x = dd_matmul(back, DoubleDouble.of(p))
    to_x_t = DoubleDouble(to_x.hi.mT, to_x.lo.mT)
    params = dd_matmul(back, beta)[:, 0] / torch.tensor(z.scale, dtype=torch.float64)
    if z.design.constant is not None:
        shift = torch.zeros_like(params.hi)
        shift[rank.kept.index(z.design.constant)] = z.shift
        params = params + DoubleDouble.of(shift)
    return _Answer(
        params=params.round().numpy(),
        inverse_gram=dd_matmul(dd_matmul(to_x, inverse), to_x_t).round().numpy(),
        beta=beta[:, 0].round().numpy(),
        ssr=_exact_ssr(z, rank, beta[:, 0]),
        method="double-double",
    )


def _identity_minus(x: DoubleDouble) -> DoubleDouble:
    return DoubleDouble.of(torch.eye(len(x.hi), dtype=torch.float64)) - x


def _exact_batches(z: Standardised, rank: Rank) -> Iterator[tuple[DoubleDouble, DoubleDouble]]:
    """Kept columns and response of each row block, times the root of the weights."""
    for batch in z.design.batches(max(EXACT_CELLS // len(rank.kept) ** 2, 256)):
        x, u = batch.exact_block()[rank.kept], z.exact_response(batch)
        if batch.weights is not None:
            half = batch.weights.sqrt()
            x, u = x * half, u * half
        yield x, u


def _exact_products(z: Standardised, rank: Rank, p: Tensor) -> tuple[DoubleDouble, DoubleDouble]:
    """Q'Q, shape (m, m), and Q'u, shape (m,), for Q = Z P, on the CPU."""
    m = len(rank.kept)
    total = DoubleDouble.of(torch.zeros(m, m + 1, dtype=torch.float64))
    p_t = DoubleDouble.of(p.mT.contiguous().to(z.design.device))
    for x, u in _exact_batches(z, rank):
        q = dd_matmul(p_t, x)
        part = dd_matmul(q, DoubleDouble(torch.cat([q.hi, u.hi[None]]).mT, torch.cat([q.lo, u.lo[None]]).mT))
        total = total + DoubleDouble(part.hi.cpu(), part.lo.cpu())
    return total[:, :m], total[:, m]


def _exact_ssr(z: Standardised, rank: Rank, beta: DoubleDouble) -> float:
    total = DoubleDouble.of(torch.zeros((), dtype=torch.float64))
    b = DoubleDouble(beta.hi.to(z.design.device), beta.lo.to(z.design.device))[None]
    for x, u in _exact_batches(z, rank):
        residual = u - dd_matmul(b, x)[0]
        part = dd_sum(residual * residual)
        total = total + DoubleDouble(part.hi.cpu(), part.lo.cpu())
    return max(float(total.round()), 0.0)


def _report(z: Standardised, gram: np.ndarray, rank: Rank, answer: _Answer) -> LeastSquares:
    """Carry the answer from Z back to X and judge what is rounding noise."""
    k = z.design.k
    beta, params = np.zeros(k), np.full(k, np.nan)
    beta[rank.kept], params[rank.kept] = answer.beta, answer.params
    inverse_gram = np.full((k, k), np.nan)
    inverse_gram[np.ix_(rank.kept, rank.kept)] = answer.inverse_gram
    totals, noise = _totals(z, gram), _noise(z, gram, beta)
    perfect, flat = answer.ssr <= noise, totals.centred <= _flat_noise(totals)
    return LeastSquares(
        params=params,
        inverse_gram=inverse_gram,
        root=z.root(rank.root.r, rank.kept),
        kept=rank.kept,
        dependent=rank.dependent,
        ssr=0.0 if perfect else float(answer.ssr / z.scale**2),
        totals=totals,
        implicit_constant=_spans_constant(z, gram, rank),
        condition=rank.root.condition,
        entangled=_entangled(rank),
        method=answer.method,
        perfect=bool(perfect),
        constant_response=bool(flat),
    )


def _entangled(rank: Rank) -> list[int]:
    """Up to three columns within a factor ten of the largest variance inflation."""
    inflation = np.linalg.norm(rank.root.r, axis=0) * np.linalg.norm(rank.root.inverse, axis=1)
    order = np.argsort(-inflation, kind="stable")[:3]
    return [rank.kept[i] for i in order if inflation[i] > inflation[order[0]] / 10]


def _totals(z: Standardised, gram: np.ndarray) -> Totals:
    k = z.design.k
    weight, total, squares = gram[k + 1, k + 1], gram[k, k + 1], gram[k, k]
    mean = total / weight
    centred = max(squares - mean * total, 0.0) / z.scale**2
    uncentred = squares / z.scale**2 + 2 * z.shift * total / z.scale + z.shift**2 * weight
    return Totals(float(weight), float(mean / z.scale + z.shift), float(centred), float(uncentred))


def _noise(z: Standardised, gram: np.ndarray, beta: np.ndarray) -> float:
    """Sum of squares that the rounding of y and of x'b alone can leave (standardised units)."""
    k = z.design.k
    sizes = np.sqrt(np.diag(gram)[:k])
    level = np.sqrt(gram[k, k]) + np.abs(beta) @ sizes + abs(z.shift * z.scale) * np.sqrt(gram[k + 1, k + 1])
    return float((8 * EPS * level) ** 2)


def _flat_noise(totals: Totals) -> float:
    return (8 * EPS) ** 2 * (totals.centred + totals.weight * totals.mean**2)


def _spans_constant(z: Standardised, gram: np.ndarray, rank: Rank) -> bool:
    """Whether 1 = Z b for some b: explicit, or implied as by all levels of a factor."""
    if z.design.constant is not None:
        return True
    if not rank.kept:
        return False
    k = z.design.k
    ones = gram[:k, k + 1][rank.kept]
    rest = gram[k + 1, k + 1] - ones @ rank.root.solve(ones)
    return bool(rest <= 1e-10 * gram[k + 1, k + 1])
