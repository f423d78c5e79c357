"""Bootstrap and jackknife of a linear regression."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import torch

from formula_torch.errors import DataError, FormulaError, InferenceWarning
from formula_torch.inference.hypotheses import Hypotheses, read_hypotheses
from formula_torch.inference.moments import Moments
from formula_torch.inference.multipliers import Multipliers
from formula_torch.inference.resample import Refit
from formula_torch.inference.reweighted import cluster_refit, row_refit
from formula_torch.inference.wild import Units, clusters_as_units, rows_as_units, wild_distribution
from formula_torch.result.bootstraps import Bootstraps, clusters_of
from formula_torch.result.linear_fit import LinearFit
from formula_torch.result.wild_test import WildBootstrap

__all__ = ["Resampling"]


class Resampling(LinearFit, Bootstraps):
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
        self.refuse_restraint("wild_bootstrap")
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
        ways = [clusters_of(moments, by) for by in _as_ways(cluster)]
        fewest = min(ways, key=lambda way: way.count)
        drawn = fewest if bootcluster is None else clusters_of(moments, bootcluster)
        return clusters_as_units(moments, row, ways, drawn)

    # -- bootstrap and jackknife ------------------------------------------------------------------

    @property
    def _undrawn(self) -> str:
        return "wild_bootstrap() keeps the design as it is"

    def _refit(self, cluster: Any) -> tuple[Refit, float, str]:
        """How to fit again, degrees of freedom of t, and what the units are called."""
        moments = self._estimable_moments()
        if cluster is None:
            return row_refit(moments, self.coefficients, self._device), moments.df_resid, "rows"
        labels = clusters_of(moments, cluster)
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


def _warn_of_undefined(undefined: int, draws: int) -> None:
    if undefined:
        warnings.warn(
            f"{undefined} of {draws} draws have no t statistic (their variance is not positive) and are left out.",
            InferenceWarning,
            stacklevel=3,
        )
