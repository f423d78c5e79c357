"""Covariances of independent units: one variance, heteroskedastic errors, outer products of gradients."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from formula_torch.errors import DataError, InferenceWarning, check_known
from formula_torch.inference.moments import Covariance, Moments, Scores, moved_along
from formula_torch.inference.small_sample import by_parameters

__all__ = ["HC", "HC0", "HC1", "HC2", "HC3", "HC4", "HC5", "HC_KINDS", "IID", "OPG", "Given", "HC4m", "UnitSandwich"]


@dataclass(frozen=True)
class IID:
    """Independent errors of one variance: s2 (X'WX)^-1, t with n - k degrees of freedom."""

    columns = ()

    def __call__(self, moments: Moments) -> Covariance:
        """Estimate the covariance of the coefficients."""
        return Covariance(
            moments.scale * moments.bread,
            moments.df_resid,
            "nonrobust",
            "Standard Errors assume that the covariance matrix of the errors is correctly specified.",
            classical=True,
        )


# What multiplies the residual of a row, given leverage h, n and k.
Multiplier = Callable[[np.ndarray, float, float], np.ndarray]


def _hc4(h: np.ndarray, n: float, k: float) -> np.ndarray:
    return (1 - h) ** (-np.minimum(4, n * h / k) / 2)


def _hc4m(h: np.ndarray, n: float, k: float) -> np.ndarray:
    ratio = n * h / k
    return (1 - h) ** (-(np.minimum(1, ratio) + np.minimum(1.5, ratio)) / 2)


def _hc5(h: np.ndarray, n: float, k: float) -> np.ndarray:
    ratio = n * h / k
    return (1 - h) ** (-np.minimum(ratio, max(4, 0.7 * float(ratio.max()))) / 4)


HC_KINDS: dict[str, Multiplier | None] = {
    "HC0": None,
    "HC1": None,
    "HC2": lambda h, n, k: (1 - h) ** -0.5,  # noqa: ARG005 - one signature for all
    "HC3": lambda h, n, k: 1 / (1 - h),  # noqa: ARG005
    "HC4": _hc4,
    "HC4m": _hc4m,
    "HC5": _hc5,
}
# A row of this leverage alone determines a coefficient; 1 - h is rounding.
FULL_LEVERAGE = 1 - 1e-10


@dataclass(frozen=True)
class HC:
    """Independent errors, each of its own variance (Eicker, Huber, White).

    B (sum_i m_i^2 s_i s_i') B with B the inverse information and s_i the scores. HC0 has m = 1, HC1 the
    factor n / (n - k), HC2 m = (1 - h)^-1/2 and HC3 m = 1 / (1 - h) with leverage h (MacKinnon and White
    1985, J. Econometrics 29:305-325); HC4, HC4m and HC5 as Cribari-Neto and co-authors (2004, 2007, 2011).

    Parameters
    ----------
    kind : {"HC0", "HC1", "HC2", "HC3", "HC4", "HC4m", "HC5"}
    adjust : bool, optional
        Multiply by n / (n - k); by default HC1 only (pyfixest does so for HC2 and HC3 too).
    """

    kind: str = "HC1"
    adjust: bool | None = None
    columns = ()

    def __post_init__(self) -> None:
        check_known("kind", self.kind, HC_KINDS)
        check_known("adjust", self.adjust, (None, True, False))

    def __call__(self, moments: Moments) -> Covariance:
        """Estimate the covariance of the coefficients.

        Warns
        -----
        InferenceWarning
            A row has leverage 1, and the kind divides by 1 - h: coefficients that rest on it alone have NaN errors.
        """
        scores = moments.scores()
        multiplier, lost = self._multiplier(moments, scores)
        adjust = self.kind == "HC1" if self.adjust is None else self.adjust
        factor = by_parameters(moments.n_obs, moments.n_params) if adjust else 1.0
        matrix = factor * moments.sandwich(scores.outer(multiplier))
        matrix[lost], matrix[:, lost] = np.nan, np.nan
        note = f"Standard Errors are heteroscedasticity robust ({self._described})."
        return Covariance(matrix, moments.df_resid, self.kind, note)

    def _multiplier(self, moments: Moments, scores: Scores) -> tuple[np.ndarray | None, np.ndarray]:
        """m_i of the rows, and the coefficients for which it is not defined."""
        rule, lost = HC_KINDS[self.kind], np.zeros(len(moments.lift), dtype=bool)
        if rule is None:
            return None, lost
        leverage = scores.leverage()
        full = leverage > FULL_LEVERAGE
        if full.any():
            lost = np.asarray(moved_along(moments.lift, _directions(scores, full)).any(axis=0))
            warnings.warn(
                f"{int(full.sum())} rows have leverage 1 (the first is number {int(np.argmax(full))} of those used): "
                f"{int(lost.sum())} coefficients rest on one of them alone, and their {self.kind} errors are NaN.",
                InferenceWarning,
                stacklevel=2,
            )
        # Such a row has no residual: it counts for nothing but the coefficients that are lost.
        multiplier = rule(np.where(full, 0.0, leverage), moments.n_obs, moments.n_params)
        return np.where(full, 0.0, multiplier), lost

    @property
    def _described(self) -> str:
        if self.adjust is None:
            return self.kind
        return f"{self.kind}, {'with' if self.adjust else 'without'} the factor n/(n-k)"


def _directions(scores: Scores, rows: np.ndarray) -> np.ndarray:
    """Coordinates of some rows, of unit length, shape (m, rank)."""
    q = scores.by(np.where(rows, np.cumsum(rows) - 1, 0), int(rows.sum()), rows.astype(np.float64))
    return q / np.linalg.norm(q, axis=1, keepdims=True)


HC0 = partial(HC, "HC0")
HC1 = partial(HC, "HC1")
HC2 = partial(HC, "HC2")
HC3 = partial(HC, "HC3")
HC4 = partial(HC, "HC4")
HC4m = partial(HC, "HC4m")
HC5 = partial(HC, "HC5")


@dataclass(frozen=True)
class UnitSandwich:
    """Independent units of any distribution: B (sum_u w_u s_u s_u') B n / (n - 1), t with n - 1 degrees of freedom.

    A unit of weight w stands for w units.
    """

    columns = ()

    def __call__(self, moments: Moments) -> Covariance:
        """Estimate the covariance of the coefficients."""
        n = moments.n_obs
        if n <= 1:
            raise DataError(f"a sandwich by unit needs at least 2 units; there is {n:g}.")
        note = "Standard Errors are robust to dependence within units (sandwich by unit, factor n/(n-1))."
        return Covariance(n / (n - 1) * moments.sandwich(moments.scores().outer()), n - 1, "robust", note)


@dataclass(frozen=True)
class OPG:
    """Inverse of the sum of outer products of the log-likelihood's gradients (Berndt, Hall, Hall and Hausman 1974).

    In least squares the gradients are x_i w_i e_i / s2 with s2 = ssr / n.
    """

    columns = ()

    def __call__(self, moments: Moments) -> Covariance:
        """Estimate the covariance of the coefficients.

        Raises
        ------
        DataError
            The gradients span fewer dimensions than there are coefficients.
        """
        outer = moments.scores().outer()
        if np.linalg.matrix_rank(outer, hermitian=True) < len(outer):
            raise DataError("OPG is not defined: the gradients of the rows do not span all coefficients; use HC1.")
        inverse = moments.dispersion * np.linalg.inv(outer / moments.dispersion)
        note = "Standard Errors are from the outer product of gradients (OPG)."
        return Covariance(moments.sandwich(inverse), moments.df_resid, "OPG", note)


@dataclass(frozen=True, eq=False)
class Given:
    """A covariance matrix computed elsewhere.

    Parameters
    ----------
    matrix : array, shape (k, k)
    df : float
        Degrees of freedom of t; infinite for the normal.
    label : str
    """

    matrix: np.ndarray
    df: float = math.inf
    label: str = "given"
    columns = ()

    def __call__(self, moments: Moments) -> Covariance:
        """Check the shape and symmetry of the matrix.

        Raises
        ------
        DataError
            It is not a covariance of these coefficients.
        """
        matrix = np.array(self.matrix, dtype=np.float64)
        if matrix.shape != moments.bread.shape:
            k = len(moments.bread)
            raise DataError(f"the covariance matrix has shape {matrix.shape}; the model has {k} coefficients.")
        if not np.allclose(matrix, matrix.T, rtol=1e-8, atol=0, equal_nan=True) or (np.diag(matrix) < 0).any():
            raise DataError("the covariance matrix is not symmetric with variances that are not negative.")
        note = f"Standard Errors are from a covariance matrix computed elsewhere ({self.label})."
        return Covariance(matrix, self.df, self.label, note)
