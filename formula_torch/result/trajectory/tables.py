"""A trajectory model as tables: its summary, broom's three, and the report."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from formula_torch.result.trajectory.curves import Curves

if TYPE_CHECKING:
    from formula_torch.present.table import Summary
    from formula_torch.present.trajectory.report import Report

__all__ = ["Tables"]


class Tables(Curves):
    """Tables of the fit."""

    def summary(self, alpha: float = 0.05, *, stars: str | None = None) -> Summary:
        """Tables of the fit: header, coefficients by group, sigma, membership, shares, adequacy; and notes.

        Parameters
        ----------
        alpha : float
            One less the confidence level of the intervals.
        stars : {"stars", "emoji"}, optional
            Mark p-values.

        Raises
        ------
        ValueError
            `alpha` does not lie between 0 and 1, or `stars` is not known.

        Examples
        --------
        >>> import formula_torch as ft
        >>> fit = ft.traj("y ~ t | id", ft.datasets.simulated_trajectories(), groups=2)
        >>> fit.summary().tables[1].header[0]
        'Group 1 (50.0%)'
        """
        from formula_torch.present.trajectory.summary import trajectory_summary

        return trajectory_summary(self, alpha, stars)

    def tidy(self, *, conf_level: float = 0.95, exp: bool = False) -> pd.DataFrame:
        """One row a parameter, with what it describes and of which group.

        Parameters
        ----------
        conf_level : float
        exp : bool
            Exponentiate coefficients and their bounds: ratios of rates or odds. Sigmas stay as they are, and so do
            the errors.

        Returns
        -------
        DataFrame
            term, component ("trajectory", "dispersion" or "membership"), group (missing for a sigma that all
            share), estimate, std_error, statistic, p_value, conf_low, conf_high. A sigma has no test.

        Raises
        ------
        ValueError
            `conf_level` does not lie between 0 and 1.

        Examples
        --------
        >>> import formula_torch as ft
        >>> fit = ft.traj("y ~ t | id", ft.datasets.simulated_trajectories(), groups=2)
        >>> fit.tidy()[["term", "component"]].tail(2).to_numpy().tolist()
        [['sigma', 'dispersion'], ['membership[2]:Intercept', 'membership']]
        """
        from formula_torch.present.trajectory.broom import tidy

        return tidy(self, conf_level=conf_level, exp=exp)

    def glance(self) -> pd.DataFrame:
        """One row of statistics of the whole fit.

        Returns
        -------
        DataFrame
            groups, log_lik, aic, bic (number of units), bic_rows (number of rows), n_units, nobs, df, entropy,
            smallest_share, replicated and starts.
        """
        from formula_torch.present.trajectory.broom import glance

        return glance(self)

    def augment(self, data: Any = None, *, offset: Any = None, exposure: Any = None) -> pd.DataFrame:
        """One row an observation, with its fitted value and what is known of the group of its unit.

        Parameters
        ----------
        data : table, optional
            Rows with the response and the column of units, which are assigned first; by default those of the fit.
        offset, exposure : str or array, optional
            For `data`, where the fit was given them as an array.

        Returns
        -------
        DataFrame
            The columns of the data, fitted (means of the groups weighted by the unit's posterior), resid,
            assigned_group, posterior_1 to posterior_K.

        Raises
        ------
        DataError
            The data have a column of one of these names.
        DataRemovedError
            The result no longer holds its rows, and `data` are not given.

        Examples
        --------
        >>> import formula_torch as ft
        >>> fit = ft.traj("y ~ t | id", ft.datasets.simulated_trajectories(), groups=2)
        >>> fit.augment().columns[3:].tolist()
        ['fitted', 'resid', 'assigned_group', 'posterior_1', 'posterior_2']
        """
        from formula_torch.present.trajectory.broom import augment

        return augment(self, data, offset, exposure)

    def report(self, *, time: str | None = None, wave: str | None = None) -> Report:
        """Answer the GRoLTS checklist with what the fit knows; say what only its author can tell.

        Parameters
        ----------
        time : str, optional
            The column of times; by default the one numeric column that the formula reads, or that of its
            polynomial or spline.
        wave : str, optional
            The column that tells waves apart, for mean and variance of time within each.

        Returns
        -------
        Report
            ``as_text()``, ``as_markdown()``, and ``frame``, a row an item.

        References
        ----------
        van de Schoot, Sijbrandij, Winter, Depaoli and Vermunt (2017), The GRoLTS-checklist, *Structural Equation
        Modeling* 24:451-467, doi:10.1080/10705511.2016.1247646.

        Examples
        --------
        >>> import formula_torch as ft
        >>> fit = ft.traj("y ~ t | id", ft.datasets.simulated_trajectories(), groups=2)
        >>> fit.report().frame.loc["1", "told"]
        'The curves read `t`; time is `t`: 11 distinct times from 0 to 10.'
        """
        from formula_torch.present.trajectory.grolts import grolts

        return grolts(self, time, wave)
