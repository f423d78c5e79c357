"""Covariances of errors that are dependent within clusters."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from formula_torch.errors import DataError, InferenceWarning, check_known
from formula_torch.inference.moments import Covariance, Labels, Moments, blanked, moved_along
from formula_torch.inference.small_sample import CLUSTER_FACTORS, ClusterFactor

__all__ = ["CLUSTER_KINDS", "Cluster"]

# With fewer, tests reject too often whatever the formula (Cameron, Gelbach and Miller 2008).
FEW_CLUSTERS = 20
# An eigenvalue of a cluster's share of the information above this: the cluster alone determines a coefficient.
FULL_SHARE = 1 - 1e-10
# Each kind with the factor that adjust=True means.
CLUSTER_KINDS = {"CRV1": "both", "CRV3": "jackknife"}
INDEFINITE = " It is not positive definite: some tests and predictions may be NaN, see fix=True."
CENTRES = ("estimate", "mean")
DEGREES = ("clusters", "residual")


@dataclass(frozen=True, init=False)
class Cluster:
    """Errors dependent within clusters, of one or several ways.

    CRV1 is B (sum_g S_g S_g') B, with S_g the sum of the scores of cluster g (Liang and Zeger 1986). CRV3
    is the jackknife: sum_g d_g d_g' with d_g the change of the coefficients when cluster g leaves, computed
    in closed form as (I - A_g)^-1 S_g with A_g the cluster's share of the information (Bell and McCaffrey
    2002). Several ways enter by inclusion and exclusion (Cameron, Gelbach and Miller 2011, J. Bus. Econ.
    Stat. 29:238-249). Tests use t with G - 1 degrees of freedom, G of the way with the fewest clusters.

    Parameters
    ----------
    *by : str or array of shape (n,)
        Columns of the data, or labels of all rows: one for each way.
    kind : {"CRV1", "CRV3"}
    adjust : {True, "both", "min", "clusters", "min-clusters", "parameters", "jackknife", False}
        Small-sample factor. True: "both" for CRV1 and "jackknife" for CRV3. "both": G/(G-1) (n-1)/(n-k),
        each way with its own G (Stata, statsmodels, sandwich). "min": the same with the smallest G for
        all ways (fixest). "clusters", "min-clusters": G/(G-1) alone. "parameters": (n-1)/(n-k) alone.
        "jackknife": (G-1)/G. False: none.
    centre : {"estimate", "mean"}
        What the jackknife's deviations are taken from.
    df : {"clusters", "residual"}
        Degrees of freedom of t: G - 1, or n - k.
    fix : bool
        Set the negative eigenvalues that several ways may leave to zero, instead of NaN errors.
    """

    by: tuple[Any, ...]
    kind: str
    adjust: bool | str
    centre: str
    df: str
    fix: bool

    def __init__(
        self,
        *by: Any,
        kind: str = "CRV1",
        adjust: bool | str = True,
        centre: str = "estimate",
        df: str = "clusters",
        fix: bool = False,
    ) -> None:
        check_known("kind", kind, CLUSTER_KINDS)
        check_known("adjust", adjust, (True, *CLUSTER_FACTORS))
        check_known("centre", centre, CENTRES)
        check_known("df", df, DEGREES)
        if not by:
            raise ValueError("Cluster needs a column: Cluster('state').")
        if centre == "mean" and kind == "CRV1":
            raise ValueError("centre='mean' is for the jackknife: Cluster(..., kind='CRV3', centre='mean').")
        given = {"by": by, "kind": kind, "adjust": adjust, "centre": centre, "df": df, "fix": fix}
        for name, value in given.items():
            object.__setattr__(self, name, value)

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns of the data that it reads."""
        return tuple(b for b in self.by if isinstance(b, str))

    def __call__(self, moments: Moments) -> Covariance:
        """Estimate the covariance of the coefficients.

        Raises
        ------
        DataError
            A label is missing, or there is one cluster only.
        """
        ways = [moments.labels(b, "cluster") for b in self.by]
        for way in ways:
            _refuse_single(way)
        fewest = min(way.count for way in ways)
        total = np.zeros((moments.lift.shape[1],) * 2)
        undefined = np.zeros(len(moments.lift), dtype=bool)
        for sign, labels in inclusion_exclusion(ways):
            meat, lost = self._meat(moments, labels)
            clusters = fewest if self._factor.fewest else labels.count
            total += sign * self._factor.value(moments.n_obs, moments.n_params, clusters) * meat
            undefined |= lost
        matrix = blanked(moments.sandwich(self._definite(total) if len(ways) > 1 else total), undefined)
        if (np.diag(matrix) < 0).any():
            matrix = _without_negative(matrix)
        df = fewest - 1.0 if self.df == "clusters" else moments.df_resid
        note = self._note(ways) + (INDEFINITE if _is_indefinite(total) and not self.fix else "")
        return Covariance(matrix, df, "cluster", note)

    def _meat(self, moments: Moments, labels: Labels) -> tuple[np.ndarray, np.ndarray]:
        """Outer products by cluster, and the coefficients for which they are not defined."""
        sums = moments.scores().by(labels.codes, labels.count)
        lost = np.zeros(len(moments.lift), dtype=bool)
        if self.kind == "CRV3":
            sums, directions, _ = leave_one_out(sums, moments.scores().information_by(labels.codes, labels.count))
            lost = np.asarray(moved_along(moments.lift, directions).any(axis=0))
            _warn_of_lost(int(lost.sum()))
            if self.centre == "mean":
                sums = sums - sums.mean(0)
        return sums.T @ sums, lost

    @property
    def _factor(self) -> ClusterFactor:
        return CLUSTER_FACTORS[CLUSTER_KINDS[self.kind] if self.adjust is True else self.adjust]

    def _definite(self, total: np.ndarray) -> np.ndarray:
        if not self.fix:
            return total
        values, vectors = np.linalg.eigh(total)
        return (vectors * np.maximum(values, 0)) @ vectors.T

    @property
    def _described(self) -> str:
        centred = ", about the mean" if self.centre == "mean" else ""
        return f"{self.kind}{centred}, factor {self._factor.text}"

    def _note(self, ways: list[Labels]) -> str:
        counts = " and ".join(f"{way.count} clusters of `{way.name}`" for way in ways)
        note = f"Standard Errors are robust to dependence within {counts} ({self._described})."
        if min(way.count for way in ways) < FEW_CLUSTERS:
            note += " With so few clusters tests may reject too often; compare kind='CRV3' or wild_bootstrap()."
        return note


def _is_indefinite(total: np.ndarray) -> bool:
    values = np.linalg.eigvalsh(total)
    return bool(values[0] < -1e-9 * values[-1])


def _refuse_single(way: Labels) -> None:
    if way.count < 2:
        raise DataError(f"clustering by `{way.name}` needs at least 2 clusters; the rows used have {way.count}.")


def inclusion_exclusion(ways: list[Labels]) -> Iterator[tuple[int, Labels]]:
    """Every non-empty set of ways with its sign: odd sets add, even ones subtract."""
    for size in range(1, len(ways) + 1):
        for chosen in itertools.combinations(ways, size):
            labels = chosen[0]
            for other in chosen[1:]:
                labels = labels.crossed(other)
            yield (-1) ** (size + 1), labels


def leave_one_out(sums: np.ndarray, shares: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Change of the estimates when each cluster leaves, in q coordinates.

    With X'WX = I the normal equations without cluster g are (I - A_g) c = X'Wy - X_g'W_g y_g, so that
    c_full - c = (I - A_g)^-1 S_g exactly.

    Parameters
    ----------
    sums : array, shape (n_clusters, rank)
        S_g, sums of scores.
    shares : array, shape (n_clusters, rank, rank)
        A_g.

    Returns
    -------
    changes : array, shape (n_clusters, rank)
        Of what the other clusters identify.
    directions : array, shape (m, rank)
        What some cluster alone identifies.
    owners : int array, shape (m,)
        Which cluster that is.
    """
    values, vectors = np.linalg.eigh(shares)
    full = values > FULL_SHARE
    weight = np.where(full, 0.0, 1 / np.where(full, 1.0, 1 - values))
    along = np.einsum("grj,gr->gj", vectors, sums) * weight
    return np.einsum("grj,gj->gr", vectors, along), np.swapaxes(vectors, 1, 2)[full], np.nonzero(full)[0]


def _warn_of_lost(lost: int) -> None:
    if lost:
        warnings.warn(
            f"{lost} coefficients are determined by a single cluster; their jackknife errors are NaN.",
            InferenceWarning,
            stacklevel=2,
        )


def _without_negative(matrix: np.ndarray) -> np.ndarray:
    negative = np.diag(matrix) < 0
    warnings.warn(
        f"{int(negative.sum())} variances came out negative, as those of several ways of clustering may; their errors "
        "are NaN. Cluster(..., fix=True) sets the negative eigenvalues to zero.",
        InferenceWarning,
        stacklevel=2,
    )
    return blanked(matrix, negative)
