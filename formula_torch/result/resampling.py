"""Bootstrap and jackknife of a linear regression."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import torch

from formula_torch.errors import DataError, FormulaError, InferenceWarning
from formula_torch.inference.hypotheses import Hypotheses, read_hypotheses
from formula_torch.inference.moments import Labels, Moments
from formula_torch.inference.multipliers import Multipliers
from formula_torch.inference.resample import Refit, acceleration, resampled_coefficients
from formula_torch.inference.reweighted import cluster_refit, row_refit
from formula_torch.inference.wild import Units, clusters_as_units, rows_as_units, wild_distribution
from formula_torch.result.linear_fit import LinearFit
from formula_torch.result.resamples import Jackknife, Resamples, named_units
from formula_torch.result.wild_test import WildBootstrap

__all__ = ["Resampling"]

# With more draws lost than this share, those left are a selection.
MOST_FAILED = 0.1


class Resampling(LinearFit):
    """Bootstraps, all from one pass over the rows: a draw costs nothing that grows with the data of a cluster."""

    # -- wild bootstrap ---------------------------------------------------------------------------

    def wild_bootstrap(
        self,
        hypothesis: Any,
        *,
        cluster: Any = None,
        bootcluster: Any = None,
        draws: int = 9999,
        weights: str = "rademacher",
        impose_null: bool = True,
        seed: int = 0,
        progress: bool | None = None,
    ) -> WildBootstrap:
        """Test a linear hypothesis by the wild (cluster) bootstrap.

        Residuals that obey the null are multiplied, cluster by cluster, by random signs; the t statistics
        of the regressions on such responses are the distribution of t under the null (Cameron, Gelbach and
        Miller 2008, Rev. Econ. Stat. 90:414-427; computed as in Roodman et al. 2019, Stata Journal 19:4-60).
        Reliable from a handful of clusters on, unless very few of them are treated. It agrees with Stata's
        boottest and pyfixest's ``wildboottest`` (their type 11) up to the random signs.

        Parameters
        ----------
        hypothesis : str, array or tuple (R, q)
            One linear hypothesis: a coefficient's name, ``"x = 1"``, ``"x + z = 0"``.
        cluster : str or array of shape (n_total,), or a list of these, optional
            t is by CRV1 with these clusters, of one or several ways. Without, rows are resampled and t
            is by HC1.
        bootcluster : str or array of shape (n_total,), optional
            What is resampled: by default `cluster`, of several ways the one with the fewest clusters
            (MacKinnon, Nielsen and Webb 2021, J. Bus. Econ. Stat. 39:505-519).
        draws : int
            Where there are no more combinations of signs than this, all are taken instead.
        weights : {"rademacher", "webb", "mammen", "normal"}
            ``"webb"`` for fewer than ten clusters or so.
        impose_null : bool
            False resamples the residuals of the fit itself.
        seed : int
        progress : bool, optional
            Show a bar; by default in a terminal, once it takes more than two seconds.

        Returns
        -------
        WildBootstrap
            p_value, conf_int(), t_stats, summary_frame().

        Raises
        ------
        FormulaError
            Not one linear hypothesis.
        DataError
            A label is missing, there is one cluster, or the residuals are all zero.

        Examples
        --------
        >>> import formula_torch as ft
        >>> fit = ft.fit("drvisits ~ private + age", ft.datasets.visits())
        >>> fit.wild_bootstrap("private = 0", draws=999, seed=1).p_value < 0.05
        True
        """
        h = self._one_linear(hypothesis)
        moments = self._estimable_moments()
        units = self._units(moments, h.jacobian[0], cluster, bootcluster)
        multipliers = Multipliers.of(weights, units.count, draws, seed)
        estimate, null, error = float(h.effect[0]), float(h.null[0]), units.std_error()
        distribution = wild_distribution(
            units,
            (estimate - null) / error,
            multipliers,
            impose_null=impose_null,
            device=self._device,
            progress=progress,
        )
        test = WildBootstrap(
            h.texts[0],
            estimate,
            null,
            error,
            distribution,
            multipliers.draws,
            weights,
            units.name,
            units.count,
            impose_null,
            multipliers.seed,
        )
        _warn_of_undefined(int(np.isnan(test.t_stats).sum()), multipliers.draws)
        return test

    def _one_linear(self, hypothesis: Any) -> Hypotheses:
        h = read_hypotheses(hypothesis, self.names, self.coefficients)
        if len(h.effect) != 1 or not h.linear.all():
            raise FormulaError(
                f"the wild bootstrap tests one linear hypothesis; {hypothesis!r} holds {len(h.effect)}"
                f"{'' if h.linear.all() else ', and not all are linear'}."
            )
        return h

    def _units(self, moments: Moments, row: np.ndarray, cluster: Any, bootcluster: Any) -> Units:
        if cluster is None:
            if bootcluster is not None:
                raise ValueError("bootcluster= needs cluster=, by which the errors are computed.")
            return rows_as_units(moments, row)
        ways = [_clusters(moments, by) for by in _as_ways(cluster)]
        fewest = min(ways, key=lambda way: way.count)
        return clusters_as_units(moments, row, ways, fewest if bootcluster is None else _clusters(moments, bootcluster))

    # -- bootstrap and jackknife ------------------------------------------------------------------

    def bootstrap(
        self, *, cluster: Any = None, draws: int = 999, seed: int = 0, progress: bool | None = None
    ) -> Resamples:
        """Resample rows (pairs of response and regressors), or whole clusters, with replacement.

        Every draw is the exact weighted least squares fit with the counts of its units (Efron 1979, Ann.
        Statist. 7:1-26; for clusters Cameron, Gelbach and Miller 2008, Rev. Econ. Stat. 90:414-427).

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
            A label is missing, or there is one cluster.

        Examples
        --------
        >>> import formula_torch as ft
        >>> fit = ft.fit("drvisits ~ private + age", ft.datasets.visits())
        >>> resamples = fit.bootstrap(draws=199, seed=1)
        >>> fit.with_vcov(resamples.vcov).bse.equals(resamples.bse)
        True
        """
        refit, df, name = self._refit(cluster)
        values = resampled_coefficients(refit, draws, seed, progress)
        found = Resamples(
            self.names, self.coefficients, values, df, name, refit.n_units, seed, acceleration(refit.influence())
        )
        _check_singular(found.failed, draws, name)
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
        refit, df, name = self._refit(cluster)
        values = refit.leave_one_out()
        kept = ~np.isnan(self.coefficients)
        lost = int(np.isnan(values[:, kept]).any(axis=0).sum())
        if lost:
            warnings.warn(
                f"{lost} coefficients are determined by one alone of the {refit.n_units} {named_units(name)}; their "
                "jackknife errors are NaN.",
                InferenceWarning,
                stacklevel=2,
            )
        return Jackknife(self.names, self.coefficients, values, df, name, refit.n_units)

    def _refit(self, cluster: Any) -> tuple[Refit, float, str]:
        """How to fit again, degrees of freedom of t, and what the units are called."""
        moments = self._estimable_moments()
        if cluster is None:
            return row_refit(moments, self.coefficients, self._device), moments.df_resid, "rows"
        labels = _clusters(moments, cluster)
        return cluster_refit(moments, self.coefficients, labels, self._device), labels.count - 1.0, labels.name

    def _estimable_moments(self) -> Moments:
        moments = self.moments()
        if moments.df_resid <= 0:
            raise DataError(f"{moments.n_obs:g} observations leave no degrees of freedom to resample.")
        return moments

    @property
    def _device(self) -> torch.device:
        return torch.device(self.call.device)


def _as_ways(cluster: Any) -> list[Any]:
    several = isinstance(cluster, (list, tuple)) and all(isinstance(c, str) or np.ndim(c) for c in cluster)
    return list(cluster) if several else [cluster]


def _clusters(moments: Moments, by: Any) -> Labels:
    labels = moments.labels(by, "cluster")
    if labels.count < 2:
        raise DataError(f"resampling by `{labels.name}` needs at least 2 clusters; the rows used have {labels.count}.")
    return labels


def _check_singular(failed: int, draws: int, name: str) -> None:
    if failed > MOST_FAILED * draws:
        raise DataError(
            f"{failed} of {draws} draws do not determine all coefficients, as these rest on a few {name}; the others "
            "would not be a sample. Use wild_bootstrap(), which keeps the design, or leave those terms out."
        )
    if failed:
        warnings.warn(
            f"{failed} of {draws} draws do not determine all coefficients (a level or a cluster they rest on was not "
            "drawn) and are left out; wild_bootstrap() keeps the design as it is.",
            InferenceWarning,
            stacklevel=3,
        )


def _warn_of_undefined(undefined: int, draws: int) -> None:
    if undefined:
        warnings.warn(
            f"{undefined} of {draws} draws have no t statistic (their variance is not positive) and are left out.",
            InferenceWarning,
            stacklevel=3,
        )
