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

from collections.abc import Callable, Iterator
from functools import reduce

import numpy as np
import torch
from torch import Tensor

from formula_torch.design import Coordinates, Design
from formula_torch.errors import DataError
from formula_torch.numerics.rank import Rank, gram_rank, independent_columns
from formula_torch.numerics.triangular import cholesky_root, tall_qr
from formula_torch.solvers.exact import Answer, exact_answer
from formula_torch.solvers.rounding import Totals, is_flat, noise_level, totals_of
from formula_torch.solvers.solution import LeastSquares
from formula_torch.solvers.standardise import Standardised, standardise

__all__ = ["LeastSquares", "Totals", "least_squares"]

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
    # Extreme units may leave the range of float64 on the way back; the caller refuses what is lost.
    with np.errstate(all="ignore"):
        return _solve(standardise(design))


def _solve(z: Standardised) -> LeastSquares:
    gram = _bordered_gram(z)
    design, k = z.source, z.design.k
    work = design.n_rows * k**2
    rank = _well_conditioned(gram[:k, :k], work)
    if rank is not None:
        tiny = 0 < work <= EXACT_TINY and z.is_plain
        answer = exact_answer(z, rank) if tiny else _corrected(z, rank, gram[:k, k], 1, "cholesky")
    elif work > QR_BUDGET:
        rank = gram_rank(gram[:k, :k])
        answer = _corrected(z, rank, gram[:k, k], 2, "cholesky")
    else:
        rank, answer = _ill_conditioned(z, gram)
    return _report(z, gram, rank, answer)


def _well_conditioned(gram: np.ndarray, work: int) -> Rank | None:
    """Columns of which Cholesky's root keeps enough digits; None where a QR is to decide."""
    k, limit = len(gram), CHOLESKY_CONDITION if work <= QR_CHEAP else CHOLESKY_CONDITION_LARGE
    # Levels that no row has would cost a large problem its QR, and need none.
    live = np.flatnonzero(np.diag(gram) > 0) if work > QR_CHEAP else np.arange(k)
    root = cholesky_root(gram if len(live) == k else gram[np.ix_(live, live)])
    return Rank.full(root).among(live, k) if root is not None and root.condition <= limit else None


def _bordered_gram(z: Standardised) -> np.ndarray:
    """Gram matrix of Z, the response, 1 and, without an explicit constant, the response about its mean.

    Raises
    ------
    DataError
        A product leaves the range of float64.
    """
    one = torch.ones((), dtype=torch.float64, device=z.design.device)
    if z.design.constant is not None:
        gram = z.design.gram(lambda rows: (z.response(rows), one), n_extra=2)
    else:
        gram = z.design.gram(lambda rows: (z.response(rows), one, z.response(rows, z.pivot)), n_extra=3)
    bad = np.flatnonzero(~np.isfinite(np.diag(gram)))
    if bad.size:
        name = z.design.names[bad[0]] if bad[0] < z.design.k else "the response"
        raise DataError(f"`{name}` exceeds the range of numbers when squared; rescale its columns.")
    return gram


def _ill_conditioned(z: Standardised, gram: np.ndarray) -> tuple[Rank, Answer]:
    k = z.design.k
    rank = independent_columns(tall_qr(_root_weighted(z)), z.lengths(gram[: k + 2, : k + 2]))
    work = z.design.n_rows * len(rank.kept) ** 2
    affordable = work <= EXACT_SMALL or (work <= EXACT_BUDGET and rank.root.condition > EXACT_CONDITION)
    if affordable and z.is_plain and 0 < len(rank.kept) <= EXACT_COLUMNS:
        return rank, exact_answer(z, rank)
    return rank, _corrected(z, rank, gram[:k, k], 3, "qr")


def _root_weighted(z: Standardised) -> Iterator[Tensor]:
    k = z.design.k
    for batch in z.design.batches(max(2 * k, QR_CELLS // k)):
        rows = batch.block()
        yield rows if batch.weights is None else rows * batch.weights.sqrt()


def _corrected(z: Standardised, rank: Rank, xy: np.ndarray, steps: int, method: str) -> Answer:
    """Solve the normal equations with a good root, then correct by the true residual.

    Each step adds delta = (X'X)^-1 X'r, and ||r - X delta||^2 = ||r||^2 - delta'X'r.
    """
    beta = np.zeros(z.design.k)
    beta[rank.kept] = rank.root.solve(xy[rank.kept])
    for _ in range(steps):
        gradient, ssr = _residual_pass(z, beta, z.response)
        delta = rank.root.solve(gradient[rank.kept])
        beta[rank.kept] += delta
    return Answer(
        params=z.params(beta)[rank.kept],
        exact_inverse=None,
        beta=beta[rank.kept],
        ssr=max(ssr - delta @ gradient[rank.kept], 0.0),
        method=method,
    )


def _residual_pass(z: Standardised, beta: np.ndarray, target: Callable[[slice], Tensor]) -> tuple[np.ndarray, float]:
    """X'W r and r'W r for r = target - Z beta, in one pass over the row blocks."""
    weights = z.design.weights

    def part(within: slice) -> tuple[np.ndarray, float]:
        gradient, ssr = np.zeros(z.design.k), 0.0
        for rows, batch in z.design.formed(within=within):
            residual = target(rows) - batch.matvec(beta)
            weighted = residual if weights is None else residual * weights[rows]
            gradient += batch.rmatvec(weighted)
            ssr += float(weighted @ residual)
        return gradient, ssr

    gradients, ssrs = zip(*z.design.over_rows(part), strict=True)
    return reduce(np.add, gradients), sum(ssrs)


def _report(z: Standardised, gram: np.ndarray, rank: Rank, answer: Answer) -> LeastSquares:
    """Carry the answer from Z back to X and judge what is rounding noise."""
    k = z.design.k
    beta, params = np.zeros(k), np.full(k, np.nan)
    beta[rank.kept], params[rank.kept] = answer.beta, answer.params
    totals = totals_of(z, gram)
    perfect = answer.ssr <= noise_level(z, gram, beta, answer.method == "double-double")
    return LeastSquares(
        params=params,
        exact_inverse=answer.exact_inverse,
        kept=rank.kept,
        null_space=_null_space(z, gram, rank),
        dependent={j: _ingredients(gram, j, b) for j, b in rank.combinations.items()},
        ssr=0.0 if perfect else float(answer.ssr / z.scale / z.scale),
        totals=totals,
        constant=_spanned_constant(z, gram, rank),
        condition=rank.root.condition,
        entangled=_entangled(rank),
        method=answer.method,
        perfect=bool(perfect),
        constant_response=bool(is_flat(totals)),
        coordinates=Coordinates(z.shifts, z.scales, rank.kept, z.design.constant, rank.root),
        shifted_params=beta / z.scale,
        response_shift=z.shift,
    )


def _entangled(rank: Rank) -> list[int]:
    """Up to three columns within a factor ten of the largest variance inflation."""
    inflation = rank.root.lengths * np.sqrt(rank.root.inverse_diagonal)
    order = np.argsort(-inflation, kind="stable")[:3]
    return [rank.kept[i] for i in order if inflation[i] > inflation[order[0]] / 10]


def _ingredients(gram: np.ndarray, j: int, b: np.ndarray) -> list[int]:
    """The columns that matter in z_j = sum b_i z_i."""
    sizes = np.sqrt(np.diag(gram)[: len(b)])
    return [int(i) for i in np.flatnonzero(np.abs(b) * sizes > 1e-6 * sizes[j])]


def _null_space(z: Standardised, gram: np.ndarray, rank: Rank) -> np.ndarray:
    k = z.design.k
    rows = np.zeros((len(rank.combinations), k))
    sizes = np.sqrt(np.diag(gram)[:k] / gram[k + 1, k + 1]) / z.scales + np.abs(z.shifts)
    for row, (j, b) in zip(rows, rank.combinations.items(), strict=True):
        row[:] = -z.combination(b, j)
        row[j] = 1.0
        row /= np.abs(row) @ sizes or 1.0
    return rows


def _spanned_constant(z: Standardised, gram: np.ndarray, rank: Rank) -> np.ndarray | None:
    """Coefficients b with 1 = X b, or None: explicit, or implied as by all levels of a factor.

    The Gram matrix finds candidates; the residual 1 - Z b itself decides, as a regressor of
    100,000 and a little is nearly constant, and yet is none.
    """
    k = z.design.k
    if z.design.constant is not None:
        unit = np.zeros(k)
        unit[z.design.constant] = 1.0
        return unit
    if not rank.kept:
        return None
    ones, weight = gram[:k, k + 1][rank.kept], gram[k + 1, k + 1]
    b = np.zeros(k)
    b[rank.kept] = rank.root.solve(ones)
    if weight - ones @ b[rank.kept] > 1e-6 * weight:
        return None
    one = torch.ones((), dtype=torch.float64, device=z.design.device)
    for _ in range(2):
        gradient, rest = _residual_pass(z, b, lambda rows: one.expand(rows.stop - rows.start))
        b[rank.kept] += rank.root.solve(gradient[rank.kept])
    terms = 1 + np.abs(b) @ np.sqrt(np.diag(gram)[:k] / weight)
    return b * z.scales if rest <= weight * (1e-13 * terms) ** 2 else None
