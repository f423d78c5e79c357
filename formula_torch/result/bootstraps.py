"""Bootstrap and jackknife of a fit, given how it is fitted again."""

from __future__ import annotations

import warnings
from abc import abstractmethod
from typing import Any

import numpy as np

from formula_torch.errors import DataError, InferenceWarning
from formula_torch.inference.moments import Labels, Moments
from formula_torch.inference.resample import Refit, acceleration, resampled_coefficients
from formula_torch.result.fit import Fit
from formula_torch.result.resamples import Jackknife, Resamples, named_units

__all__ = ["Bootstraps", "clusters_of"]

# With more draws lost than this share, those left are a selection.
MOST_FAILED = 0.1


class Bootstraps(Fit):
    """Resampling of rows or clusters, and leaving out one at a time."""

    @abstractmethod
    def _refit(self, cluster: Any) -> tuple[Refit, float, str]:
        """How to fit again, degrees of freedom of t, and what the units are called."""

    def refuse_restraint(self, what: str, *restraints: str) -> None:
        """Raise where estimates obey something that another fit would not; most obey the likelihood alone."""

    @property
    @abstractmethod
    def _undrawn(self) -> str:
        """What else there is to say of draws that do not determine the coefficients."""

    def bootstrap(
        self, *, cluster: Any = None, draws: int = 999, seed: int = 0, progress: bool | None = None
    ) -> Resamples:
        """Resample rows (pairs of response and regressors), or whole clusters, with replacement.

        Every draw is fitted with the counts of its units: exact weighted least squares, or the maximum of the
        likelihood (Efron 1979, Ann. Statist. 7:1-26; for clusters Cameron, Gelbach and Miller 2008, Rev. Econ.
        Stat. 90:414-427).

        Parameters
        ----------
        cluster : str or array of shape (n_total,), optional
            Resample these clusters rather than rows.
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
            A label is missing, there is one cluster, or one in ten draws does not determine the coefficients.

        Warns
        -----
        InferenceWarning
            Some draws do not, and are left out.

        Examples
        --------
        >>> import formula_torch as ft
        >>> fit = ft.fit("drvisits ~ private + age", ft.datasets.visits())
        >>> resamples = fit.bootstrap(draws=199, seed=1)
        >>> fit.with_vcov(resamples.vcov).bse.equals(resamples.bse)
        True
        """
        self.refuse_restraint("bootstrap", "prior")
        refit, df, name = self._refit(cluster)
        values = resampled_coefficients(refit, draws, seed, progress)
        found = Resamples(
            self.names, self.coefficients, values, df, name, refit.n_units, seed, acceleration(refit.influence())
        )
        _check_failed(found.failed, draws, name, self._undrawn)
        return found

    def jackknife(self, *, cluster: Any = None) -> Jackknife:
        """Leave out each row, or each cluster, in turn.

        Parameters
        ----------
        cluster : str or array of shape (n_total,), optional
            Leave out these clusters rather than rows.

        Returns
        -------
        Jackknife
            left_out, bias, cov_params(), bse, conf_int(), summary_frame(), vcov.

        Raises
        ------
        DataError
            A label is missing, or there is one cluster.

        Examples
        --------
        >>> import formula_torch as ft
        >>> fit = ft.fit("drvisits ~ private + age", ft.datasets.visits())
        >>> fit.jackknife().bse.round(3).to_dict()
        {'Intercept': 1.442, 'private': 0.248, 'age': 0.019}
        """
        self.refuse_restraint("jackknife", "prior")
        refit, df, name = self._refit(cluster)
        values = refit.leave_one_out()
        kept = ~np.isnan(self.estimated)
        lost = int(np.isnan(values[:, kept]).any(axis=0).sum())
        if lost:
            warnings.warn(
                f"{lost} coefficients are determined by one alone of the {refit.n_units} {named_units(name)}; their "
                "jackknife errors are NaN.",
                InferenceWarning,
                stacklevel=2,
            )
        return Jackknife(self.names, self.coefficients, values, df, name, refit.n_units)


def clusters_of(moments: Moments, by: Any) -> Labels:
    """Read the clusters of the rows.

    Raises
    ------
    DataError
        A label is missing, or there is one cluster.
    """
    labels = moments.labels(by, "cluster")
    if labels.count < 2:
        raise DataError(f"resampling by `{labels.name}` needs at least 2 clusters; the rows used have {labels.count}.")
    return labels


def _check_failed(failed: int, draws: int, name: str, undrawn: str) -> None:
    if failed > MOST_FAILED * draws:
        raise DataError(
            f"{failed} of {draws} draws do not determine all coefficients, as these rest on a few {name}; the others "
            f"would not be a sample. Leave those terms out; {undrawn}."
        )
    if failed:
        warnings.warn(
            f"{failed} of {draws} draws do not determine all coefficients (a level or a cluster they rest on was not "
            f"drawn) and are left out ({undrawn}).",
            InferenceWarning,
            stacklevel=3,
        )
