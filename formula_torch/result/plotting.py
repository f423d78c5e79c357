"""Pictures of any fit, drawn by matplotlib (the extra ``plot``)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from formula_torch.result.combinations import Combinations
from formula_torch.result.hypothesis_tests import HypothesisTests

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Plots"]


class Plots(HypothesisTests, Combinations):
    """Pictures of what every fit has.

    Each takes axes or makes a figure of its own, and returns the axes. Axes that are passed keep
    their style, and no other axes are touched.
    """

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the coefficients with their 95% intervals, as ``plot_coefficients``.

        Parameters
        ----------
        ax : Axes, optional
            By default those of a new figure.

        Returns
        -------
        Axes
        """
        return self.plot_coefficients(ax)

    def plot_coefficients(
        self,
        ax: Axes | None = None,
        *,
        terms: str | Sequence[str] | None = None,
        drop_intercept: bool = True,
        level: float = 0.95,
        exp: bool = False,
        joint: str | None = None,
        labels: Mapping[str, str] | None = None,
    ) -> Axes:
        """Draw the coefficients as points with their intervals; ``ft.plot_coefficients`` draws several fits.

        Parameters
        ----------
        ax : Axes, optional
            By default those of a new figure.
        terms : str or list of str, optional
            Coefficients, or terms of the formula for all of theirs, in the order wanted.
        drop_intercept : bool
            Leave out the intercept, where `terms` does not name it.
        level : float
            Of the intervals.
        exp : bool
            Exponentiate, on a logarithmic axis: ratios.
        joint : {None, "bonferroni", "scheffe", "sup-t"}
            Intervals that hold for all coefficients of the fit together, as ``confint``.
        labels : dict, optional
            Coefficient to what to write in place of its name.

        Returns
        -------
        Axes

        Raises
        ------
        UnknownNameError
            No such coefficient or term.
        DataError
            More coefficients than can be read, or none.
        ImportError
            matplotlib is not installed.

        Examples
        --------
        >>> import formula_torch as ft
        >>> fit = ft.fit("drvisits ~ private + age + C(chronic)", ft.datasets.visits())
        >>> ax = fit.plot_coefficients(terms=["private", "age"], labels={"private": "private insurance"})
        >>> [tick.get_text() for tick in ax.get_yticklabels()]
        ['private insurance', 'age']
        """
        from formula_torch.present.plots.coefficients import plot_coefficients

        return plot_coefficients(
            self,
            ax,
            terms=terms,
            drop_intercept=drop_intercept,
            level=level,
            exp=exp,
            joint=joint,
            labels=labels,
        )
