"""What a reader of a trajectory model must know, in sentences: errors, search, adequacy, what was imposed."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from formula_torch.inference.classification import LEAST_APPA, LEAST_OCC
from formula_torch.result.trajectory import Search
from formula_torch.result.trajectory.curves import Curves

__all__ = ["errors_note", "imposed", "search_note", "summary_notes"]

# Smaller groups are often a few outliers.
FEW_UNITS = 5


def summary_notes(fit: Curves, stars: str | None) -> Iterator[str]:
    """Sentences for the foot of the summary."""
    yield errors_note(fit)
    if fit.n_groups > 1:
        yield search_note(fit.search)
        yield from _adequacy(fit)
        yield from _small_groups(fit)
    yield from imposed(fit)
    yield from fit.notes
    if stars == "stars":
        yield "* p < 0.05, ** p < 0.01, *** p < 0.001."


def errors_note(fit: Curves) -> str:
    """Where the standard errors are from, and which are not to be had."""
    covariance = fit.covariance
    told = "Standard Errors are from the exact observed information." if covariance.classical else covariance.note
    lost = int((np.isnan(fit.bse) & ~np.isnan(fit.params)).sum())
    if lost:
        told += f" {lost} could not be had (NaN): the data do not identify the parameters; try fewer groups."
    return told


def search_note(search: Search) -> str:
    """How sure one may be that the maximum is the highest, and what to do if one is not."""
    parts = [_reached(search)]
    if search.moves:
        parts.append(f"Splitting and merging groups raised it {_times(search.moves)} after that.")
    if search.sampled:
        parts.append(f"Starts were climbed on a sample of {search.sampled:,} units, and the best few on all.")
    if search.failed:
        why = ": the sigma of a group went to zero there, where the likelihood has no bound" if search.collapsed else ""
        parts.append(f"{search.failed} of them came to no maximum, and were left out{why}.")
    if search.replicated <= 1 and search.starts > 1:
        parts.append(f"A higher maximum may exist: try starts={5 * search.starts}.")
    return " ".join(parts)


def _reached(search: Search) -> str:
    if search.asked == 0:
        return "The search began at the start given, and made no others."
    if search.replicated == search.starts:
        return "All starts reached the best log-likelihood." if search.starts > 1 else "One start was made."
    told = f"{search.replicated} of {search.starts} starts reached the best log-likelihood"
    if not math.isfinite(search.runner_up):
        return told + "."
    return f"{told}; the next best value that one reached is {search.runner_up:.8g}."


def _times(n: int) -> str:
    return "once" if n == 1 else f"{n} times"


def _adequacy(fit: Curves) -> Iterator[str]:
    yield (
        "APPA: average posterior probability of assignment, with its standard deviation (sd). OCC: odds of correct "
        "classification, against the estimated (est.) and the assigned (asg.) share."
    )
    found = fit.classification
    short = [
        f"group {g} (APPA {appa:.2f}, OCC {occ:.3g})"
        for g, appa, occ in zip(fit.group_labels, found.appa, found.odds_of_correct(found.share), strict=True)
        if not (appa >= LEAST_APPA and occ >= LEAST_OCC)
    ]
    asked = f"APPA >= {LEAST_APPA:g} and OCC (est.) >= {LEAST_OCC:g} (Nagin 2005)"
    if short:
        yield f"Short of {asked}: {', '.join(short)}; its units are not told apart well. Try fewer groups."
    else:
        yield f"All groups have {asked}."


def _small_groups(fit: Curves) -> Iterator[str]:
    small = [str(g) for g, share in enumerate(fit.share_values, 1) if share * fit.n_units < FEW_UNITS]
    if small:
        yield f"Group {', '.join(small)} has fewer than {FEW_UNITS} units: they may be outliers rather than a group."


def imposed(fit: Curves) -> Iterator[str]:
    """What was imposed on the parameters."""
    spec = fit.spec
    if spec.degrees is not None:
        yield f"Degrees of the curves, by group: {', '.join(map(str, spec.degrees))}."
    if spec.constraints:
        yield f"Constraints: {'; '.join(spec.constraints)}."
    if spec.prior > 0:
        yield (
            f"A prior added {spec.prior:g} of an average unit to each group; Log-Likelihood, AIC and BIC are "
            "without it."
        )
