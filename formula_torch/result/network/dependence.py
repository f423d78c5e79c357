"""Partial dependence as a value: the average prediction along one variable."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from formula_torch.errors import FormulaError
from formula_torch.result.effects import MarginalEffects
from formula_torch.result.population import Population
from formula_torch.result.variation import check_used, variations

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Grid", "PartialDependence", "grid_of"]

# Between these shares of the rows lies a numeric variable that has many values.
ENDS = (0.01, 0.99)


@dataclass(frozen=True)
class Grid:
    """Values that a variable takes in turn.

    Parameters
    ----------
    values : tuple
    numeric : bool
        Whether there is something between two of them.
    """

    values: tuple[Any, ...]
    numeric: bool


def grid_of(population: Population, variable: str, points: int) -> Grid:
    """Return the values at which to predict.

    Parameters
    ----------
    population : Population
    variable : str
    points : int
        Most values of a numeric variable.

    Raises
    ------
    UnknownNameError
        The formula does not use the variable.
    """
    check_used(population, variable, "partial_dependence")
    column = population.frame.column(variable)
    if column.kind != "number":
        return Grid(column.factor.compact().levels, False)
    values = np.unique(column.numbers)
    if _in_steps(population, variable):
        return Grid(tuple(values.tolist()), False)
    if len(values) > points:
        low, high = np.quantile(column.numbers, ENDS).tolist()
        values = np.linspace(low, high, points)
    return Grid(tuple(values.tolist()), True)


def _in_steps(population: Population, variable: str) -> bool:
    """Whether the formula makes levels of all values of a number, as ``C(year)`` does; ``cut(x, 3)`` takes any."""
    try:
        return variations(population, variable)[0].levels is not None
    except FormulaError:
        return False


@dataclass(frozen=True, eq=False, repr=False)
class PartialDependence:
    """Average predictions along one variable.

    Parameters
    ----------
    variable : str
    means : MarginalEffects
        One estimate a value of the variable, with the covariance of all.
    numeric : bool
        Whether the variable has values between those of the table.
    """

    variable: str
    means: MarginalEffects
    numeric: bool

    @property
    def table(self) -> pd.DataFrame:
        """One row a value: the variable, estimate, std_error, conf_low, conf_high."""
        return self.means.table[[self.variable, "estimate", "std_error", "conf_low", "conf_high"]]

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw a line with its band, or for levels points with their intervals.

        Parameters
        ----------
        ax : matplotlib Axes, optional

        Returns
        -------
        Axes

        Examples
        --------
        >>> import formula_torch as ft
        >>> net = ft.Network(hidden=(2,), starts=1)
        >>> fit = ft.fit("ntv_rich ~ area", ft.datasets.plant_richness(), network=net)
        >>> fit.partial_dependence("area", points=5).plot().get_xlabel()
        'area'
        """
        from formula_torch.present.plots.dependence import plot_dependence

        return plot_dependence(self, ax)

    def __repr__(self) -> str:
        return self.table.to_string(index=False)

    def _repr_html_(self) -> str:
        return self.table.to_html(index=False)
