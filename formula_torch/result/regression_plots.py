"""Pictures of a linear regression, drawn by matplotlib (the extra ``plot``)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from formula_torch.result.diagnostics import Diagnostics
from formula_torch.result.prediction import Predictions

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["RegressionPlots"]


class RegressionPlots(Predictions, Diagnostics):
    """Pictures of a linear regression: its residuals, its line among the data, one coefficient's data."""

    def plot_residuals(self, axes: Any = None) -> np.ndarray:
        """Draw four panels of residuals: over fitted values, normal Q-Q, scale-location, over leverage.

        With analytic weights the residuals are w^1/2 e. Standardised ones are e / (s (1 - h)^1/2). The smooths
        are Cleveland's lowess; the envelope holds each order statistic of a normal sample with chance
        95%; dashed contours are of Cook's distance. The three most extreme rows of each panel
        are named by the index of the data. Beyond 5,000 rows points are counted in hexagons.

        Parameters
        ----------
        axes : array or sequence of four Axes, optional
            By default those of a new figure.

        Returns
        -------
        array of Axes, shape (2, 2)
            Or in the shape of the array given.

        Raises
        ------
        ValueError
            `axes` are not four.
        DataRemovedError
            The result no longer holds its rows.
        DataError
            No residual is left.
        ImportError
            matplotlib is not installed.

        Examples
        --------
        >>> import formula_torch as ft
        >>> fit = ft.fit("ntv_rich ~ area", ft.datasets.plant_richness())
        >>> [ax.get_title(loc="left") for ax in fit.plot_residuals().flat]
        ['Residuals', 'Normal Q-Q', 'Scale-location', 'Leverage']
        """
        from formula_torch.present.plots.residuals import plot_residuals

        return plot_residuals(self, axes)

    def plot_fit(
        self,
        x: str,
        ax: Axes | None = None,
        *,
        at: Mapping[str, Any] | None = None,
        by: str | Mapping[str, Sequence[Any]] | None = None,
        level: float = 0.95,
        points: bool = True,
        interval: str | None = "mean",
    ) -> Axes:
        """Draw the fitted mean over one column of the data, through every term that holds it.

        The other columns are at their (weighted) means, categories at the most frequent one. A line with its
        band for numbers; a point with its interval for each level of a factor.

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
            Draw the observations behind: as they are, whatever their other columns.
        interval : {"mean", "obs", "both", None}
            Interval of the mean, of a new observation, of both or none.

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
        >>> fit = ft.fit("drvisits ~ poly(age, 2) * private + chronic", ft.datasets.visits())
        >>> ax = fit.plot_fit("age", by="private", points=False)
        >>> [round(float(line.get_ydata()[0]), 3) for line in ax.get_lines()]
        [5.629, 6.24]
        """
        from formula_torch.present.plots.lines import plot_fit

        return plot_fit(self, x, ax, at=at, by=by, level=level, points=points, interval=interval)

    def plot_partial(self, x: str, ax: Axes | None = None, *, level: float = 0.95) -> Axes:
        """Draw the partial regression of one coefficient: the data behind it, the other columns taken out.

        Both axes are residuals of a regression on all other columns. The line through them has
        the coefficient as its slope (Frisch and Waugh 1933), and its band the coefficient's interval.

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
        >>> fit = ft.fit("drvisits ~ age + educ + chronic", ft.datasets.visits())
        >>> fit.plot_partial("chronic").get_xlabel()
        'chronic | others'
        """
        from formula_torch.present.plots.partial import plot_partial

        return plot_partial(self, x, ax, level=level)
