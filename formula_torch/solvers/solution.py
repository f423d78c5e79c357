"""What a least-squares problem comes to."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from formula_torch.design import Coordinates
from formula_torch.solvers.rounding import Totals

__all__ = ["LeastSquares"]


@dataclass(frozen=True, eq=False)
class LeastSquares:
    """The solution of min sum w (y - offset - x'b)^2.

    Parameters
    ----------
    params : array, shape (k,)
        NaN for aliased columns.
    exact_inverse : array, shape (rank, rank), or None
        (X'WX)^-1 of the kept columns, where it was found to all digits.
    kept : list of int
    dependent : dict of int to list of int
        Aliased column: the earlier columns it combines.
    null_space : array, shape (aliased, k)
        Combinations of columns, of unit size, that are zero on the data: rows where they are not cannot be predicted.
    ssr : float
        Weighted sum of squared residuals; 0 where it is rounding noise (`perfect`).
    totals : Totals
    constant : array, shape (k,), or None
        A combination of the columns that is 1 on every row, where they span the constant.
    condition : float
        Condition number of the standardised columns: the digits at stake.
    entangled : list of int
        The columns most nearly dependent on others, worst first.
    method : str
        ``"cholesky"``, ``"qr"`` or ``"double-double"``.
    perfect, constant_response : bool
    coordinates : Coordinates
    shifted_params : array, shape (k,)
        Coefficients of the columns shifted and scaled as in `coordinates`, zero where aliased, for the
        response less `response_shift`: residuals from these lose nothing to large shifts.
    response_shift : float
    held : dict of int to float
        Columns whose coefficient is given, as at a bound, and counts in `params`: neither kept nor dependent.
    """

    params: np.ndarray
    exact_inverse: np.ndarray | None
    kept: list[int]
    dependent: dict[int, list[int]]
    null_space: np.ndarray
    ssr: float
    totals: Totals
    constant: np.ndarray | None
    condition: float
    entangled: list[int]
    method: str
    perfect: bool
    constant_response: bool
    coordinates: Coordinates
    shifted_params: np.ndarray
    response_shift: float
    held: dict[int, float] = field(default_factory=dict)

    @property
    def spans_constant(self) -> bool:
        """Whether the columns span the constant (explicitly or not)."""
        return self.constant is not None

    @property
    def rank(self) -> int:
        """Number of independent columns."""
        return len(self.kept)

    @cached_property
    def singular_values(self) -> np.ndarray:
        """Singular values of sqrt(W) X (kept columns), largest first."""
        return np.linalg.svd(self.coordinates.raw_root, compute_uv=False) if self.rank else np.zeros(0)

    @cached_property
    def inverse_gram(self) -> np.ndarray:
        """(X'WX)^-1, NaN for aliased columns, shape (k, k)."""
        k, kept = len(self.params), self.kept
        found = self.coordinates.inverse_gram if self.exact_inverse is None else self.exact_inverse
        if len(kept) == k:
            return found
        out = np.full((k, k), np.nan)
        out[np.ix_(kept, kept)] = found
        return out
