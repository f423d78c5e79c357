"""Which group each unit belongs to, and how large the groups are."""

from __future__ import annotations

import math
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
import torch
from scipy import special

from formula_torch.data import Frame
from formula_torch.inference.moments import delta_method
from formula_torch.numerics.intervals import standard_errors, t_interval
from formula_torch.result.trajectory.base import TrajectoryEstimates, first_rows, unit_codes

__all__ = ["Groups"]


class Groups(TrajectoryEstimates):
    """Shares of the groups, and the probability of each for every unit."""

    @cached_property
    def shares(self) -> pd.DataFrame:
        """Shares of the groups with errors by the delta method and intervals through their logits.

        With covariates of membership: the mean over the units of their probabilities, the units as given.

        Returns
        -------
        DataFrame, index 1..K
            share, std_error, conf_low, conf_high.
        """
        share = self.share_values
        errors = standard_errors(np.diag(delta_method(self.share_jacobian, self.covariance.matrix)))
        with np.errstate(divide="ignore", invalid="ignore"):  # a single group has a share of 1, and no interval
            low, high = t_interval(special.logit(share), errors / (share * (1 - share)), 0.05, self.covariance.df)
        return pd.DataFrame(
            {"share": share, "std_error": errors, "conf_low": special.expit(low), "conf_high": special.expit(high)},
            index=self.group_labels,
        )

    @property
    def groups(self) -> pd.Series:
        """The most probable group of each unit, by unit."""
        return self.posterior.idxmax(axis=1).rename("group")

    @property
    def posterior(self) -> pd.DataFrame:
        """Probability of each group given all rows of the unit, by unit, shape (n, K)."""
        return self.known_units("the posterior").posterior

    def assign(self, newdata: Any, *, offset: Any = None, exposure: Any = None) -> pd.DataFrame:
        """Probability of each group for new units, by all that is known of them so far.

        Parameters
        ----------
        newdata : table
            Rows with the response and the column of units; more waves of a unit sharpen its row.
        offset, exposure : str or array, optional
            Needed where the fit was given them as an array.

        Returns
        -------
        DataFrame, shape (n, K)
            By unit, in order of their identifiers.
        """
        frame, design = self.new_rows(newdata, offset=offset, exposure=exposure)
        codes, units = unit_codes(frame, self.unit)
        y = self.recipe.response(frame)
        joint = self._joint(y, self.predictors(design), codes, len(units)) + self._log_shares(frame, codes, len(units))
        share = special.softmax(joint, axis=1)
        return pd.DataFrame(share, index=units, columns=self.group_labels)

    def _joint(self, y: np.ndarray, eta: np.ndarray, codes: np.ndarray, count: int) -> np.ndarray:
        """Log-densities of units, without what all groups share, shape (n, K); missing rows say nothing."""
        density = np.stack([self._log_density(y, eta[g], g) for g in range(self.n_groups)])
        missing = np.isnan(density).any(axis=0)
        return np.stack([np.bincount(codes, np.where(missing, 0.0, row), count) for row in density], axis=1)

    def _log_density(self, y: np.ndarray, eta: np.ndarray, group: int) -> np.ndarray:
        """Log-density of rows in a group, without what all groups share."""
        value = y * eta - self.family.cumulant(torch.from_numpy(eta)).numpy()
        if not self.family.dispersed:
            return value
        sigma = self.sigma[group]
        return (value - y * y / 2) / sigma**2 - math.log(sigma)

    def _log_shares(self, frame: Frame, codes: np.ndarray, count: int) -> np.ndarray:
        """Log-probabilities of the groups before the response is seen, up to a constant, shape (1 or n, K)."""
        if self.spec.membership is None:
            return self.gamma.T
        design = self.spec.membership.apply(frame.take(first_rows(codes, count)))
        return np.stack([design.matvec(g).numpy() for g in np.nan_to_num(self.gamma)], axis=1)
