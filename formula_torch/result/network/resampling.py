"""Bootstrap of a network: the effects of fits to rows, or clusters, drawn with replacement."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from formula_torch.design import Design
from formula_torch.errors import DataError, InferenceWarning, check_known
from formula_torch.inference.progress import progress_bar
from formula_torch.models.network_rows import NetworkLoss
from formula_torch.numerics.random import generator_of, resampled_counts
from formula_torch.numerics.threads import threads_for
from formula_torch.result.network.margins import NetworkMargins
from formula_torch.result.resamples import Resamples

__all__ = ["EffectResamples", "NetworkResampling"]

# Products of a pass over rows for each weight.
WORK = 100.0
# With more draws lost than this share, those left are a selection.
MOST_FAILED = 0.1
METHODS = ("percentile", "basic", "normal", "t")


@dataclass(frozen=True, eq=False, repr=False)
class EffectResamples(Resamples):
    """A bootstrap of functions of a fit, average effects or others: what Resamples is for coefficients."""

    def conf_int(self, alpha: float = 0.05, method: str = "percentile") -> pd.DataFrame:
        """Confidence intervals, shape (m, 2).

        Parameters
        ----------
        alpha : float
            One less the confidence level.
        method : {"percentile", "basic", "normal", "t"}
            As of the bootstrap of a regression.

        Raises
        ------
        ValueError
            Unknown method, or alpha not between 0 and 1.
        DataError
            Too few draws for `alpha`.
        """
        check_known("method", method, METHODS)
        return super().conf_int(alpha, method)


@dataclass(frozen=True, eq=False)
class Drawn:
    """Rows that count as often as their units are drawn.

    Parameters
    ----------
    codes : int64 Tensor, shape (units,) or (n,)
        Without clusters the row of each unit (rows with counts are several), else the cluster of each row.
    counts : Tensor, shape (n,), or None
        Of rows in clusters: frequency weights.
    n_rows : int
    n_units : int
    name : str
        ``"rows"``, or that of the clusters.
    """

    codes: Tensor
    counts: Tensor | None
    n_rows: int
    n_units: int
    name: str

    def times(self, units: Tensor) -> Tensor:
        """How often each row counts where units count as often, shape (n,)."""
        if self.name == "rows":
            return torch.zeros(self.n_rows, dtype=torch.float64).index_add_(0, self.codes, units)
        found = units[self.codes]
        return found if self.counts is None else found * self.counts


class NetworkResampling(NetworkMargins):
    """Resampling of rows or clusters: every draw is fitted again, from the weights of the fit."""

    def bootstrap(
        self,
        draws: int = 199,
        *,
        cluster: Any = None,
        of: Callable[[NetworkResampling], pd.Series] | None = None,
        seed: int = 0,
        progress: bool | None = None,
    ) -> EffectResamples:
        """Resample rows, or whole clusters, with replacement, and fit the network to each draw.

        A draw is a maximum near that of the fit: the search begins at the fit's weights. Where it is to stop early it
        begins where the fit's did, as else it would stop at once. Effects are averaged over the rows of the fit, as
        those of its tables.

        Parameters
        ----------
        draws : int
        cluster : str or array of shape (n_total,), optional
            Resample these clusters rather than rows.
        of : callable, optional
            From a fit to a Series of numbers, in place of the average effects:
            ``lambda fit: fit.partial_dependence("x").table.set_index("x")["estimate"]``.
        seed : int
        progress : bool, optional
            Show a bar; by default in a terminal, once it takes more than two seconds.

        Returns
        -------
        EffectResamples
            draws, bse, bias, cov_params(), conf_int(method=...), summary_frame().

        Raises
        ------
        DataError
            A label is missing, there is one cluster, or one in ten draws cannot be fitted.
        DataRemovedError
            The result no longer holds its rows.

        Warns
        -----
        InferenceWarning
            Some draws cannot be fitted, and are left out.

        Examples
        --------
        >>> import formula_torch as ft
        >>> net = ft.Network(hidden=(2,), starts=1)
        >>> fit = ft.fit("ntv_rich ~ area", ft.datasets.plant_richness(), network=net)
        >>> fit.bootstrap(19, seed=1)
        <EffectResamples: 19 draws of 22 rows, seed 1>
        """
        if draws < 2:
            raise ValueError(f"draws={draws} must be at least 2.")
        function = _average_effects if of is None else of
        estimates = function(self)
        design = self.training_rows("bootstrap")
        drawn, df = self._drawn(design, cluster)
        values = np.full((draws, len(estimates)), np.nan)
        generator, again = generator_of(seed), self._again(design)
        with progress_bar(draws, "bootstrap", progress) as advance, threads_for(WORK * design.n_rows * len(self.theta)):
            for draw in range(draws):
                times = drawn.times(resampled_counts(generator, 1, drawn.n_units)[0])
                values[draw] = _of_draw(function, again, times, len(estimates))
                advance(1)
        names = tuple(map(str, estimates.index))
        found = EffectResamples(
            names, estimates.to_numpy(dtype=np.float64), values, df, drawn.name, drawn.n_units, seed,
            np.full(len(names), np.nan),
        )  # fmt: skip
        _check_failed(found, draws)
        return found

    def _drawn(self, design: Design, cluster: Any) -> tuple[Drawn, float]:
        """What is drawn, and degrees of freedom of t."""
        n = design.n_rows
        counts = design.weights if self.model.counted else None
        if cluster is not None:
            labels = self.row_labels(cluster, "cluster")
            if labels.count < 2:
                raise DataError(f"resampling by `{labels.name}` needs at least 2 clusters; the rows used have one.")
            return Drawn(torch.as_tensor(labels.codes), counts, n, labels.count, labels.name), labels.count - 1.0
        rows = torch.arange(n)
        units = rows if counts is None else rows.repeat_interleave(counts.long())
        return Drawn(units, None, n, len(units), "rows"), self.df_resid

    def _again(self, design: Design) -> Callable[[Tensor], NetworkResampling]:
        """How to fit again to rows that count several times."""
        device = torch.device(self.call.device)
        design = design.to(device)
        objective, held_out = self.machine.loss(design, self.family), self._held_out(device)
        early = self.search.method.patience is not None
        best = int(np.nanargmin(self.starts["loss"].to_numpy()))
        seed = self.search.seeds(self.network.starts)[best]
        begin = self.machine.function.start(seed, best == 0) if early else self.theta
        weights = None if self.model.counted else design.weights

        def again(times: Tensor) -> NetworkResampling:
            kept = times.nonzero()[:, 0].to(device)
            own = times.to(device) if weights is None else times.to(device) * weights
            drawn = replace(objective.permuted(kept), weights=own[kept] / own[kept].mean())
            theta = self.search.again(drawn, begin.to(device), seed, held_out)
            return replace(self, coefficients=theta.cpu().numpy())

        return again

    def _held_out(self, device: torch.device) -> NetworkLoss | None:
        """The rows that were held out, which no draw has."""
        if self.training is None:
            return None
        design = self._own("bootstrap")
        left = np.setdiff1d(np.arange(design.n_rows), self.training)
        return self.machine.loss(design.taken(torch.as_tensor(left)).to(device), self.family)


def _average_effects(fit: NetworkMargins) -> pd.Series:
    effects = fit.shown_effects().effects
    return pd.Series(effects.margeff, index=effects.names)


def _of_draw(
    function: Callable[[NetworkResampling], pd.Series],
    again: Callable[[Tensor], NetworkResampling],
    times: Tensor,
    size: int,
) -> np.ndarray:
    """The function of a fit to one draw, shape (m,); NaN where that cannot be fitted."""
    try:
        fit = again(times)
    except DataError:
        return np.full(size, np.nan)
    with warnings.catch_warnings():
        # Errors of draws are of no interest.
        warnings.simplefilter("ignore", InferenceWarning)
        return function(fit).to_numpy(dtype=np.float64)


def _check_failed(found: EffectResamples, draws: int) -> None:
    """Raise or warn where draws were lost."""
    if found.failed > MOST_FAILED * draws:
        raise DataError(
            f"{found.failed} of {draws} draws cannot be fitted, as the descent diverges; the others would not be a "
            "sample. Take a smaller lr=, or leave solver= out."
        )
    if found.failed:
        warnings.warn(
            f"{found.failed} of {draws} draws cannot be fitted, and are left out.", InferenceWarning, stacklevel=3
        )
