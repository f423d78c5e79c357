"""Which group each unit belongs to, how surely, and how large the groups are."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
import torch
from scipy import special

from formula_torch.data import Frame, as_frame
from formula_torch.design import Design
from formula_torch.errors import DataError
from formula_torch.families import check_support
from formula_torch.numerics.intervals import standard_errors, t_interval
from formula_torch.result.trajectory.base import TrajectoryEstimates
from formula_torch.result.trajectory.time import inferred_time
from formula_torch.result.trajectory.units import covariate_codes, first_rows, unit_codes
from formula_torch.result.trajectory.waves import running_posterior

__all__ = ["Groups"]


class Groups(TrajectoryEstimates):
    """Shares of the groups, and the probability of each for every unit."""

    # -- shares -----------------------------------------------------------------------------------

    @cached_property
    def shares(self) -> pd.DataFrame:
        """Shares of the groups with errors by the delta method and 95% intervals through their logits.

        With covariates of membership: the mean over the units of their probabilities, the units as given.

        Returns
        -------
        DataFrame, index 1..K
            share, std_error, conf_low, conf_high.
        """
        return self.shares_at(0.05)

    def shares_at(self, alpha: float) -> pd.DataFrame:
        """Shares of the groups, as ``shares``, with intervals of another level.

        Parameters
        ----------
        alpha : float
            One less the confidence level.
        """
        share = self.share_values
        errors = standard_errors(self.variances(self.share_jacobian))
        with np.errstate(divide="ignore", invalid="ignore"):  # a single group has a share of 1, and no interval
            low, high = t_interval(special.logit(share), errors / (share * (1 - share)), alpha, self.covariance.df)
        return pd.DataFrame(
            {"share": share, "std_error": errors, "conf_low": special.expit(low), "conf_high": special.expit(high)},
            index=self.group_labels,
        )

    def membership_probabilities(self, newdata: Any = None) -> pd.DataFrame:
        """Probability of each group before any response is seen: from the covariates of membership alone.

        pi_ug = softmax_g(z_u'gamma_g); without covariates the shares, the same for all.

        Parameters
        ----------
        newdata : table, optional
            Covariates of membership, a row for each probability that is wanted; by default the units of the fit.

        Returns
        -------
        DataFrame, columns 1..K
            By unit of the fit, or by row of `newdata`; NaN where a covariate is missing.

        Raises
        ------
        DataError
            A level that the fit did not have.
        UnknownNameError
            `newdata` lack a covariate.
        DataRemovedError
            The result no longer holds its rows, and `newdata` are not given.

        Examples
        --------
        >>> import formula_torch as ft
        >>> fit = ft.traj("y ~ t | id", ft.datasets.simulated_trajectories(), groups=2)
        >>> fit.membership_probabilities().loc[1].round(2).tolist()
        [0.5, 0.5]
        """
        if newdata is None:
            frame, index = self.unit_frame(self.held_rows("membership_probabilities").used_frame())
        else:
            frame = as_frame(newdata)
            index = pd.RangeIndex(frame.n_rows) if frame.index is None else frame.index
        share = special.softmax(self._log_shares(frame), axis=1)
        share = np.broadcast_to(share, (len(index), self.n_groups)).copy()
        return pd.DataFrame(share, index=index, columns=self.group_labels)

    # -- units ------------------------------------------------------------------------------------

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

        Raises
        ------
        DataError
            A unit is missing, or the response lies outside the support of the family.
        """
        frame, design = self.new_rows(newdata, offset=offset, exposure=exposure)
        codes, units = self._units_of(frame)
        density = self._row_densities(frame, design)
        sums = np.stack([np.bincount(codes, row, len(units)) for row in density], axis=1)
        share = special.softmax(sums + self._log_shares(self._one_row_each(frame, codes, units)), axis=1)
        return pd.DataFrame(share, index=units, columns=self.group_labels)

    def posterior_by_wave(
        self, data: Any = None, *, time: str | None = None, offset: Any = None, exposure: Any = None
    ) -> pd.DataFrame:
        """Probability of each group given the rows of the unit up to and including each time.

        Parameters
        ----------
        data : table, optional
            Other rows; by default those of the fit.
        time : str, optional
            The column of times; by default the one numeric column that the formula reads, or that of its
            polynomial or spline.
        offset, exposure : str or array, optional
            For `data`, where the fit was given them as an array.

        Returns
        -------
        DataFrame, index (unit, time), columns 1..K
            The last row of a unit is its row of ``posterior``. Rows of one time arrive together; one whose response
            is missing changes nothing.

        Raises
        ------
        DataError
            Rows are units of their own, or times are missing, or are text.
        FormulaError
            Which column is time cannot be told.
        DataRemovedError
            The result no longer holds its rows, and `data` are not given.

        Examples
        --------
        >>> import formula_torch as ft
        >>> fit = ft.traj("y ~ t | id", ft.datasets.simulated_trajectories(), groups=2)
        >>> fit.posterior_by_wave().loc[1].loc[[0, 5, 10]].round(2).to_numpy().tolist()
        [[0.57, 0.43], [0.88, 0.12], [1.0, 0.0]]
        """
        if self.unit is None:
            raise DataError("every row is a unit of its own here: there are no waves. Name the units: 'y ~ t | id'.")
        name = inferred_time(self.recipe) if time is None else time
        if data is None:
            frame, design = self.used_rows("posterior_by_wave")
            frame = self._used_with(name, frame)
        else:
            frame, design = self.new_rows(data, offset=offset, exposure=exposure)
        codes, units = self._units_of(frame)
        prior = self._log_shares(self._one_row_each(frame, codes, units))
        return running_posterior(self._row_densities(frame, design), prior, codes, units, frame, name)

    def _used_with(self, name: str, frame: Frame) -> Frame:
        """The rows of the fit with a column that they may not hold."""
        if name in frame.names:
            return frame
        rows = self.held_rows("posterior_by_wave")
        whole = rows.frame_with([name], self.call.find_table, "pass the table: posterior_by_wave(data)")
        return whole.filter(rows.sample.used)

    def _units_of(self, frame: Frame) -> tuple[np.ndarray, pd.Index]:
        """Unit of each row, and the units."""
        if self.unit is not None and (missing := frame.column(self.unit).missing) is not None:
            raise DataError(
                f"`{self.unit}`, which tells the units apart, is missing in {int(missing.sum())} of {len(missing)} "
                f"rows (first: row {int(np.argmax(missing))}); fill it, or leave these rows out."
            )
        return unit_codes(frame, self.unit)

    def _row_densities(self, frame: Frame, design: Design) -> np.ndarray:
        """Log-densities of rows in each group, shape (K, n); rows with missing values say nothing."""
        y = torch.from_numpy(np.array(self.recipe.response(frame)))
        check_support(self.family, y[~y.isnan()], self.recipe.response_name)
        sigma = torch.from_numpy(self.sigma if self.family.dispersed else np.ones(self.n_groups))[:, None]
        density = self.family.row_loglik(y, torch.from_numpy(self.predictors(design)), sigma).numpy()
        return np.where(np.isnan(density).any(axis=0), 0.0, density)

    def _one_row_each(self, frame: Frame, codes: np.ndarray, units: pd.Index) -> Frame:
        """The first row of each unit, once its covariates of membership are seen not to vary."""
        for name in () if self.spec.membership is None else self.spec.membership.columns:
            covariate_codes(frame, name, codes, units)
        return frame.take(first_rows(codes, len(units)))

    def _log_shares(self, frame: Frame) -> np.ndarray:
        """Log-probabilities of the groups before the response is seen, up to a constant, shape (1 or n, K).

        Parameters
        ----------
        frame : Frame
            One row a unit, with the covariates of membership.
        """
        if self.spec.membership is None:
            return self.gamma.T
        design = self.spec.membership.apply(frame)
        return np.stack([design.matvec(g).numpy() for g in np.nan_to_num(self.gamma)], axis=1)

    # -- how surely -------------------------------------------------------------------------------

    @property
    def entropy(self) -> float:
        """Relative entropy, 1 - sum_u w_u sum_g -p_ug log p_ug / (n log K), of the posterior p.

        1 where no unit is in doubt, 0 where nothing is known of any; NaN for a single group.
        """
        return self.classification.entropy

    def adequacy(self) -> pd.DataFrame:
        """How surely units belong to the group they are assigned to, the most probable one.

        Nagin (2005, ch. 5) asks for an APPA of at least 0.7 and an OCC of at least 5 in every group, assigned
        shares close to the estimated ones, and narrow intervals of the shares (``shares``). OCC is

            [APPA / (1 - APPA)] / [share / (1 - share)]

        with the estimated share as Nagin has it (``occ_estimated``; so do trajeR and gbtmkit), or with the share
        of the assigned units (``occ_assigned``; so does Wheeler's macro for Stata).

        Returns
        -------
        DataFrame, index 1..K
            share (estimated), assigned_share, mismatch (the first less the second), assigned (units, the sum of
            their weights), appa (average posterior probability of assignment), occ_estimated, occ_assigned,
            sd_posterior (standard deviation of the assigned units' posterior, n - 1). A group to which no unit is
            assigned has NaN.

        Examples
        --------
        >>> import formula_torch as ft
        >>> fit = ft.traj("y ~ t | id", ft.datasets.simulated_trajectories(), groups=2)
        >>> fit.adequacy()[["assigned", "appa"]].round(2).to_dict("list")
        {'assigned': [50.0, 50.0], 'appa': [1.0, 1.0]}
        """
        found = self.classification
        columns = {
            "share": found.share,
            "assigned_share": found.assigned_share,
            "mismatch": found.share - found.assigned_share,
            "assigned": found.assigned,
            "appa": found.appa,
            "occ_estimated": found.odds_of_correct(found.share),
            "occ_assigned": found.odds_of_correct(found.assigned_share),
            "sd_posterior": found.spread,
        }
        return pd.DataFrame(columns, index=self.group_labels)
