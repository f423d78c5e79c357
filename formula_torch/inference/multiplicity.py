"""Adjusting p-values for the number of hypotheses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np

from formula_torch.errors import check_known

__all__ = ["ADJUSTMENTS", "adjust_pvalues"]


def _sidak_of(p: np.ndarray, number: Any) -> np.ndarray:
    """1 - (1 - p)^number, exact for small p."""
    with np.errstate(divide="ignore"):  # log(0) at p = 1
        return -np.expm1(number * np.log1p(-p))


def _counts(p: np.ndarray) -> np.ndarray:
    """m, m - 1, ..., 1."""
    return np.arange(len(p), 0, -1)


def _bonferroni(p: np.ndarray) -> np.ndarray:
    return p * len(p)


def _sidak(p: np.ndarray) -> np.ndarray:
    return _sidak_of(p, len(p))


def _holm(p: np.ndarray) -> np.ndarray:
    """Step down (Holm 1979, Scand. J. Statistics 6:65-70)."""
    return np.maximum.accumulate(_counts(p) * p)


def _holm_sidak(p: np.ndarray) -> np.ndarray:
    return np.maximum.accumulate(_sidak_of(p, _counts(p)))


def _hochberg(p: np.ndarray) -> np.ndarray:
    """Step up (Hochberg 1988, Biometrika 75:800-802)."""
    return np.minimum.accumulate((_counts(p) * p)[::-1])[::-1]


def _hommel(p: np.ndarray) -> np.ndarray:
    """Closed testing with Simes' test (Hommel 1988; computed as Wright 1992, Biometrics 48:1005-1013)."""
    m = len(p)
    adjusted = np.full(m, np.min(m * p / np.arange(1, m + 1)))
    for j in range(m - 1, 1, -1):
        upper = slice(m - j + 1, m)
        bound = np.min(j * p[upper] / np.arange(2, j + 1))
        candidate = np.minimum(j * p, bound)
        candidate[upper] = candidate[m - j]
        adjusted = np.maximum(adjusted, candidate)
    return np.maximum(adjusted, p)


def _false_discovery(kind: Literal["bh", "by"]) -> Callable[[np.ndarray], np.ndarray]:
    def adjust(p: np.ndarray) -> np.ndarray:
        from scipy.stats import false_discovery_control

        return np.asarray(false_discovery_control(p, method=kind))

    return adjust


# Each from p-values in rising order to adjusted ones, before they are cut at 1.
ADJUSTMENTS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "bonferroni": _bonferroni,
    "sidak": _sidak,
    "holm": _holm,
    "holm-sidak": _holm_sidak,
    "simes-hochberg": _hochberg,
    "hommel": _hommel,
    "fdr_bh": _false_discovery("bh"),
    "fdr_by": _false_discovery("by"),
}
# statsmodels' short spellings.
_SHORT = {
    "b": "bonferroni",
    "bonf": "bonferroni",
    "s": "sidak",
    "h": "holm",
    "hs": "holm-sidak",
    "sh": "simes-hochberg",
    "ho": "hommel",
}


def adjust_pvalues(pvalues: Any, method: str = "holm") -> np.ndarray:
    """Adjust p-values for the number of hypotheses tested together.

    Parameters
    ----------
    pvalues : array, shape (m,)
        NaN stays NaN and does not count.
    method : str
        ``"bonferroni"``, ``"sidak"``, ``"holm"``, ``"holm-sidak"``, ``"simes-hochberg"`` or ``"hommel"``
        bound the chance of any false rejection; ``"fdr_bh"`` and ``"fdr_by"`` the expected share of
        false ones among the rejections (Benjamini and Hochberg 1995; Benjamini and Yekutieli 2001).
        statsmodels' short spellings (``"b"``, ``"hs"``, ...) are known.

    Returns
    -------
    array, shape (m,)
        Reject at level alpha where it is at most alpha.

    Raises
    ------
    ValueError
        Unknown method, or a value outside [0, 1].

    Examples
    --------
    >>> adjust_pvalues([0.01, 0.04, 0.03], "holm").tolist()
    [0.03, 0.06, 0.06]
    """
    name = _SHORT.get(method, method)
    check_known("method", name, ADJUSTMENTS)
    p = np.array(pvalues, dtype=np.float64)
    if p.ndim != 1 or (p < 0).any() or (p > 1).any():
        raise ValueError("p-values are a one-dimensional array of numbers between 0 and 1.")
    known = np.flatnonzero(~np.isnan(p))
    order = known[np.argsort(p[known], kind="stable")]
    if len(order):
        p[order] = np.minimum(ADJUSTMENTS[name](p[order]), 1.0)
    return p
