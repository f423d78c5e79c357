"""The Wald statistic of joint hypotheses."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass

import numpy as np

from formula_torch.errors import DataError, InferenceWarning
from formula_torch.inference.hypotheses import Hypotheses

__all__ = ["WaldStatistic", "all_slopes_zero", "wald_statistic"]

# Gradients of unit length that are this close to dependence are dependent but for rounding.
DEPENDENT = 1e-12
# A negative eigenvalue of this share of the largest is more than rounding.
INDEFINITE = 1e-9
# Dependent hypotheses agree when their values differ by no more than this share of their size.
AGREEMENT = 1e-9


@dataclass(frozen=True)
class WaldStatistic:
    """A Wald statistic and what its degrees of freedom come from.

    Parameters
    ----------
    chi2 : float
        Chi-squared with `rank` degrees of freedom; over `rank`, it is the F statistic.
    rank : int
        Of the covariance of the effects.
    independent : int
        Hypotheses that do not follow from the others.
    """

    chi2: float
    rank: int
    independent: int


def wald_statistic(hypotheses: Hypotheses, vcov: np.ndarray) -> WaldStatistic:
    """Test hypotheses jointly: W = d' (J V J')^+ d with d = g(theta) - null.

    Effects are measured in their standard errors first, so that W does not depend on their
    units, nor on how dependent hypotheses that agree are written.

    Parameters
    ----------
    hypotheses : Hypotheses
    vcov : array, shape (k, k)
        Covariance of the coefficients, NaN where aliased.

    Returns
    -------
    WaldStatistic
        NaN where a standard error is zero or not known.

    Raises
    ------
    DataError
        Dependent hypotheses do not agree.
    """
    distance, covariance = hypotheses.effect - hypotheses.null, hypotheses.covariance(vcov)
    errors, m = hypotheses.standard_errors(vcov), len(distance)
    if not (errors > 0).all() or not np.isfinite(covariance).all():
        return WaldStatistic(math.nan, m, m)
    independent = _independent(hypotheses, np.sqrt(np.abs(np.nan_to_num(np.diag(vcov)))))
    values, vectors = np.linalg.eigh(covariance / np.outer(errors, errors))
    if values[0] < -INDEFINITE * values[-1]:
        warnings.warn(
            "the covariance of the hypotheses is not positive definite, as that of several ways of clustering may be; "
            "the test is NaN. Cluster(..., fix=True) sets negative eigenvalues to zero.",
            InferenceWarning,
            stacklevel=4,
        )
        return WaldStatistic(math.nan, m, independent)
    kept = values > m * np.finfo(np.float64).eps * values[-1]
    kept[: m - independent] = False
    along = vectors[:, kept].T @ (distance / errors)
    return WaldStatistic(float(np.sum(along**2 / values[kept])), int(kept.sum()), independent)


def _independent(h: Hypotheses, units: np.ndarray) -> int:
    """Rank of the Jacobian, its columns in standard errors; raises where dependent rows do not agree."""
    rows = h.jacobian * units
    lengths = np.linalg.norm(rows, axis=1)
    left, values, _ = np.linalg.svd(rows / lengths[:, None])
    rank = int((values > DEPENDENT * values[0]).sum())
    dependencies = left[:, rank:].T
    gap = np.abs(dependencies @ ((h.effect - h.null) / lengths))
    size = np.abs(dependencies) @ ((np.abs(h.effect) + np.abs(h.null)) / lengths)
    for i in np.flatnonzero(gap > AGREEMENT * size):
        involved = [h.texts[j] for j in np.flatnonzero(np.abs(dependencies[i]) > math.sqrt(DEPENDENT))]
        raise DataError(
            f"the hypotheses {'; '.join(f'`{t}`' for t in involved)} contradict each other, or say one thing in two "
            "ways; drop one of them."
        )
    return rank


def all_slopes_zero(names: tuple[str, ...], params: np.ndarray, constant: np.ndarray | None) -> Hypotheses:
    """State that the mean is the same for all rows; or zero, where the columns do not span a constant.

    Parameters
    ----------
    names : tuple of str
    params : array, shape (k,)
        NaN where aliased.
    constant : array, shape (k,), or None
        Coefficients whose linear predictor is 1 on every row.
    """
    rows = np.eye(len(params))[~np.isnan(params)]
    if constant is not None:
        # b is a multiple of c exactly if b_j = (c_j / c_p) b_p for all j, p the largest of c.
        pivot = int(np.argmax(np.abs(constant)))
        rows = rows[rows[:, pivot] == 0]
        rows[:, pivot] = -(rows @ constant) / constant[pivot]
    tested = tuple(names[int(np.argmax(row))] for row in rows)
    effect = rows @ np.nan_to_num(params)
    return Hypotheses(tested, effect, np.zeros(len(rows)), rows, np.ones(len(rows), dtype=bool))
