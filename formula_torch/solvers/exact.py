"""Least squares in double-double: CholeskyQR preconditioned by a float64 root."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from formula_torch.numerics.double_double import DoubleDouble, dd_matmul, dd_sum
from formula_torch.numerics.rank import Rank
from formula_torch.solvers.standardise import Standardised

__all__ = ["Answer", "exact_answer"]

# Rows are taken so many at a time that k x k x rows products fit in the cache.
EXACT_CELLS = 500_000


@dataclass(frozen=True, eq=False)
class Answer:
    """What a route returns for the kept columns: in the units of X and y, but `beta` and `ssr` of Z.

    The inverse Gram matrix is given where it has more digits than that of the root.
    """

    params: np.ndarray
    exact_inverse: np.ndarray | None
    beta: np.ndarray
    ssr: float
    method: str


def exact_answer(z: Standardised, rank: Rank) -> Answer:
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
    return Answer(
        params=params.round().numpy(),
        exact_inverse=dd_matmul(dd_matmul(to_x, inverse), to_x_t).round().numpy(),
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
