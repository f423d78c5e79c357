"""Pictures of a generalised linear model, drawn by matplotlib (the extra ``plot``)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from formula_torch.data import suggest
from formula_torch.errors import UnknownNameError
from formula_torch.inference.residual_curves import binned
from formula_torch.result.glm.influence import Influential
from formula_torch.result.glm.prediction import MeanPredictions
from formula_torch.result.glm.residuals import Residuals
from formula_torch.result.glm.specification import GlmSpecification

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["GlmPlots"]


class GlmPlots(Influential, Residuals, MeanPredictions, GlmSpecification):
    """Pictures of a generalised linear model: its residuals, its mean among the data, one coefficient's data."""

    def plot_residuals(self, axes: Any = None, *, kind: str = "deviance", seed: int = 0) -> np.ndarray:
        """Draw four panels of residuals: over the linear predictor, normal Q-Q, scale-location, over leverage.

        The Q-Q plot is of randomised quantile residuals, where the family has them: these are normal if the
        model holds, as deviance and Pearson residuals of counts and of 0 and 1 are not. For 0 and 1
        ``plot_binned_residuals`` says more.

        Parameters
        ----------
        axes : array or sequence of four Axes, optional
            By default those of a new figure.
        kind : {"deviance", "pearson", "quantile"}
            Residuals of the first panel, and whose standardised ones the third has.
        seed : int
            Of the quantile residuals.

        Returns
        -------
        array of Axes, shape (2, 2)
            Or in the shape of the array given.

        Raises
        ------
        ValueError
            `axes` are not four, or an unknown kind.
        DataRemovedError
            The result no longer holds its rows.
        ImportError
            matplotlib is not installed.

        Examples
        --------
        >>> import formula_torch as ft
        >>> fit = ft.fit("drvisits ~ private + age", ft.datasets.visits(), family="poisson")
        >>> [ax.get_ylabel() for ax in fit.plot_residuals().flat][:2]
        ['Deviance residual', 'Quantile residual']
        """
        from formula_torch.present.plots.generalized import plot_residual_panels

        return plot_residual_panels(self, axes, kind, seed)

    def plot_binned_residuals(self, x: str | None = None, ax: Axes | None = None, *, bins: int | None = None) -> Axes:
        """Draw the mean residual of rows of near fitted means, or of near values of a column.

        Shaded is what 95 in 100 of the bins lie within, if the model holds: two standard errors of the mean residual
        (Gelman and Hill 2007, Data Analysis Using Regression, section 5.6).

        Parameters
        ----------
        x : str, optional
            A numeric column of the data; by default the fitted mean.
        ax : Axes, optional
            By default those of a new figure.
        bins : int, optional
            By default the root of the number of rows.

        Returns
        -------
        Axes

        Raises
        ------
        UnknownNameError
            No such column.
        DataRemovedError
            The result no longer holds its rows.
        ImportError
            matplotlib is not installed.

        Examples
        --------
        >>> import formula_torch as ft
        >>> fit = ft.fit("private ~ age + educ", ft.datasets.visits(), family="binomial")
        >>> fit.plot_binned_residuals("age").get_xlabel()
        'age'
        """
        from formula_torch.present.plots.generalized import plot_binned

        return plot_binned(self, x, ax, bins)

    def binned_residuals(self, x: str | None = None, bins: int | None = None) -> pd.DataFrame:
        """Mean residuals of rows of near fitted means, or of near values of a column.

        Parameters
        ----------
        x, bins : optional
            As for ``plot_binned_residuals``.

        Returns
        -------
        DataFrame
            n, mean (of what the rows are sorted by), resid, and limit: two standard errors of the mean residual,
            2 (sum w (y - mu)^2)^1/2 / sum w about their mean.
        """
        fitted = self.fittedvalues.to_numpy()
        along = fitted if x is None else self._numbers(x)
        weights = self.held_rows("binned_residuals").weight_values()
        return binned(along, self.resid_response.to_numpy(), weights, bins)

    def _numbers(self, name: str) -> np.ndarray:
        frame = self.held_rows("binned_residuals").used_frame()
        if name not in frame.names:
            raise UnknownNameError(f"`{name}` is not a column that the model read{suggest(name, frame.names)}")
        return frame.column(name).numbers

    def plot_fit(
        self,
        x: str,
        ax: Axes | None = None,
        *,
        at: Mapping[str, Any] | None = None,
        by: str | Mapping[str, Sequence[Any]] | None = None,
        level: float = 0.95,
        points: bool = True,
        which: str = "mean",
        interval: str | None = "mean",
    ) -> Axes:
        """Draw the fitted mean over one column of the data, through every term that holds it.

        The other columns, that of an exposure too, are at their (weighted) means, categories at the most frequent
        one. A line with its band for numbers; a point with its interval for each level of a factor.

        Parameters
        ----------
        x : str
            A column that the formula reads.
        ax : Axes, optional
            By default those of a new figure.
        at : dict, optional
            Values of other columns.
        by : str or dict, optional
            A column for whose levels to draw a line each; ``{"g": ["a", "b"]}`` chooses among them,
            ``{"age": [65, 75, 85]}`` sets values of a numeric one.
        level : float
            Of the intervals.
        points : bool
            Draw the observations behind, whatever their other columns; on the scale of the linear predictor
            the line plus working residuals (partial residuals).
        which : {"mean", "linear"}
        interval : {"mean", None}

        Returns
        -------
        Axes

        Raises
        ------
        UnknownNameError
            The formula does not read such a column; near names are given.
        DataError
            Too many levels, or a value that no row could have.
        DataRemovedError
            The result no longer holds its rows.
        ImportError
            matplotlib is not installed.

        Examples
        --------
        >>> import formula_torch as ft
        >>> fit = ft.fit("private ~ age + C(educ > 12)", ft.datasets.visits(), family="binomial")
        >>> fit.plot_fit("age", by={"educ": [8, 16]}, points=False).get_ylabel()
        'private'
        """
        from formula_torch.present.plots.generalized import plot_mean

        return plot_mean(self, x, ax, at=at, by=by, level=level, points=points, which=which, interval=interval)

    def plot_partial(self, x: str, ax: Axes | None = None, *, level: float = 0.95) -> Axes:
        """Draw the partial regression of one coefficient on the scale of the linear predictor (added variable).

        Both axes are residuals of the last step's weighted least squares on all other columns; the line has the
        coefficient as its slope, and its band the coefficient's interval.

        Parameters
        ----------
        x : str
            A coefficient.
        ax : Axes, optional
            By default those of a new figure.
        level : float
            Of the band.

        Returns
        -------
        Axes

        Raises
        ------
        UnknownNameError
            No such coefficient; near names are given.
        DataError
            It was dropped as dependent.
        DataRemovedError
            The result no longer holds its rows.
        ImportError
            matplotlib is not installed.

        Examples
        --------
        >>> import formula_torch as ft
        >>> fit = ft.fit("private ~ age + educ", ft.datasets.visits(), family="binomial")
        >>> fit.plot_partial("educ").get_ylabel()
        'logit(private) | others'
        """
        from formula_torch.present.plots.generalized import plot_working_partial

        return plot_working_partial(self, x, ax, level=level)
