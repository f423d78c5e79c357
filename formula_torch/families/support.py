"""What is wrong with a response, or strange: sentences that continue its name, empty where there is nothing to say."""

from __future__ import annotations

from torch import Tensor

__all__ = ["doubt_counts", "no_doubt", "refuse_negative", "refuse_not_positive", "refuse_outside_shares", "rows_of"]


def rows_of(y: Tensor, bad: Tensor) -> str:
    """How many rows are meant, and the first value."""
    return f"{int(bad.sum())} rows (first: {float(y[bad][0]):g})"


def no_doubt(y: Tensor) -> str:  # noqa: ARG001 - one signature
    """Say nothing of the response."""
    return ""


def refuse_negative(y: Tensor) -> str:
    """Negative numbers are no counts."""
    bad = y < 0
    return f"is negative in {rows_of(y, bad)}; counts are needed." if bad.any() else ""


def refuse_not_positive(y: Tensor) -> str:
    """A family of positive numbers has no zeros."""
    bad = y <= 0
    return f"is zero or negative in {rows_of(y, bad)}; this family is of positive numbers." if bad.any() else ""


def refuse_outside_shares(y: Tensor) -> str:
    """A share of successes lies from 0 to 1."""
    bad = (y < 0) | (y > 1)
    if not bad.any():
        return ""
    return (
        f"lies outside 0 to 1 in {rows_of(y, bad)}; a binomial response is 0 or 1, or a proportion with the trials as "
        "weights=."
    )


def doubt_counts(y: Tensor) -> str:
    """Fractions are no counts, but have a quasi-likelihood."""
    bad = y != y.round()
    if not bad.any():
        return ""
    return (
        f"is not a whole number in {rows_of(y, bad)}; of counts this is a quasi-likelihood (of rates, see exposure=)."
    )
