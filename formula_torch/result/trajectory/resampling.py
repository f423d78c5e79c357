"""Bootstrap and jackknife of units."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from formula_torch.errors import DataError, DataRemovedError, InferenceWarning
from formula_torch.inference.resample import Refit, acceleration, resampled_coefficients
from formula_torch.result.resamples import Jackknife, Resamples
from formula_torch.result.trajectory.curves import Curves
from formula_torch.result.trajectory.ratio import BootstrapRatio, bootstrap_ratio

__all__ = ["UnitResampling"]

# With more draws lost than this share, those left are a selection.
MOST_FAILED = 0.1


@dataclass(frozen=True, eq=False)
class ClusterRefit:
    """Clusters of units that count several times.

    Parameters
    ----------
    units : Refit
    codes : int64 Tensor, shape (units.n_units,)
        Cluster of each unit, from 0.
    n_units : int
        Number of clusters.
    """

    units: Refit
    codes: Tensor
    n_units: int

    def refit(self, counts: Tensor) -> np.ndarray:
        """Coefficients for counts of shape (draws, n_units), shape (draws, k)."""
        return self.units.refit(counts[:, self.codes])

    def leave_one_out(self) -> np.ndarray:
        """Coefficients without each cluster, shape (n_units, k)."""
        return self.refit(1 - torch.eye(self.n_units, dtype=torch.float64))

    def influence(self) -> np.ndarray:
        """Derivatives of the coefficients in the count of each cluster, shape (n_units, k)."""
        own = self.units.influence()
        sums = np.zeros((self.n_units, own.shape[1]))
        np.add.at(sums, self.codes.numpy(), own)
        return sums


class UnitResampling(Curves):
    """Bootstrap and jackknife: the model is fitted again, from the estimate, to other counts of the units."""

    def bootstrap(
        self, *, cluster: Any = None, draws: int = 999, seed: int = 0, progress: bool | None = None
    ) -> Resamples:
        """Resample units with all their rows, or whole clusters of units, with replacement.

        Every draw is the maximum that a climb from the estimate reaches, so that groups keep their numbers
        (Efron 1979, Ann. Statist. 7:1-26). Draws without one, where a group loses its units, are left out and counted.

        Parameters
        ----------
        cluster : str or array of shape (n_total,), optional
            Resample these clusters of units rather than units.
        draws : int
        seed : int
        progress : bool, optional
            Show a bar; by default in a terminal, once it takes more than two seconds.

        Returns
        -------
        Resamples
            draws, cov_params(), bse, conf_int(method=...), summary_frame(); ``fit.with_vcov(resamples.vcov)``
            puts the errors in the summary.

        Raises
        ------
        DataError
            Weights are not whole numbers, a label is missing, there is one cluster, or too many draws fail.
        DataRemovedError
            The result no longer holds its units.

        Warns
        -----
        InferenceWarning
            Some draws have no maximum.

        Examples
        --------
        >>> import formula_torch as ft
        >>> fit = ft.traj("y ~ t | id", ft.datasets.simulated_trajectories(), groups=2)
        >>> resamples = fit.bootstrap(draws=49, seed=1)
        >>> resamples
        <Resamples: 49 draws of 100 units, seed 1>
        >>> fit.with_vcov(resamples.vcov).bse.equals(resamples.bse)
        True
        """
        refit, df, name = self._refit(cluster)
        values = resampled_coefficients(refit, draws, seed, progress)
        found = Resamples(
            self.names, self.coefficients, values, df, name, refit.n_units, seed, acceleration(refit.influence())
        )
        _check_failed(found.failed, draws)
        return found

    def jackknife(self, *, cluster: Any = None) -> Jackknife:
        """Leave out each unit, or each cluster of units, in turn; every fit is exact.

        Parameters
        ----------
        cluster : str or array of shape (n_total,), optional
            Leave out these clusters of units rather than units.

        Returns
        -------
        Jackknife
            left_out, bias, cov_params(), bse, conf_int(), summary_frame(), vcov.

        Raises
        ------
        DataError
            Weights are not whole numbers, a label is missing, or there is one cluster.

        Warns
        -----
        InferenceWarning
            Without some unit there is no maximum.

        Examples
        --------
        >>> import formula_torch as ft
        >>> fit = ft.traj("y ~ t | id", ft.datasets.simulated_trajectories(), groups=2)
        >>> fit.jackknife()
        <Jackknife: without each of 100 units>
        """
        refit, df, name = self._refit(cluster)
        values = refit.leave_one_out()
        kept = ~np.isnan(self.coefficients)
        if lost := int(np.isnan(values[:, kept]).any(axis=1).sum()):
            warnings.warn(
                f"without {lost} of the {refit.n_units} {name} a group has no maximum of its own; all jackknife errors "
                "are NaN. Try fewer groups.",
                InferenceWarning,
                stacklevel=2,
            )
        return Jackknife(self.names, self.coefficients, values, df, name, refit.n_units)

    def bootstrap_lr_test(
        self, smaller: Curves, *, draws: int = 99, seed: int = 0, progress: bool | None = None
    ) -> BootstrapRatio:
        """Test a smaller number of groups against that of this fit by the parametric bootstrap.

        The likelihood ratio between numbers of groups is not chi-squared: its distribution is that of data
        drawn from the smaller model, to which both are fitted again with all their starts (McLachlan 1987, Appl.
        Statist. 36:318-324).

        Parameters
        ----------
        smaller : TrajectoryFit
            Of the same data, with fewer groups.
        draws : int
        seed : int
        progress : bool, optional
            Show a bar; by default in a terminal, once it takes more than two seconds.

        Returns
        -------
        BootstrapRatio
            statistic, p_value, draws.

        Raises
        ------
        DataError
            The models do not compare, the response is an expression, units have weights, or the family is one of
            your own.
        DataRemovedError
            A result no longer holds its rows.

        Examples
        --------
        >>> import formula_torch as ft
        >>> data = ft.datasets.simulated_trajectories()
        >>> one, two = (ft.traj("y ~ poly(t, 2) | id", data, groups=k) for k in (1, 2))
        >>> two.bootstrap_lr_test(one, draws=9).p_value
        0.1
        """
        return bootstrap_ratio(self, smaller, draws, seed, progress)

    def _refit(self, cluster: Any) -> tuple[Refit, float, str]:
        """How to fit again, degrees of freedom of t, and what the units are called."""
        weights = self.known_units("resampling").weights
        if self.resampler is None:
            raise DataRemovedError("resampling needs the units, which this result no longer holds; fit again.")
        if (weights != np.round(weights)).any():
            raise DataError("weights that are not whole numbers are no numbers of units that could be drawn.")
        if cluster is None:
            return self.resampler, self.resampler.n_units - 1.0, "units"
        labels = self.information.labels(cluster, "cluster")
        if labels.count < 2:
            raise DataError(
                f"resampling by `{labels.name}` needs at least 2 clusters; the units used have {labels.count}."
            )
        codes = np.repeat(labels.codes, weights.astype(np.int64))
        return ClusterRefit(self.resampler, torch.from_numpy(codes), labels.count), labels.count - 1.0, labels.name


def _check_failed(failed: int, draws: int) -> None:
    if not failed:
        return
    said = f"{failed} of {draws} draws have no maximum with all groups (a group lost its units, or runs off)"
    if failed > MOST_FAILED * draws:
        raise DataError(f"{said}; the others would not be a sample. Try fewer groups, a simpler curve or prior='weak'.")
    warnings.warn(f"{said}, and are left out.", InferenceWarning, stacklevel=3)
