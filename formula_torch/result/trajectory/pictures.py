"""Pictures of a trajectory model, drawn by matplotlib (the extra ``plot``)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from formula_torch.result.trajectory.curves import Curves

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Pictures"]


class Pictures(Curves):
    """Pictures of the groups."""

    def plot(
        self,
        ax: Axes | None = None,
        *,
        times: Any = None,
        at: Mapping[str, Any] | None = None,
        level: float = 0.95,
        observed: bool = True,
        spaghetti: bool | None = None,
    ) -> Axes:
        """Draw the mean curve of each group with its band, among what was observed.

        Curves and bands are those of ``trajectories``: other columns are held, and exposure is one unit unless `at`
        sets it. Points are the means of the observations at a time, each counted in every group by the
        posterior of its unit; with exposure, sums of the response over sums of the exposure. Beyond 40 distinct
        times they are means over 20 stretches of time with equally many rows. A time at which a group has less than
        half an observation has no point. Points are of the data as they are, whatever their other columns.

        Parameters
        ----------
        ax : Axes, optional
            By default those of a new figure.
        times : sequence of numbers, str, or dict, optional
            As ``trajectories``; by default the range of the data.
        at : dict, optional
            Values of other columns.
        level : float
            Of the bands.
        observed : bool
            Draw the observed means.
        spaghetti : bool, optional
            Draw the observations of each unit as a thin line, in the colour of its most probable group; of more than
            2,000 units a sample. By default up to 200 units, where the response has more than two values.

        Returns
        -------
        Axes

        Raises
        ------
        FormulaError, UnknownNameError, DataError
            As ``trajectories``.
        DataRemovedError
            The result no longer holds its rows; give `times`, `observed=False` and `spaghetti=False`.
        ImportError
            matplotlib is not installed.

        Examples
        --------
        >>> import formula_torch as ft
        >>> fit = ft.traj("y ~ poly(t, 2) | id", ft.datasets.simulated_trajectories(), groups=2)
        >>> ax = fit.plot()
        >>> [text.get_text() for text in ax.get_legend().get_texts()]
        ['group 1 (50.0%)', 'group 2 (50.0%)']
        """
        from formula_torch.present.plots.trajectories import plot_trajectories

        return plot_trajectories(self, ax, times=times, at=at, level=level, observed=observed, spaghetti=spaghetti)
