"""Information criteria: -2 log-likelihood and a penalty for k parameters and n observations; smaller is better."""

from __future__ import annotations

import math
from collections.abc import Callable

from formula_torch.errors import check_known

__all__ = ["PENALTIES", "information_criterion"]

# From k and n.
PENALTIES: dict[str, Callable[[float, float], float]] = {
    "aic": lambda k, n: 2.0 * k,  # noqa: ARG005 - one signature
    "aicc": lambda k, n: 2.0 * k * n / (n - k - 1) if n > k + 1 else math.nan,
    "bic": lambda k, n: math.log(n) * k,
    "hqic": lambda k, n: 2 * math.log(math.log(n)) * k if n > 1 else math.nan,
}


def information_criterion(crit: str, llf: float, k: float, n: float) -> float:
    """Return an information criterion.

    Parameters
    ----------
    crit : {"aic", "bic", "aicc", "hqic"}
        Akaike's, Schwarz's, Akaike's corrected for small n (Hurvich and Tsai 1989), Hannan and Quinn's.
    llf : float
        Log-likelihood.
    k, n : float
        Parameters and observations.

    Examples
    --------
    >>> information_criterion("aicc", -10.0, 3, 20)
    27.5
    """
    check_known("crit", crit, PENALTIES)
    return -2 * llf + PENALTIES[crit](k, n)
