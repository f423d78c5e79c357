"""The covariance estimators in one place, and the spellings under which ``fit`` knows them."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from formula_torch.errors import InferenceWarning
from formula_torch.inference.clustered import Cluster
from formula_torch.inference.covariance import HC0, HC1, HC2, HC3, HC4, HC5, IID, OPG, Given, HC4m
from formula_torch.inference.moments import Covariance, Estimator, Moments, blanked
from formula_torch.inference.serial import DriscollKraay, NeweyWest, PanelHAC

__all__ = [
    "COVARIANCES",
    "HC0",
    "HC1",
    "HC2",
    "HC3",
    "HC4",
    "HC5",
    "IID",
    "OPG",
    "PARAMETRISED",
    "Cluster",
    "DriscollKraay",
    "Given",
    "HC4m",
    "NeweyWest",
    "PanelHAC",
    "estimate",
    "resolve_vcov",
]

# A robust error this small beside the classical one is what rounding leaves of zero.
NOISE = 1e-10

COVARIANCES: dict[str, Callable[[], Estimator]] = {
    "iid": IID,
    "HC0": HC0,
    "HC1": HC1,
    "HC2": HC2,
    "HC3": HC3,
    "HC4": HC4,
    "HC4m": HC4m,
    "HC5": HC5,
    "OPG": OPG,
    "robust": HC1,
}
_LOWER = {name.lower(): made for name, made in COVARIANCES.items()}


def _cluster(by: Any, kind: str = "CRV1") -> Cluster:
    # A list names columns or holds arrays, one a way; a list of plain labels is one way.
    several = isinstance(by, (list, tuple)) and all(isinstance(b, str) or np.ndim(b) for b in by)
    return Cluster(*by, kind=kind) if several else Cluster(by, kind=kind)


# Spelled {"cluster": "state"}: the key to what makes an estimator of the value.
PARAMETRISED: dict[str, Callable[[Any], Estimator]] = {
    "cluster": _cluster,
    "CRV1": _cluster,
    "CRV3": lambda by: _cluster(by, "CRV3"),
    "HAC": NeweyWest,
}


def resolve_vcov(given: Any, robust: Estimator | None = None) -> Estimator:
    """Read a covariance: a spelling, ``{"cluster": "state"}``, an estimator, or a matrix.

    Parameters
    ----------
    given : str, dict, estimator or array
    robust : Estimator, optional
        What ``"robust"`` means for the model; by default HC1.

    Raises
    ------
    ValueError
        Not known; the known ones are listed.

    Examples
    --------
    >>> resolve_vcov({"cluster": ["state", "year"]}).by
    ('state', 'year')
    """
    if isinstance(given, (np.ndarray, pd.DataFrame)):
        return Given(np.asarray(given))
    if robust is not None and isinstance(given, str) and given.lower() == "robust":
        return robust
    if isinstance(given, str) and given.lower() in _LOWER:
        return _LOWER[given.lower()]()
    if any(given is made for made in COVARIANCES.values()):
        return given()
    if isinstance(given, Mapping) and len(given) == 1:
        ((key, value),) = given.items()
        if key in PARAMETRISED:
            return PARAMETRISED[key](value)
    if callable(given) and not isinstance(given, type) and hasattr(given, "columns"):
        return given
    known = [*map(repr, COVARIANCES), *(f"{{{key!r}: ...}}" for key in PARAMETRISED)]
    raise ValueError(f"vcov={given!r} is not known; use {', '.join(known)}, or a value of ft.vcov.")


def estimate(estimator: Estimator, moments: Moments, use_t: bool | None = None) -> Covariance:
    """Apply an estimator; without degrees of freedom every error is NaN.

    Parameters
    ----------
    estimator : Estimator
    moments : Moments
    use_t : bool, optional
        Student's t or the normal; by default what the estimator prescribes.
    """
    if moments.df_resid <= 0:
        nothing = np.full_like(moments.bread, np.nan)
        return replace(IID()(moments), matrix=nothing, df=math.nan)
    covariance = _with_core(estimator, moments) if moments.cores else estimator(moments)
    if not covariance.classical:
        covariance = replace(covariance, matrix=_without_noise(covariance.matrix, moments))
    if use_t is None or use_t == np.isfinite(covariance.df):
        return covariance
    if not use_t:
        return covariance.normal()
    return replace(covariance, df=moments.df_resid if moments.df_denom is None else moments.df_denom)


def _with_core(estimator: Estimator, moments: Moments) -> Covariance:
    """Estimate in the orthonormal coordinates, and carry the covariance to the coefficients."""
    if isinstance(estimator, Given):
        return estimator(moments)
    within = estimator(moments.within())
    matrix = moments.lift @ within.matrix @ moments.lift.T
    return replace(within, matrix=blanked(matrix, np.isnan(np.diag(moments.bread))), core=within.matrix)


def _without_noise(matrix: np.ndarray, moments: Moments) -> np.ndarray:
    """Put NaN where a variance is zero but for rounding: where scores cancel, an error cannot be estimated."""
    variances = np.diag(matrix)
    classical = moments.scale * np.diag(moments.bread)
    noise = (variances >= 0) & (variances <= NOISE**2 * classical) & (classical > 0)
    if not noise.any():
        return matrix
    warnings.warn(
        f"the scores of {int(noise.sum())} coefficients cancel, and their errors are NaN; this happens where clusters "
        "or periods are themselves a factor of the model, and where single rows determine a coefficient.",
        InferenceWarning,
        stacklevel=4,
    )
    matrix = matrix.copy()
    matrix[noise], matrix[:, noise] = np.nan, np.nan
    return matrix
