"""statsmodels' ``cov_type`` and ``cov_kwds`` as estimators, with its defaults."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from formula_torch.errors import DataError, check_known
from formula_torch.formula.sample import Sample
from formula_torch.inference.clustered import Cluster
from formula_torch.inference.covariance import HC0, HC1, HC2, HC3, IID
from formula_torch.inference.moments import Covariance, Estimator, Moments
from formula_torch.inference.serial import KERNELS, DriscollKraay, NeweyWest, PanelHAC
from formula_torch.inference.vcov import estimate

__all__ = ["COV_TYPES", "LIKELIHOOD_COV_TYPES", "Kind", "Labelled", "cov_estimate"]

Options = Mapping[str, Any]
HELP = "statsmodels computes it: result.to_statsmodels().get_robustcov_results({!r}, ...)"


@dataclass(frozen=True, eq=False)
class Labelled:
    """The rows that group and time labels are to be aligned with.

    Parameters
    ----------
    sample : Sample
    index : pandas Index or None
        Labels of all rows of the data.
    """

    sample: Sample
    index: pd.Index | None

    def columns(self, given: Any, what: str) -> list[pd.Series]:
        """Read labels of one or several ways, each as codes over all rows of the data.

        Parameters
        ----------
        given : Series, DataFrame, array of shape (n,) or (n, ways), or list of these
            Of all rows of the data, or of the rows used; what has an index is aligned by it.

        Raises
        ------
        DataError
            Neither length fits.
        """
        if np.ndim(given) == 0:
            raise DataError(f"{what} must be labels, one for each row, such as data['{given}']; it is {given!r}.")
        return [self._codes(column, what) for column in _columns(given)]

    def _codes(self, column: Any, what: str) -> pd.Series:
        values = self._of_used_rows(column, what)
        codes = pd.factorize(values, sort=True)[0].astype(np.float64)
        full = np.full(self.sample.n_total, np.nan)
        full[self.sample.used] = np.where(codes < 0, np.nan, codes)
        return pd.Series(full, index=self.index, name=getattr(column, "name", None))

    def _of_used_rows(self, column: Any, what: str) -> Any:
        sample = self.sample
        if isinstance(column, pd.Series) and self.index is not None and sample.index is not None:
            same_length = len(column) in (sample.n_total, sample.n_rows)
            known = column.index.is_unique and sample.index.isin(column.index).all()
            if known and not same_length:
                return column.reindex(sample.index)
            if not column.index.equals(self.index) and not column.index.equals(sample.index):
                raise DataError(f"{what}: the Series' index is not that of the data; reindex it, or pass its values.")
        if len(column) == sample.n_total:
            return column[sample.used]
        if len(column) != sample.n_rows:
            raise DataError(
                f"{what} has {len(column)} labels; the data have {sample.n_total} rows, of which {sample.n_rows} are "
                "used."
            )
        return column


def _columns(given: Any) -> list[Any]:
    if isinstance(given, pd.DataFrame):
        return [given[name] for name in given.columns]
    if isinstance(given, pd.Series):
        return [given]
    if isinstance(given, (list, tuple)) and all(np.ndim(part) for part in given):
        return list(given)
    array = np.squeeze(np.asarray(given))
    return [array] if array.ndim < 2 else list(array.T)


@dataclass(frozen=True, eq=False)
class _WithFreedom:
    """An estimator with other degrees of freedom.

    Parameters
    ----------
    estimator : Estimator
    clusters : float
        Clusters that tests count; infinite for n - k degrees of freedom.
    """

    estimator: Estimator
    clusters: float
    columns = ()

    def __call__(self, moments: Moments) -> Covariance:
        """Estimate the covariance of the coefficients."""
        df = moments.df_resid if math.isinf(self.clusters) else self.clusters - 1
        return replace(self.estimator(moments), df=df)


# `use_correction` of the panel estimators, and what our estimators call it.
CORRECTIONS: dict[bool | str, bool | str] = {False: False, "hac": True, "cluster": "clusters"}


def _cluster(options: Options, rows: Labelled, kind: str = "CRV1", centre: str = "estimate") -> Estimator:
    groups = rows.columns(options["groups"], "groups")
    if kind == "CRV3" and len(groups) > 1:
        raise ValueError("cov_type='cluster-crv3' and 'cluster-jk' take one way of groups.")
    adjust, corrected = options.get("use_correction", True), options.get("df_correction") is not False
    df = "clusters" if corrected else "residual"
    return Cluster(*groups, kind=kind, adjust=bool(adjust), centre=centre, df=df)


def _hac(options: Options, rows: Labelled) -> Estimator:  # noqa: ARG001 - a builder like the others
    return NeweyWest(options.get("maxlags"), bool(options.get("use_correction", False)), kernel=_kernel(options))


def _hac_panel(options: Options, rows: Labelled) -> Estimator:
    groups, time = options.get("groups"), options.get("time")
    unit: Any
    if groups is not None:
        unit = rows.columns(groups, "groups")[0]
    elif time is not None:
        unit = _falls(rows.columns(time, "time")[0].to_numpy())
    else:
        raise ValueError("cov_type='hac-panel' needs cov_kwds with groups, or with time.")
    made = PanelHAC(unit, lags=options["maxlags"], adjust=_adjust(options, "hac"), kernel=_kernel(options))
    return _WithFreedom(made, math.inf) if options.get("df_correction") is False else made


def _hac_groupsum(options: Options, rows: Labelled) -> Estimator:
    time = rows.columns(options["time"], "time")[0]
    made = DriscollKraay(time, lags=options["maxlags"], adjust=_adjust(options, "cluster"), kernel=_kernel(options))
    if options.get("df_correction") is False:
        return _WithFreedom(made, math.inf)
    # statsmodels counts the stacked series, not the periods; where rows are sorted by time it has none to count.
    series = float(np.nanmax(_falls(time.to_numpy()))) + 1
    return _WithFreedom(made, series) if series > 1 else made


def _adjust(options: Options, default: str) -> bool | str:
    chosen = options.get("use_correction", default)
    check_known("use_correction", chosen, CORRECTIONS)
    return CORRECTIONS[chosen]


def _falls(time: np.ndarray) -> np.ndarray:
    """Number the stacked series by where time falls back, shape (n,)."""
    known = ~np.isnan(time)
    series = np.full(len(time), np.nan)
    series[known] = np.cumsum(np.diff(time[known], prepend=-np.inf) < 0)
    return series


def _kernel(options: Options) -> str:
    kernel = options.get("kernel", options.get("weights_func", "bartlett"))
    if callable(kernel):
        raise NotImplementedError(f"a kernel is one of {', '.join(KERNELS)}, by name; {HELP.format('HAC')}.")
    return str(kernel)


@dataclass(frozen=True)
class Kind:
    """What a ``cov_type`` needs, and what it takes besides ``scaling_factor``."""

    build: Callable[[Options, Labelled], Estimator]
    needs: tuple[str, ...] = ()
    takes: tuple[str, ...] = ()


def _plain(made: Callable[[], Estimator]) -> Kind:
    return Kind(lambda options, rows: made())  # noqa: ARG005


_PANEL = ("kernel", "weights_func", "use_correction", "df_correction")
COV_TYPES: dict[str, Kind] = {
    "nonrobust": _plain(IID),
    "HC0": _plain(HC0),
    "HC1": _plain(HC1),
    "HC2": _plain(HC2),
    "HC3": _plain(HC3),
    "HAC": Kind(_hac, (), ("maxlags", "kernel", "weights_func", "use_correction")),
    "cluster": Kind(_cluster, ("groups",), ("use_correction", "df_correction")),
    "cluster-crv3": Kind(partial(_cluster, kind="CRV3"), ("groups",), ("use_correction", "df_correction")),
    "cluster-jk": Kind(partial(_cluster, kind="CRV3", centre="mean"), ("groups",), ("use_correction", "df_correction")),
    "hac-panel": Kind(_hac_panel, ("maxlags",), ("groups", "time", *_PANEL)),
    "hac-groupsum": Kind(_hac_groupsum, ("time", "maxlags"), _PANEL),
}
# In models of a likelihood statsmodels' HC0 to HC3 are one, without a small-sample factor, and there is no jackknife.
LIKELIHOOD_COV_TYPES = {
    name: kind for name, kind in COV_TYPES.items() if name not in ("cluster-crv3", "cluster-jk")
} | {name: _plain(HC0) for name in ("HC1", "HC2", "HC3")}
ALIASES = {"nw-panel": "hac-panel", "nw-groupsum": "hac-groupsum"}
ELSEWHERE = ("fixed scale", "fixed_scale")


def cov_estimate(
    cov_type: str,
    options: Options,
    use_t: bool,
    rows: Labelled,
    moments: Moments,
    kinds: Mapping[str, Kind] = COV_TYPES,
) -> Covariance:
    """Estimate a covariance under statsmodels' name for it.

    Parameters
    ----------
    cov_type : str
    options : mapping
        statsmodels' ``cov_kwds``.
    use_t : bool
    rows : Labelled
    moments : Moments
    kinds : mapping
        The names that the model has.

    Raises
    ------
    ValueError
        The name or a keyword is not known, or one is missing.
    NotImplementedError
        statsmodels has it, and we do not.
    """
    kind = kinds[_known(cov_type, kinds)]
    factor = options.get("scaling_factor")
    for option in options:
        if option not in (*kind.needs, *kind.takes, "scaling_factor"):
            takes = ", ".join((*kind.needs, *kind.takes)) or "no keywords"
            raise ValueError(f"cov_type={cov_type!r} does not take {option!r}; it takes {takes}.")
    for option in kind.needs:
        if options.get(option) is None:
            raise ValueError(f"cov_type={cov_type!r} needs {option}: cov_kwds={{{option!r}: ...}}.")
    made = estimate(kind.build(options, rows), moments, use_t)
    matrix = made.matrix if factor is None else made.matrix * factor
    return replace(made, matrix=matrix, label=ALIASES.get(cov_type, cov_type))


def _known(cov_type: str, kinds: Mapping[str, Kind]) -> str:
    spelled = {name.lower(): name for name in kinds}
    name = spelled.get(ALIASES.get(cov_type, cov_type).lower())
    if cov_type in ELSEWHERE:
        raise NotImplementedError(f"cov_type={cov_type!r} is not built yet; {HELP.format(cov_type)}.")
    if name is None:
        raise ValueError(f"cov_type={cov_type!r} is not known; use one of {', '.join(map(repr, kinds))}.")
    return name
