"""What a covariance estimator sees of a fitted model, and what it returns.

Scores and information are in orthonormal coordinates, in which the information is
the identity: the covariance of the coefficients is ``lift @ M @ lift.T`` for some
(rank, rank) matrix M, and M = I gives the inverse information.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np

__all__ = ["Covariance", "Estimator", "Labels", "Moments", "Scores", "blanked", "delta_method", "moved_along"]

# A coefficient that moves by less than this share of its error along a direction moves by rounding.
MOVED = 1e-8


# What rounding in the sums of scores leaves of a variance of zero, as a share of the largest.
ROUNDING = 1e-13


class Scores(Protocol):
    """The derivatives of the units' log-likelihoods as an operator (times the dispersion), in q coordinates."""

    @property
    def rank(self) -> int:
        """Number of coordinates."""
        ...

    def outer(self, multiplier: np.ndarray | None = None) -> np.ndarray:
        """Sum of m_i^2 s_i s_i', shape (rank, rank)."""
        ...

    def by(self, codes: np.ndarray, n_clusters: int, slopes: np.ndarray | None = None) -> np.ndarray:
        """Sums of scores by cluster, shape (n_clusters, rank)."""
        ...

    def information_by(self, codes: np.ndarray, n_clusters: int) -> np.ndarray:
        """Information by cluster, shape (n_clusters, rank, rank)."""
        ...

    def along(self, direction: np.ndarray) -> np.ndarray:
        """Fall of the slopes when the coordinates move along `direction`, shape (n,)."""
        ...

    def orthonormal(self) -> np.ndarray:
        """Rows whose products are the information of each, shape (n, rank)."""
        ...

    def leverage(self) -> np.ndarray:
        """Diagonal of the hat matrix, shape (n,)."""
        ...

    def dense(self) -> np.ndarray:
        """Scores of every row, shape (n, rank)."""
        ...

    def repeated(self, values: np.ndarray) -> np.ndarray:
        """Repeat rows by their frequency weights, as `dense` does."""
        ...


@dataclass(frozen=True, eq=False)
class Labels:
    """Rows sorted into clusters, units or times.

    Parameters
    ----------
    name : str
    codes : int64 array, shape (n,)
        From 0; in the order of the values.
    count : int
        How many there are.
    """

    name: str
    codes: np.ndarray
    count: int

    def crossed(self, other: Labels) -> Labels:
        """Return the non-empty combinations with other labels."""
        joint, codes = np.unique(self.codes * other.count + other.codes, return_inverse=True)
        return Labels(f"{self.name} x {other.name}", codes, len(joint))


@dataclass(frozen=True, eq=False)
class Moments:
    """What an estimator sees of a fitted model.

    Parameters
    ----------
    bread : array, shape (k, k)
        Inverse of the unscaled information, (X'WX)^-1; NaN for aliased columns.
    lift : array, shape (k, rank)
        From orthonormal coordinates to coefficients, ``lift @ lift.T = bread``.
    scale : float
        Dispersion for tests: ssr / df_resid in least squares.
    dispersion : float
        Dispersion at the maximum of the likelihood: ssr / n in least squares.
    n_obs, n_params, df_resid : float
        Observations, estimated coefficients, and degrees of freedom of t (infinite: the normal).
    scores : callable
        Returns the scores; they need the rows.
    labels : callable
        From a column's name (or an array) and what it is for to the labels of the rows.
    cores : bool
        Whether covariances are to keep their M.
    df_denom : float, optional
        Degrees of freedom of t where it is asked for in place of the normal.
    """

    bread: np.ndarray
    lift: np.ndarray
    scale: float
    dispersion: float
    n_obs: float
    n_params: float
    df_resid: float
    scores: Callable[[], Scores]
    labels: Callable[[Any, str], Labels]
    cores: bool = False
    df_denom: float | None = None

    def within(self) -> Moments:
        """Return the moments of the orthonormal coordinates themselves, whose covariance is M."""
        identity = np.eye(self.lift.shape[1])
        return replace(self, bread=identity, lift=identity)

    def sandwich(self, meat: np.ndarray) -> np.ndarray:
        """Covariance of the coefficients from that of the summed scores, shape (k, k).

        A variance that is no more than the rounding of the terms it is summed from is zero.
        """
        matrix = self.lift @ meat @ self.lift.T
        terms = np.abs(meat).max(initial=0.0) * np.sum(self.lift**2, axis=1)
        nothing = np.abs(np.diag(matrix)) < ROUNDING * terms
        matrix[nothing], matrix[:, nothing] = 0.0, 0.0
        return matrix


def blanked(matrix: np.ndarray, lost: np.ndarray) -> np.ndarray:
    """Return a covariance with NaN in the rows and columns of some coefficients.

    Parameters
    ----------
    matrix : array, shape (k, k)
    lost : bool array, shape (k,)
    """
    return np.where(lost[:, None] | lost, np.nan, matrix)


def delta_method(jacobian: np.ndarray, vcov: np.ndarray) -> np.ndarray:
    """Covariance J V J' of functions of the coefficients, shape (m, m).

    Parameters
    ----------
    jacobian : array, shape (m, k)
    vcov : array, shape (k, k)
        Of the coefficients. NaN where unknown, and so are the functions that depend on such a coefficient.
    """
    unknown = np.isnan(np.diag(vcov))
    known = np.where(unknown[:, None] | unknown, 0.0, vcov)
    return blanked(jacobian @ known @ jacobian.T, (jacobian[:, unknown] != 0).any(axis=1))


@dataclass(frozen=True, eq=False)
class Covariance:
    """A covariance matrix with the degrees of freedom its tests use.

    Parameters
    ----------
    matrix : array, shape (k, k)
    df : float
        Degrees of freedom of t; infinite for the normal.
    label : str
        As the summary prints it.
    note : str
        What it assumes, in a sentence or two.
    classical : bool
        One error variance: F statistics follow from sums of squares.
    df_denom : float, optional
        Degrees of freedom of t and F where the normal was asked for in place of `df`.
    core : array, shape (rank, rank), optional
        M, where it was kept: functions of ill-conditioned coefficients have their variances from it.
    """

    matrix: np.ndarray
    df: float
    label: str
    note: str
    classical: bool = False
    df_denom: float | None = None
    core: np.ndarray | None = None

    def normal(self) -> Covariance:
        """Return the same with the normal in place of t."""
        return replace(self, df=math.inf, df_denom=self.df if math.isfinite(self.df) else self.df_denom)


class Estimator(Protocol):
    """Anything that turns moments into a covariance."""

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns of the data that it reads."""
        ...

    def __call__(self, moments: Moments) -> Covariance:
        """Estimate the covariance of the coefficients."""
        ...


def moved_along(lift: np.ndarray, directions: np.ndarray) -> np.ndarray:
    """Whether each coefficient moves when the coordinates move along a direction, bool of shape (m, k).

    Parameters
    ----------
    lift : array, shape (k, rank)
    directions : array, shape (m, rank)
        Of unit length.
    """
    known = np.nan_to_num(lift)
    return np.abs(directions @ known.T) > MOVED * np.linalg.norm(known, axis=1)
