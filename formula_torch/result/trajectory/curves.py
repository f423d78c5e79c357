"""Mean responses of the groups: of new rows, of those of the fit, and over time."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from formula_torch.errors import DataError, check_known
from formula_torch.numerics.random import generator_of
from formula_torch.result.trajectory.curve_rows import curve_rows
from formula_torch.result.trajectory.curve_tables import curve_table
from formula_torch.result.trajectory.groups import Groups
from formula_torch.result.trajectory.raw_powers import raw_power_table
from formula_torch.result.trajectory.simulation import simulated
from formula_torch.result.trajectory.time import asked_time
from formula_torch.result.trajectory.units import unit_codes
from formula_torch.result.trajectory.weighting import averaged_means, is_posterior, weighted_means

__all__ = ["Curves"]


class Curves(Groups):
    """Mean curves, predictions, residuals and simulations."""

    def predict(
        self,
        newdata: Any = None,
        group: int | str | pd.DataFrame | None = None,
        *,
        offset: Any = None,
        exposure: Any = None,
    ) -> pd.Series:
        """Mean response of rows: of one group, or weighted by the probabilities of the groups.

        Parameters
        ----------
        newdata : table, optional
            By default the rows of the fit: then ``predict()`` is ``fittedvalues``.
        group : int, "posterior" or DataFrame, optional
            A group from 1. By default the mean over all groups by their shares; with covariates of membership
            by the probabilities that the row's own covariates give. ``"posterior"``: by the posterior of the row's
            unit, which the fit must have seen. A table of probabilities by unit, as ``assign`` returns it: by these.
        offset, exposure : str or array, optional
            Needed where the fit was given them as an array.

        Returns
        -------
        Series, shape (n,)
            On the index of the rows.

        Raises
        ------
        DataError
            No such group, or a unit without probabilities.
        UnknownNameError
            A column is missing.
        DataRemovedError
            The fit no longer holds its rows, or the posterior of its units.

        Examples
        --------
        >>> import formula_torch as ft
        >>> data = ft.datasets.simulated_trajectories()
        >>> fit = ft.traj("y ~ poly(t, 2) | id", data, groups=2)
        >>> sorted(fit.predict({"t": [10]}, group=g).round(2).item() for g in (1, 2))
        [1.0, 1.41]
        >>> early = fit.assign(data[data["t"] < 2])
        >>> fit.predict({"id": [1, 100], "t": [10, 10]}, group=early).round(2).tolist()
        [1.41, 1.0]
        """
        if newdata is None:
            if offset is not None or exposure is not None:
                raise DataError("offset= and exposure= are those of newdata; the rows of the fit have their own.")
            if group is None or is_posterior(group):
                return self.fittedvalues
            frame, design = self.used_rows("predict")
        else:
            frame, design = self.new_rows(newdata, offset=offset, exposure=exposure)
        averaged = averaged_means(self, frame, self.means(design), group)
        return pd.Series(averaged, index=frame.index)

    @property
    def fittedvalues(self) -> pd.Series:
        """Means of the rows, weighted by the posterior of their units, on the user's index."""
        frame, design = self.used_rows("fittedvalues")
        weights = self.posterior.to_numpy()[unit_codes(frame, self.unit)[0]]
        return self._row_series(weighted_means(weights, self.means(design)))

    @property
    def resid(self) -> pd.Series:
        """Response less ``fittedvalues``, on the user's index."""
        frame = self.held_rows("resid").used_frame()
        return self._row_series(self.recipe.response(frame)) - self.fittedvalues

    def trajectories(
        self, times: Any = None, at: Mapping[str, Any] | None = None, *, level: float = 0.95
    ) -> pd.DataFrame:
        """Mean curve of each group over time, with intervals.

        Columns that are not set are held: numbers at their mean over the rows, factors at their most frequent level.
        The curves are per unit of exposure: the offset, an exposure, and ``offset(...)`` in the formula are left
        out, but for parts of which the time or `at` sets every column. With ``offset(log(population))`` the mean is a
        rate; ``at={"population": 100_000}`` makes it the count among 100,000.

        The bounds are those of the linear predictor x'b, x'b -/+ q (x'Vx)^1/2, through the mean function. The
        standard error is that of the mean by the delta method. V is the fit's own covariance, and q the quantile
        of its t.

        Parameters
        ----------
        times : sequence of numbers, str, or dict, optional
            Values of the time, ``[2000, 2010]``. The time is the one numeric column that the formula reads and `at`
            does not set; among several the one with a polynomial or spline. ``"year"`` or
            ``{"year": [2000, 2010]}`` says which it is. By default the distinct times of the data; beyond 40,
            40 even steps.
        at : dict, optional
            Values of other columns, one each.
        level : float
            Of the intervals.

        Returns
        -------
        DataFrame
            group, the time under its name, mean, std_error, conf_low, conf_high; a row for each group and time.

        Raises
        ------
        FormulaError
            It cannot be said which column is the time.
        UnknownNameError
            The formula does not read a column.
        DataError
            A level that was not in the data, times that are no numbers, or a part of an offset.
        DataRemovedError
            Times or typical values are needed, and the fit no longer holds its rows.

        Examples
        --------
        >>> import formula_torch as ft
        >>> fit = ft.traj("y ~ poly(t, 2) | id", ft.datasets.simulated_trajectories(), groups=2)
        >>> curves = fit.trajectories([0, 10])
        >>> sorted(curves["mean"].round(2).tolist())
        [0.5, 1.0, 1.41, 1.5]
        >>> bool((curves["conf_low"] < curves["mean"]).all())
        True
        """
        return curve_table(curve_rows(self, times, at), level)

    def raw_powers(self, time: str | None = None, *, level: float = 0.95) -> pd.DataFrame:
        """Coefficients of the groups on raw powers of time: 1, t, t^2, ...

        ``poly(t, d)`` has columns that are polynomials in t by a recurrence (Forsythe 1957), so that the
        coefficients on raw powers are A b for a matrix A, with covariance A V A'. Other columns, and their products
        with time, stay as they are. The powers ``t + I(t^2)`` stay too.

        Parameters
        ----------
        time : str, optional
            Needed where the formula has several numeric columns.
        level : float
            Of the intervals.

        Returns
        -------
        DataFrame
            group, term, estimate, std_error, statistic, p_value, conf_low, conf_high.

        Raises
        ------
        FormulaError
            A term is no polynomial in time, as a spline; or it cannot be said which column is the time.
        UnknownNameError
            The formula does not read such a column.

        Examples
        --------
        >>> import formula_torch as ft
        >>> fit = ft.traj("y ~ poly(t, 2) | id", ft.datasets.simulated_trajectories(), groups=2)
        >>> fit.raw_powers()["term"].tolist()
        ['Intercept', 't', 't^2', 'Intercept', 't', 't^2']
        """
        name, _ = asked_time(self.recipe, time)
        return raw_power_table(self, name, level)

    def simulate(self, n: int | None = None, seed: int = 0, *, group: str | None = None) -> pd.DataFrame:
        """Draw new responses for the rows of the fit.

        Each unit is given a group, and each of its rows a response from the distribution of this group, with its
        own covariates, offset and exposure.

        Parameters
        ----------
        n : int, optional
            So many data sets below one another, numbered from 1 in a column ``draw``. By default one, without it.
        seed : int
            The same seed gives the same numbers.
        group : {None, "posterior"}
            Draw the group of a unit by the shares (or what its covariates of membership say), or by its
            posterior.

        Returns
        -------
        DataFrame
            The columns that the fit read, the response drawn anew, and ``true_group``. A response that is an
            expression stands under its text, ``log(y)``.

        Raises
        ------
        DataError
            The family is one of your own, which says nothing of how to draw from it.
        DataRemovedError
            The result no longer holds its rows.

        Examples
        --------
        >>> import pandas as pd
        >>> import formula_torch as ft
        >>> fit = ft.traj("y ~ poly(t, 2) | id", ft.datasets.simulated_trajectories(), groups=2)
        >>> drawn = fit.simulate(seed=1)
        >>> list(drawn)
        ['id', 't', 'y', 'true_group']
        >>> again = ft.traj("y ~ poly(t, 2) | id", drawn, groups=2)
        >>> pd.crosstab(again.groups, drawn.groupby("id")["true_group"].first()).min().tolist()
        [0, 0]
        """
        check_known("group", group, (None, "posterior"))
        if n is not None and (not isinstance(n, (int, np.integer)) or n < 1):
            raise ValueError(f"n={n!r} must be a whole number of data sets, 1 or more.")
        frame, design = self.used_rows("simulate")
        codes, _ = unit_codes(frame, self.unit)
        chances = self.membership_probabilities() if group is None else self.posterior
        sets = simulated(self, frame, design, codes, chances.to_numpy(), generator_of(seed))
        if n is None:
            return next(sets)
        return pd.concat([drawn.assign(draw=i) for i, drawn in enumerate(itertools.islice(sets, n), 1)])
