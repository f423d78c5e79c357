"""``bs``, ``ns``, ``cr`` and ``cc``: spline bases whose knots are learned once.

B-splines and cubic regression splines are formulaic's; natural splines (R's
``ns``) are built on scipy's B-splines.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from formula_torch.errors import FormulaError
from formula_torch.formula.values import Basis

__all__ = ["bs", "cc", "cr", "ns"]

State = dict[str, Any]


def bs(
    x: np.ndarray,
    df: int | None = None,
    knots: Iterable[float] | None = None,
    degree: int = 3,
    include_intercept: bool = False,
    lower_bound: float | None = None,
    upper_bound: float | None = None,
    extrapolation: str = "raise",
    *,
    intercept: bool | None = None,
    Boundary_knots: Sequence[float] | None = None,  # noqa: N803 - R's Boundary.knots
    state: State,
) -> Basis:
    """B-spline basis, as R's ``bs`` and patsy's; beyond the knots an error unless `extrapolation` is given."""
    from formulaic.transforms.basis_spline import basis_spline

    if Boundary_knots is not None:
        lower_bound, upper_bound = Boundary_knots
    basis = _call(
        basis_spline,
        x,
        df=df,
        knots=None if knots is None else np.atleast_1d(np.asarray(knots)).tolist(),
        degree=degree,
        include_intercept=include_intercept if intercept is None else intercept,
        lower_bound=lower_bound,
        upper_bound=upper_bound,
        extrapolation=extrapolation,
        _state=state,
    )
    return _numbered([basis[i] for i in sorted(basis)])


def cr(
    x: np.ndarray, df: int | None = None, knots: Iterable[float] | None = None, *, state: State, **options: Any
) -> Basis:
    """Natural cubic regression spline, as patsy's ``cr`` and mgcv's."""
    from formulaic.transforms.cubic_spline import natural_cubic_spline

    options.setdefault("extrapolation", "raise")
    basis = _call(natural_cubic_spline, x, df=df, knots=knots, _state=state, **options)
    return _numbered([basis[i] for i in sorted(k for k in basis if not isinstance(k, str))])


def cc(
    x: np.ndarray, df: int | None = None, knots: Iterable[float] | None = None, *, state: State, **options: Any
) -> Basis:
    """Cyclic cubic regression spline, as patsy's ``cc``."""
    from formulaic.transforms.cubic_spline import cyclic_cubic_spline

    options.setdefault("extrapolation", "raise")
    basis = _call(cyclic_cubic_spline, x, df=df, knots=knots, _state=state, **options)
    return _numbered([basis[i] for i in sorted(k for k in basis if not isinstance(k, str))])


def _call(spline: Any, x: np.ndarray, **options: Any) -> Any:
    _check_df(options["df"], len(x))
    try:
        basis = spline(x, **options)
    except (ValueError, TypeError) as error:
        if "extend beyond" in str(error):
            raise FormulaError(
                "values lie beyond the knots learned from the data; say what to do there with "
                "extrapolation='clip', 'na', 'zero' or 'extend'."
            ) from error
        raise FormulaError(f"a spline could not be built: {error}") from error
    return getattr(basis, "__wrapped__", basis)


def _check_df(df: float | None, rows: int) -> None:
    if df is not None and df > max(rows, 10):
        raise FormulaError(f"a spline with df={df} has more columns than the data have rows ({rows}).")


def _numbered(columns: list[np.ndarray]) -> Basis:
    arrays = tuple(np.ascontiguousarray(c, dtype=np.float64) for c in columns)
    return Basis(arrays, tuple(str(i) for i in range(len(arrays))))


def ns(
    x: np.ndarray,
    df: int | None = None,
    knots: Iterable[float] | None = None,
    intercept: bool = False,
    *,
    include_intercept: bool | None = None,
    state: State,
) -> Basis:
    """Natural cubic spline, as R's ``ns``: linear beyond the boundary knots.

    Cubic B-splines restricted to zero second derivative at both boundaries; the
    restriction is absorbed by the orthogonal complement of its two rows.
    """
    intercept = intercept if include_intercept is None else include_intercept
    if "knots" not in state:
        state.update(_ns_knots(x[~np.isnan(x)], df, knots, intercept))
    basis = _extended(x, state["knots"])
    restriction = _derivative(state["knots"], np.array(state["knots"])[[0, -1]], 2)
    if not intercept:
        basis, restriction = basis[:, 1:], restriction[:, 1:]
    q, _ = np.linalg.qr(restriction.T, mode="complete")
    return _numbered(list((basis @ q[:, 2:]).T))


def _ns_knots(x: np.ndarray, df: int | None, knots: Iterable[float] | None, intercept: bool) -> State:
    if len(np.unique(x)) < 2:
        raise FormulaError("ns needs at least two distinct values.")
    _check_df(df, len(x))
    if knots is None:
        inner = (1 if df is None else df) - 1 - int(intercept)
        if inner < 0:
            raise FormulaError(f"ns with df={df} is too small; use at least {1 + int(intercept)}.")
        knots = np.quantile(x, np.linspace(0, 1, inner + 2))[1:-1]
    low, high, inside = float(x.min()), float(x.max()), sorted(float(k) for k in np.atleast_1d(np.asarray(knots)))
    if inside and not low < inside[0] <= inside[-1] < high:
        raise FormulaError(f"the knots of ns must lie inside the range of the data, {low:g} to {high:g}.")
    return {"knots": [low, *inside, high]}


def _spline(knots: list[float]) -> Any:
    from scipy.interpolate import BSpline

    full = np.concatenate([[knots[0]] * 3, knots, [knots[-1]] * 3])
    return BSpline(full, np.eye(len(full) - 4), 3)


def _derivative(knots: list[float], at: np.ndarray, order: int) -> np.ndarray:
    return np.asarray(_spline(knots).derivative(order)(at))


def _extended(x: np.ndarray, knots: list[float]) -> np.ndarray:
    """B-splines inside the boundary, their tangents outside, shape (n, m)."""
    inside = np.clip(x, knots[0], knots[-1])
    basis = np.asarray(_spline(knots)(inside))
    outside = np.flatnonzero(x != inside)
    if outside.size:
        slope = _derivative(knots, inside[outside], 1)
        basis[outside] += slope * (x - inside)[outside, None]
    return basis
