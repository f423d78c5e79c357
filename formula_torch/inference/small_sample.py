"""Small-sample factors, each under a name; which one an estimator used stands in its note."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

__all__ = [
    "CLUSTER_FACTORS",
    "SERIES_FACTORS",
    "ClusterFactor",
    "by_clusters",
    "by_clusters_and_parameters",
    "by_parameters",
    "by_parameters_alone",
    "jackknife",
    "unadjusted",
]


def by_parameters(n: float, k: float) -> float:
    """Return n / (n - k): HC1, and Stata's factor for Newey-West."""
    return n / (n - k)


def by_clusters_and_parameters(n: float, k: float, g: float) -> float:
    """Return G / (G - 1) (n - 1) / (n - k)."""
    return g / (g - 1) * (n - 1) / (n - k)


def by_clusters(n: float, k: float, g: float) -> float:  # noqa: ARG001 - one signature for all
    """Return G / (G - 1)."""
    return g / (g - 1)


def by_parameters_alone(n: float, k: float, g: float) -> float:  # noqa: ARG001
    """Return (n - 1) / (n - k)."""
    return (n - 1) / (n - k)


def jackknife(n: float, k: float, g: float) -> float:  # noqa: ARG001
    """Return (G - 1) / G."""
    return (g - 1) / g


def unadjusted(n: float, k: float, g: float) -> float:  # noqa: ARG001
    """Return 1."""
    return 1.0


@dataclass(frozen=True)
class ClusterFactor:
    """A factor of the number of observations n, coefficients k and clusters G.

    Parameters
    ----------
    value : callable
        From n, k and G to the factor.
    text : str
        As a note prints it.
    fewest : bool
        Take the smallest G for all ways of clustering.
    """

    value: Callable[[float, float, float], float]
    text: str
    fewest: bool = False


# What `adjust` of a clustered covariance may say, and who does so by default.
CLUSTER_FACTORS: dict[bool | str, ClusterFactor] = {
    # Stata, statsmodels, sandwich's HC1.
    "both": ClusterFactor(by_clusters_and_parameters, "G/(G-1) (n-1)/(n-k)"),
    # fixest.
    "min": ClusterFactor(by_clusters_and_parameters, "G/(G-1) (n-1)/(n-k) of the fewest clusters", fewest=True),
    # sandwich's HC0.
    "clusters": ClusterFactor(by_clusters, "G/(G-1)"),
    "min-clusters": ClusterFactor(by_clusters, "G/(G-1) of the fewest clusters", fewest=True),
    # sandwich's HC1 with cadjust = FALSE.
    "parameters": ClusterFactor(by_parameters_alone, "(n-1)/(n-k)"),
    "jackknife": ClusterFactor(jackknife, "(G-1)/G"),
    False: ClusterFactor(unadjusted, "1"),
}


# What `adjust` of a kernel estimator may say, with G the number of units or periods.
SERIES_FACTORS: dict[bool | str, ClusterFactor] = {
    # sandwich, and statsmodels for a single series.
    False: ClusterFactor(unadjusted, "without small sample correction"),
    # Stata.
    True: ClusterFactor(lambda n, k, g: by_parameters(n, k), "the factor n/(n-k)"),  # noqa: ARG005
    # statsmodels for panels.
    "clusters": ClusterFactor(by_clusters_and_parameters, "the factor G/(G-1) (n-1)/(n-k)"),
}
