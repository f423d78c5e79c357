"""How many groups a trajectory model needs, given the function that fits one."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable
from dataclasses import replace
from typing import Any, Protocol

import numpy as np

from formula_torch.errors import DataError, InferenceWarning, check_known
from formula_torch.result.trajectory import TrajectoryFit
from formula_torch.result.trajectory.selection import CRITERIA, Candidate, Selection

__all__ = ["FitGroups", "selection_of"]

# Frames from here to the user's, whom warnings are to name.
DEPTH = 4
# A larger model that ends lower than this share below a smaller one has missed its maximum.
SAME = 1e-8
BELOW = "its log-likelihood is below that with fewer groups: the search missed the maximum; try starts={}."
MORE = 5
ENDED = "{} groups could not be fitted, and no larger number was tried: {}"


class FitGroups(Protocol):
    """A fit with some number of groups, everything else being settled."""

    def __call__(self, *, groups: int, start: TrajectoryFit | None, starts: int) -> TrajectoryFit:
        """Fit from so many starts; `start` is a fit with one group fewer, whose groups are divided as further ones."""
        ...


def selection_of(fit: FitGroups, groups: int | Iterable[int], criterion: str, starts: int) -> Selection:
    """Fit one number of groups after the other, each from the divided groups of the one before as well.

    What a search warns of becomes a note beside its fit; what is wrong with the data is said once. Where more groups
    than some cannot be had, this is a note beside the last fit.

    Parameters
    ----------
    fit : FitGroups
    groups : int or iterable of int
    criterion : {"bic", "bic_rows", "aic"}
    starts : int
        Of each search; five times as many where one ends below a model with fewer groups.

    Raises
    ------
    ValueError
        No number of groups, or an unknown criterion.
    DataError
        The smallest number of groups cannot be fitted.
    """
    check_known("criterion", criterion, CRITERIA)
    found: list[Candidate] = []
    said: set[str] = set()
    for number in _numbers(groups):
        try:
            candidate, others = _candidate(fit, number, found[-1].fit if found else None, starts)
        except DataError as error:
            if not found:
                raise
            found[-1] = replace(found[-1], notes=(*found[-1].notes, ENDED.format(number, error)))
            break
        found.append(candidate)
        _warn_once(others, said)
    return Selection(tuple(found), criterion)


def _numbers(groups: object) -> list[int]:
    """The numbers of groups, smallest first."""
    given: list[Any] = [*groups] if isinstance(groups, Iterable) else [groups]
    if not given:
        raise ValueError("groups= holds no number; pass for instance range(1, 7).")
    if not all(isinstance(number, (int, np.integer)) and not isinstance(number, bool) for number in given):
        raise ValueError(f"groups={groups!r} must be whole numbers of groups, for instance range(1, 7).")
    return sorted({int(number) for number in given})


def _candidate(
    fit: FitGroups, number: int, before: TrajectoryFit | None, starts: int
) -> tuple[Candidate, list[warnings.WarningMessage]]:
    """Fit with a number of groups; what the search does not itself warn of comes back."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        own, notes = _fitted(fit, number, before, starts)
    notes += [str(w.message) for w in caught if issubclass(w.category, InferenceWarning)]
    others = [w for w in caught if not issubclass(w.category, InferenceWarning)]
    return Candidate(own, tuple(dict.fromkeys(notes))), others


def _fitted(fit: FitGroups, number: int, before: TrajectoryFit | None, starts: int) -> tuple[TrajectoryFit, list[str]]:
    """Fit, with more starts where that ends below the model before."""
    # A fit knows what it began from: without its data, or each would keep those of all before it.
    divided = before.remove_data() if before is not None and before.n_groups == number - 1 else None
    own = fit(groups=number, start=divided, starts=starts)
    if before is None or not _below(own, before):
        return own, []
    own = max(own, fit(groups=number, start=divided, starts=MORE * starts), key=lambda fit: fit.llf)
    return own, [BELOW.format(MORE**2 * starts)] if _below(own, before) else []


def _below(larger: TrajectoryFit, smaller: TrajectoryFit) -> bool:
    """Whether the larger model ends lower; with a prior, each of whose groups has its own, that is no fault."""
    if larger.spec.prior:
        return False
    return larger.llf < smaller.llf - SAME * max(1.0, math.fabs(smaller.llf))


def _warn_once(caught: list[warnings.WarningMessage], said: set[str]) -> None:
    for warning in caught:
        if str(warning.message) not in said:
            said.add(str(warning.message))
            warnings.warn(str(warning.message), warning.category, stacklevel=DEPTH)
