"""The score (Lagrange multiplier) test of restrictions."""

from __future__ import annotations

import numpy as np

from formula_torch.inference.moments import Scores

__all__ = ["score_statistic"]


def score_statistic(restricted: Scores, spread: Scores, n_rows: int, n_obs: float, demean: bool) -> float:
    """LM = s' S^-1 s with s the sum of the full model's scores at the restricted estimates, S = sum s_i s_i'.

    Robust to heteroskedasticity (Wooldridge 2010, Econometric Analysis of Cross Section and Panel
    Data, 2nd edition, section 12.6.2).

    Parameters
    ----------
    restricted : Scores
        Of the full model, at the restricted estimates.
    spread : Scores
        From which S is taken: the same, or those at the full model's estimates.
    n_rows : int
    n_obs : float
        Rows, or the sum of frequency weights.
    demean : bool
        Take S about the mean score.
    """
    total = restricted.by(np.zeros(n_rows, dtype=np.int64), 1)[0]
    outer = spread.outer()
    if demean:
        outer = outer - np.outer(total, total) / n_obs
    return float(total @ np.linalg.solve(outer, total))
