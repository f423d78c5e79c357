"""The influence of single rows on a model of several predictors, by one Newton step."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch

from formula_torch.design.design import refuse_large
from formula_torch.design.stacked_scores import StackedScores
from formula_torch.numerics.intervals import standard_errors
from formula_torch.numerics.tails import f_sf_each
from formula_torch.result.several.base import SeveralEstimates

__all__ = ["SeveralInfluence", "SeveralInfluential", "deletion_moves"]

# A row without which this share of the information of a direction is left determines that direction alone.
INDISPENSABLE = 1e-10


def deletion_moves(scores: StackedScores) -> np.ndarray:
    """Coordinates less those without each row, after one Newton step, shape (n, rank).

    In coordinates in which the information is the identity a row has the derivatives J (m, rank) of its predictors,
    the score J'd and the information J'DJ, D of shape (m, m). The step without it is

        (I - J'DJ)^-1 J'd = J' (I - D JJ')^-1 d

    Parameters
    ----------
    scores : StackedScores
        Weights that are counts are left out: a row is one of its copies.

    Returns
    -------
    array
        NaN for a row that alone determines a direction.
    """
    stacked = scores.stacked
    refuse_large(stacked.n_rows, scores.rank, "the matrix of changes of coordinates")
    maps = [stacked.parts[p].whiten @ scores.whiten[own] for p, own in zip(stacked.owner, stacked.blocks, strict=True)]
    m, out = len(maps), np.empty((stacked.n_rows, scores.rank))
    for rows, batches in stacked.formed():
        found = scores.kernel(rows, stacked.eta(rows, batches, scores.theta))
        slopes = torch.stack([batches[p, p].matmat(own) for p, own in zip(stacked.owner, maps, strict=True)])
        information = torch.zeros(slopes.shape[2], m, m, dtype=slopes.dtype, device=slopes.device)
        for j in range(m):
            for k in range(j, m):
                if (second := found.second(j, k)) is not None:
                    information[:, j, k] = information[:, k, j] = -second
        left = torch.eye(m, dtype=slopes.dtype, device=slopes.device) - information @ torch.einsum(
            "jrn,krn->njk", slopes, slopes
        )
        alone = torch.linalg.det(left).abs() < INDISPENSABLE
        left[alone] = torch.nan
        along = torch.linalg.solve_ex(left, found.first.mT).result
        out[rows] = torch.einsum("jrn,nj->nr", slopes, along).cpu().numpy()
    return out


@dataclass(frozen=True, eq=False, repr=False)
class SeveralInfluence:
    """What each row does to the fit, by one Newton step from the estimates; with one predictor, `GlmInfluence`'s.

    Arrays are in the order of the rows used. With frequency weights a row is one of its copies. NaN for rows that
    alone determine something.

    Parameters
    ----------
    names : tuple of str
    index : Index or None
        The user's, of the rows used.
    estimates, errors : array, shape (P,)
        Parameters, and their errors by the information.
    moves : array, shape (n, rank)
        Coordinates in which the information is the identity, less those without each row.
    lift : array, shape (P, rank)
        From coordinates to parameters.
    df_resid : float

    References
    ----------
    Pregibon (1981), Logistic regression diagnostics, Ann. Statist. 9:705-724; Cook (1986), Assessment of local
    influence, J. Royal Statistical Society B 48:133-169.
    """

    names: tuple[str, ...]
    index: pd.Index | None
    estimates: np.ndarray
    errors: np.ndarray
    moves: np.ndarray
    lift: np.ndarray
    df_resid: float

    @property
    def cooks_distance(self) -> tuple[np.ndarray, np.ndarray]:
        """Cook's distance, d'Id / rank with I the information, and its place in F with rank and df_resid degrees."""
        rank = self.moves.shape[1]
        cooks = (self.moves**2).sum(axis=1) / rank
        return cooks, f_sf_each(cooks, rank, self.df_resid)

    @property
    def d_params(self) -> np.ndarray:
        """Parameters less those without each row, shape (n, P); NaN where aliased or at a boundary.

        Raises
        ------
        DataError
            The matrix would take more than 4 GiB.
        """
        refuse_large(len(self.moves), len(self.names), "the matrix of changes of coefficients")
        return self.moves @ self.lift.T

    @property
    def dfbeta(self) -> np.ndarray:
        """The same as `d_params`."""
        return self.d_params

    @property
    def params_one(self) -> np.ndarray:
        """Parameters without each row, after one step, shape (n, P)."""
        return self.estimates - self.d_params

    @property
    def dfbetas(self) -> np.ndarray:
        """`d_params` in the standard errors of the parameters, shape (n, P)."""
        return self.d_params / self.errors

    def summary_frame(self) -> pd.DataFrame:
        """Gather the statistics on the user's index.

        Returns
        -------
        DataFrame, n rows
            dfb_* for each parameter (`dfbetas`), and cooks_d.
        """
        changes = pd.DataFrame(self.dfbetas, columns=[f"dfb_{name}" for name in self.names], index=self.index)
        return changes.assign(cooks_d=self.cooks_distance[0])

    def __repr__(self) -> str:
        cooks = pd.Series(self.cooks_distance[0], index=self.index)
        if cooks.isna().all():
            return f"<SeveralInfluence of {len(cooks)} rows>"
        largest = f"largest Cook's distance {cooks.max():.3g}, row {cooks.idxmax()!r}"
        return f"<SeveralInfluence of {len(cooks)} rows: {largest}>"


class SeveralInfluential(SeveralEstimates):
    """Influence of the rows of a model of several predictors."""

    def get_influence(self) -> SeveralInfluence:
        """Measure the influence of each row: DFBETAS and Cook's distance, by one Newton step from the estimates.

        Returns
        -------
        SeveralInfluence
            With ``summary_frame()``.

        Raises
        ------
        DataRemovedError
            The result no longer holds its rows.

        Examples
        --------
        >>> import formula_torch as ft
        >>> fit = ft.fit("drvisits ~ private + age", ft.datasets.visits(), family="negative_binomial")
        >>> fit.get_influence().dfbetas.shape
        (3677, 4)
        """
        self.held_rows("get_influence")
        scores = self.information.scores()
        assert isinstance(scores, StackedScores)
        return SeveralInfluence(
            names=self.names,
            index=self.sample.index,
            estimates=self.coefficients,
            errors=standard_errors(np.diag(self.information.bread)),
            moves=deletion_moves(scores),
            lift=self.information.lift,
            df_resid=self.df_resid,
        )
