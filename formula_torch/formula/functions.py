"""What a formula may call, and nothing else: the whitelist.

Each entry says how its arguments arrive: as numbers (`ELEMENTWISE`), or as they
are (`SPECIAL`), with a state to learn into where the name is in `STATEFUL`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from typing import Any

import numpy as np

from formula_torch.formula.conditions import conjunction, disjunction, negation
from formula_torch.formula.contrasts import CONTRASTS
from formula_torch.formula.polynomials import poly
from formula_torch.formula.splines import bs, cc, cr, ns
from formula_torch.formula.transforms import (
    C,
    as_character,
    cbind,
    center,
    cut,
    factor,
    ifelse,
    interaction,
    is_na,
    relevel,
    scale,
    standardize,
)

__all__ = ["CATEGORICAL", "COLUMNWISE", "ELEMENTWISE", "KNOWN", "LAGS", "REDUCTIONS", "SPECIAL", "STATEFUL"]


def _fixed(ufunc: np.ufunc) -> Callable[..., Any]:
    """Admit a ufunc's inputs only: its further arguments (out, where, dtype) would write into columns."""

    def call(*args: Any) -> Any:
        if len(args) != ufunc.nin:
            raise TypeError(f"it takes {ufunc.nin} of them, not {len(args)}")
        return ufunc(*args)

    return call


def _log(x: Any, base: float | None = None) -> Any:
    return np.log(x) if base is None else np.log(x) / np.log(base)


def _round(x: Any, digits: float = 0, decimals: float | None = None) -> Any:
    return np.round(x, int(max(min(digits if decimals is None else decimals, 300), -300)))


def _clip(x: Any, low: float, high: float) -> Any:
    return np.clip(x, low, high)


def _smallest(*xs: Any) -> Any:
    return reduce(np.minimum, xs)


def _largest(*xs: Any) -> Any:
    return reduce(np.maximum, xs)


_UFUNCS = """
    abs arccos arcsin arctan arctan2 cbrt ceil cos cosh exp exp2 expm1 floor hypot log10 log1p log2 maximum
    minimum power reciprocal sign sin sinh sqrt square tan tanh trunc
""".split()

ELEMENTWISE: dict[str, Callable[..., Any]] = {
    **{name: _fixed(getattr(np, name)) for name in _UFUNCS},
    **{f"np.{name}": _fixed(getattr(np, name)) for name in _UFUNCS},
    "log": _log,
    "np.log": _fixed(np.log),
    "np.absolute": _fixed(np.abs),
    "np.round": _round,
    "round": _round,
    "np.clip": _clip,
    "clip": _clip,
    "ceiling": _fixed(np.ceil),
    "asin": _fixed(np.arcsin),
    "acos": _fixed(np.arccos),
    "atan": _fixed(np.arctan),
    "pmin": _smallest,
    "pmax": _largest,
    "as_numeric": lambda x: x,
    "as_integer": _fixed(np.trunc),
}

STATEFUL: dict[str, Callable[..., Any]] = {
    "poly": poly,
    "bs": bs,
    "ns": ns,
    "cr": cr,
    "cc": cc,
    "scale": scale,
    "center": center,
    "standardize": standardize,
    "cut": cut,
    "factor": factor,
    "as_factor": factor,
    "relevel": relevel,
}

# Those of them that take a basis of several columns, such as poly(x, 2).
COLUMNWISE = {"scale", "center", "standardize"}
# Those that take categories.
CATEGORICAL = {"factor", "as_factor", "relevel"}

SPECIAL: dict[str, Callable[..., Any]] = {
    "I": lambda x: x,
    "C": C,
    "ifelse": ifelse,
    "np.where": ifelse,
    "c": lambda *values: list(values),
    "is_na": is_na,
    "np.isnan": is_na,
    "as_character": as_character,
    "interaction": interaction,
    "cbind": cbind,
    "np.logical_and": conjunction,
    "np.logical_or": disjunction,
    "np.logical_not": negation,
    **CONTRASTS,
}

# Known to be wrong inside a term, each with the way out.
REDUCTIONS = {
    "mean",
    "sum",
    "min",
    "max",
    "std",
    "var",
    "median",
    "quantile",
    "sd",
    "rank",
    "cumsum",
    "diff",
    "len",
    "length",
}
LAGS = {"lag", "lead", "shift"}

KNOWN = (*ELEMENTWISE, *STATEFUL, *SPECIAL, "offset", "Q")
