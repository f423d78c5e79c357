"""Numbers as a regression table prints them."""

from __future__ import annotations

import math

from formula_torch.errors import check_known

__all__ = ["count", "decimals", "mark", "significant"]


def decimals(x: float, places: int = 3) -> str:
    """Fixed decimals, as statsmodels; significant digits where these would hide the number."""
    if not math.isfinite(x):
        return str(x)
    if x != 0 and (abs(x) >= 1e4 or abs(x) < 10.0**-places):
        return f"{x:.{places}g}"
    return f"{x:.{places}f}"


def significant(x: float) -> str:
    """Four significant digits."""
    return f"{x:.4g}"


def count(x: float) -> str:
    """Whole numbers without decimals."""
    return str(int(x)) if float(x).is_integer() else f"{x:.2f}"


def _stars(p: float) -> str:
    return "***" if p < 0.001 else "**" if p < 0.01 else "*" if p < 0.05 else ""


def _emoji(p: float) -> str:
    # No verdict where there is no p-value.
    return "" if math.isnan(p) else "\N{FLEXED BICEPS}" if p < 0.05 else "\N{SHRUG}"


MARKS = {"stars": _stars, "emoji": _emoji}


def mark(p: float, style: str | None) -> str:
    """Mark a p-value.

    Raises
    ------
    ValueError
        Unknown style.
    """
    if style is None:
        return ""
    check_known("stars", style, MARKS)
    return MARKS[style](p)
