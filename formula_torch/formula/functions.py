"""What a formula may call, and nothing else: the whitelist.

Each entry says how its arguments arrive: as numbers (`ELEMENTWISE`), or as they
are (`SPECIAL`), with a state to learn into where the name is in `STATEFUL`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from typing import Any

import numpy as np

from formula_torch.formula.contrasts import CONTRASTS
from formula_torch.formula.polynomials import poly
from formula_torch.formula.splines import bs, cc, cr, ns
from formula_torch.formula.transforms import C, center, cut, factor, ifelse, is_na, relevel, scale, standardize

__all__ = ["COLUMNWISE", "ELEMENTWISE", "KNOWN", "LAGS", "REDUCTIONS", "SPECIAL", "STATEFUL"]


def _log(x: Any, base: float | None = None) -> Any:
    return np.log(x) if base is None else np.log(x) / np.log(base)


def _round(x: Any, digits: int = 0) -> Any:
    return np.round(x, int(digits))


def _smallest(*xs: Any) -> Any:
    return reduce(np.minimum, xs)


def _largest(*xs: Any) -> Any:
    return reduce(np.maximum, xs)


_SAME_NAME = """
    abs arccos arcsin arctan cbrt ceil clip cos cosh exp exp2 expm1 floor log10 log1p log2 maximum minimum
    power reciprocal sign sin sinh sqrt square tan tanh trunc
""".split()

ELEMENTWISE: dict[str, Callable[..., Any]] = {
    **{name: getattr(np, name) for name in _SAME_NAME},
    **{f"np.{name}": getattr(np, name) for name in _SAME_NAME},
    "log": _log,
    "np.log": np.log,
    "np.absolute": np.abs,
    "np.round": _round,
    "round": _round,
    "ceiling": np.ceil,
    "asin": np.arcsin,
    "acos": np.arccos,
    "atan": np.arctan,
    "pmin": _smallest,
    "pmax": _largest,
    "as_numeric": lambda x: x,
    "as_integer": np.trunc,
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
}

# Those of them that take a basis of several columns, such as poly(x, 2).
COLUMNWISE = {"scale", "center", "standardize"}

SPECIAL: dict[str, Callable[..., Any]] = {
    "I": lambda x: x,
    "C": C,
    "factor": factor,
    "as_factor": factor,
    "relevel": relevel,
    "ifelse": ifelse,
    "np.where": ifelse,
    "c": lambda *values: list(values),
    "is_na": is_na,
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
