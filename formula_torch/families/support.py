"""What is wrong with a response, or strange: sentences that continue its name, empty where there is nothing to say."""

from __future__ import annotations

from torch import Tensor

__all__ = [
    "doubt_counts",
    "doubt_successes",
    "no_doubt",
    "refuse_negative",
    "refuse_not_positive",
    "refuse_outside_shares",
    "rows_of",
]

# Counts of trials further from whole numbers than this are none, as in R.
WHOLE = 1e-3


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


def doubt_successes(share: Tensor, trials: Tensor | None) -> str:
    """Shares of trials are of whole numbers of successes and failures; without trials they are 0 or 1.

    Parameters
    ----------
    share : Tensor, shape (n,)
    trials : Tensor, shape (n,), or None
        One for each row where there are none.
    """
    if trials is None:
        bad = _broken(share)
        return (
            f"is neither 0 nor 1 in {rows_of(share, bad)}, and errors are those of one trial a row. Give the trials as "
            "weights=, or take family='quasibinomial' or 'beta'."
            if bad.any()
            else ""
        )
    successes = trials * share
    bad = _broken(successes) | _broken(trials)
    if not bad.any():
        return ""
    return (
        f"and its weights, the trials, give no whole numbers of successes and failures in {int(bad.sum())} rows "
        f"(first: {float(successes[bad][0]):g} of {float(trials[bad][0]):g}); this is a quasi-likelihood. Where "
        "weights are no trials take weights_type='sampling', or family='quasibinomial'."
    )


def _broken(counts: Tensor) -> Tensor:
    return counts.round().sub_(counts).abs_() > WHOLE
