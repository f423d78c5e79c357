"""Covariances of errors that are dependent over time: kernels over lagged products of scores."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from formula_torch.errors import DataError, check_known
from formula_torch.inference.moments import Covariance, Labels, Moments, Scores
from formula_torch.inference.small_sample import SERIES_FACTORS

__all__ = ["KERNELS", "DriscollKraay", "NeweyWest", "PanelHAC"]


def _bartlett(lags: int) -> np.ndarray:
    return 1 - np.arange(lags + 1) / (lags + 1)


def _parzen(lags: int) -> np.ndarray:
    u = np.arange(lags + 1) / (lags + 1)
    return np.where(u <= 0.5, 1 - 6 * u**2 + 6 * u**3, 2 * (1 - u) ** 3)


# From the number of lags to the weights of lags 0, 1, ..., lags.
KERNELS: dict[str, Callable[[int], np.ndarray]] = {
    "bartlett": _bartlett,
    "parzen": _parzen,
    "uniform": lambda lags: np.ones(lags + 1),
}


STEPS = ("period", "row")


def _check(lags: int | None, kernel: str, adjust: bool | str, known: Iterable[bool | str] = (False, True)) -> None:
    check_known("adjust", adjust, known)
    check_known("kernel", kernel, KERNELS)
    if lags is not None and (isinstance(lags, bool) or lags != int(lags) or lags < 0):
        raise ValueError(f"lags={lags!r} must be a whole number, 0 or more.")


def _chosen(lags: int | None, periods: int) -> int:
    """Newey and West's rule of thumb, floor(4 (T / 100)^(2/9)), unless lags are given."""
    chosen = math.floor(4 * (periods / 100) ** (2 / 9)) if lags is None else int(lags)
    if chosen >= periods:
        raise DataError(f"lags={chosen} is too many for {periods} periods.")
    return chosen


def _kernel_sum(scores: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Gamma_0 + sum_l w_l (Gamma_l + Gamma_l'), Gamma_l = sum_t s_t s_{t-l}', shape (rank, rank).

    Parameters
    ----------
    scores : array, shape (T, rank)
        In order of time.
    weights : array, shape (lags + 1,)
    """
    total = scores.T @ scores
    for lag in range(1, len(weights)):
        gamma = scores[lag:].T @ scores[:-lag]
        total = total + weights[lag] * (gamma + gamma.T)
    return total


def _panel_sum(scores: np.ndarray, unit: np.ndarray, period: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Do the same within units, whose rows may leave out periods.

    Parameters
    ----------
    scores : array, shape (n, rank)
    unit, period : int array, shape (n,)
        Sorted by unit, then by period.
    weights : array, shape (lags + 1,)
    """
    place = unit * (int(period.max()) + len(weights)) + period
    total = scores.T @ scores
    for lag in range(1, len(weights)):
        earlier = np.searchsorted(place, place - lag)
        later = np.flatnonzero(place[np.minimum(earlier, len(place) - 1)] == place - lag)
        gamma = scores[later].T @ scores[earlier[later]]
        total = total + weights[lag] * (gamma + gamma.T)
    return total


def _refuse_repeated(codes: np.ndarray, message: str) -> None:
    values, counts = np.unique(codes, return_counts=True)
    if (counts > 1).any():
        raise DataError(message.format(int((counts > 1).sum()), len(values)))


def _refuse_counts(scores: Scores, time: Labels) -> None:
    """Raise where rows stand for several, which then share a time."""
    if len(scores.repeated(time.codes)) > len(time.codes):
        raise DataError(f"frequency weights repeat rows, and `{time.name}` gives each copy the same time.")


def _covariance(
    moments: Moments, meat: np.ndarray, how: NeweyWest | PanelHAC | DriscollKraay, lags: int, groups: float, df: float
) -> Covariance:
    factor = SERIES_FACTORS[how.adjust]
    note = (
        f"Standard Errors are heteroscedasticity and autocorrelation robust ({how.title}) using {lags} {how.counted} "
        f"({how.kernel} kernel, no prewhitening) and {factor.text}."
    )
    size = factor.value(moments.n_obs, moments.n_params, groups)
    return Covariance(size * moments.sandwich(meat), df, how.label, note)


@dataclass(frozen=True)
class NeweyWest:
    """A single series with heteroskedastic, autocorrelated errors (Newey and West 1987, Econometrica 55:703-708).

    Parameters
    ----------
    lags : int, optional
        By default floor(4 (n / 100)^(2/9)).
    adjust : bool
        Multiply by n / (n - k), as Stata.
    time : str or array of shape (n,), optional
        Gives the order of the rows; by default they are in order.
    kernel : {"bartlett", "parzen", "uniform"}
    """

    lags: int | None = None
    adjust: bool = False
    time: Any = None
    kernel: str = "bartlett"
    title = "HAC"
    label = "HAC"
    counted = "lags"

    def __post_init__(self) -> None:
        _check(self.lags, self.kernel, self.adjust)

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns of the data that it reads."""
        return (self.time,) if isinstance(self.time, str) else ()

    def __call__(self, moments: Moments) -> Covariance:
        """Estimate the covariance of the coefficients.

        Raises
        ------
        DataError
            Several rows share a time, or there are too many lags.
        """
        scores = moments.scores()
        series = scores.dense()
        if self.time is not None:
            time = moments.labels(self.time, "time")
            _refuse_counts(scores, time)
            _refuse_repeated(
                time.codes,
                f"{{}} of {{}} values of `{time.name}` have several rows; NeweyWest is for a single series, see "
                "PanelHAC and DriscollKraay.",
            )
            series = series[np.argsort(scores.repeated(time.codes), kind="stable")]
        lags = _chosen(self.lags, len(series))
        meat = _kernel_sum(series, KERNELS[self.kernel](lags))
        return _covariance(moments, meat, self, lags, len(series), moments.df_resid)


@dataclass(frozen=True)
class PanelHAC:
    """Series of several units, autocorrelated within each and independent between them.

    Parameters
    ----------
    unit : str or array of shape (n,)
    time : str or array of shape (n,), optional
        Gives the order of a unit's rows; by default they are in order.
    lags : int, optional
        By default floor(4 (T / 100)^(2/9)), T the longest series.
    adjust : {False, True, "clusters"}
        True: multiply by n / (n - k). "clusters": by G / (G - 1) (n - 1) / (n - k), G the number of units.
    kernel : {"bartlett", "parzen", "uniform"}
    step : {"period", "row"}
        What a lag counts where a unit's series has gaps: distinct values of `time` (as sandwich), or
        successive rows of the unit (as statsmodels and fixest; all there is without `time`).
    """

    unit: Any
    time: Any = None
    lags: int | None = None
    adjust: bool | str = False
    kernel: str = "bartlett"
    step: str = "period"
    title = "HAC-Panel"
    label = "hac-panel"

    def __post_init__(self) -> None:
        _check(self.lags, self.kernel, self.adjust, SERIES_FACTORS)
        check_known("step", self.step, STEPS)

    @property
    def counted(self) -> str:
        """What the lags count, for the note."""
        return "lags" if self.time is None else f"lags of a {self.step}"

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns of the data that it reads."""
        return tuple(c for c in (self.unit, self.time) if isinstance(c, str))

    def __call__(self, moments: Moments) -> Covariance:
        """Estimate the covariance of the coefficients.

        Raises
        ------
        DataError
            A unit has several rows of one time, or there are too many lags.
        """
        scores, unit = moments.scores(), moments.labels(self.unit, "unit")
        time = None if self.time is None else moments.labels(self.time, "time")
        if time is not None:
            _refuse_counts(scores, time)
            _refuse_repeated(
                unit.codes * time.count + time.codes,
                f"{{}} of {{}} combinations of `{unit.name}` and `{time.name}` have several rows.",
            )
        codes = scores.repeated(unit.codes)
        place = np.arange(len(codes)) if time is None else scores.repeated(time.codes)
        order = np.lexsort((place, codes))
        codes = codes[order]
        # Rows of a unit one after the other, or in their periods.
        row = np.arange(len(codes)) - np.searchsorted(codes, codes)
        period = row if time is None or self.step == "row" else place[order]
        lags = _chosen(self.lags, int(period.max()) + 1)
        meat = _panel_sum(scores.dense()[order], codes, period, KERNELS[self.kernel](lags))
        # A single unit is a single series.
        df = unit.count - 1.0 if unit.count > 1 else moments.df_resid
        return _covariance(moments, meat, self, lags, unit.count, df)


@dataclass(frozen=True)
class DriscollKraay:
    """Errors correlated between units and over time: scores summed by time, then a kernel over time.

    Driscoll and Kraay (1998, Rev. Econ. Stat. 80:549-560).

    Parameters
    ----------
    time : str or array of shape (n,)
    lags : int, optional
        By default floor(4 (T / 100)^(2/9)).
    adjust : {False, True, "clusters"}
        True: multiply by n / (n - k). "clusters": by G / (G - 1) (n - 1) / (n - k), G the number of periods.
    kernel : {"bartlett", "parzen", "uniform"}
    """

    time: Any
    lags: int | None = None
    adjust: bool | str = False
    kernel: str = "bartlett"
    title = "HAC-Groupsum, Driscoll-Kraay"
    label = "hac-groupsum"
    counted = "lags"

    def __post_init__(self) -> None:
        _check(self.lags, self.kernel, self.adjust, SERIES_FACTORS)

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns of the data that it reads."""
        return (self.time,) if isinstance(self.time, str) else ()

    def __call__(self, moments: Moments) -> Covariance:
        """Estimate the covariance of the coefficients.

        Raises
        ------
        DataError
            There is a single time, or there are too many lags.
        """
        time: Labels = moments.labels(self.time, "time")
        if time.count < 2:
            raise DataError(f"`{time.name}` has a single value; Driscoll-Kraay errors need a series.")
        lags = _chosen(self.lags, time.count)
        sums = moments.scores().by(time.codes, time.count)
        meat = _kernel_sum(sums, KERNELS[self.kernel](lags))
        return _covariance(moments, meat, self, lags, time.count, time.count - 1.0)
