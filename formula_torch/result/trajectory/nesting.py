"""Trajectory models of the same units, one nested in the other: checked before they are compared."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from formula_torch.design import Design
from formula_torch.errors import DataError
from formula_torch.result.trajectory.base import TrajectoryEstimates

__all__ = ["check_comparable", "check_nested"]

# A column within this share of its length of a span is in it, but for rounding.
NESTED = 1e-6
# Directions this much shorter than the longest are dependent columns.
DEPENDENT = 1e-10


def check_comparable(fits: Sequence[TrajectoryEstimates]) -> None:
    """Raise unless all models explain the same response of the same units.

    Raises
    ------
    DataError
        The response, the rows, the units, their weights or the kind of likelihood differ.
    """
    first = fits[0]
    for i, other in enumerate(fits[1:], 2):
        texts = f"models 1 and {i}, {first.recipe.formula.text!r} and {other.recipe.formula.text!r}"
        if (first.nobs, first.n_units, first.unit) != (other.nobs, other.n_units, other.unit):
            raise DataError(
                f"{texts}, use different rows: {_size(first)}, and {_size(other)}. Fit both on the rows and units that "
                "are complete in all columns (subset=)."
            )
        if not _same_response(first, other):
            raise DataError(f"{texts}, have different responses, rows or weights, and cannot be compared.")
        kinds = [fit.family.kind for fit in (first, other)]
        # A density of one's own that says nothing is taken to be of the kind of the others.
        if all(kinds) and kinds[0] != kinds[1]:
            raise DataError(
                f"{texts}, have likelihoods that do not compare: that of family={first.family.name!r} is a {kinds[0]}, "
                f"that of {other.family.name!r} a {kinds[1]}."
            )


def _size(fit: TrajectoryEstimates) -> str:
    of = "" if fit.unit is None else f" of {fit.n_units:g} units by `{fit.unit}`"
    return f"{fit.nobs:g} rows{of} ({' '.join(fit.sample.notes) or 'all rows'})"


def _same_response(one: TrajectoryEstimates, other: TrajectoryEstimates) -> bool:
    """Compare values where both hold their rows, else names."""
    if one.rows is None or other.rows is None:
        return one.recipe.response_name == other.recipe.response_name
    left, right = (fit.recipe.response(fit.held_rows("comparing models").used_frame()) for fit in (one, other))
    weights = [fit.known_units("comparing models").weights for fit in (one, other)]
    return np.array_equal(left, right) and np.array_equal(weights[0], weights[1])


def check_nested(restricted: TrajectoryEstimates, full: TrajectoryEstimates) -> None:
    """Raise unless one model is the other with restrictions.

    Raises
    ------
    DataError
        Says which part of the model is not.
    DataRemovedError
        The rows that tell are gone.
    """
    texts = f"{restricted.recipe.formula.text!r} is not nested in {full.recipe.formula.text!r}"
    if restricted.n_params >= full.n_params:
        raise DataError(
            f"{texts}: they have {restricted.n_params} and {full.n_params} parameters; give models from the smallest "
            "to the largest."
        )
    reason = next((said for said, nested in PARTS.items() if not nested(restricted, full)), None)
    if reason is not None:
        raise DataError(f"{texts}: {reason}; compare them by bic.")


def _same_family(restricted: TrajectoryEstimates, full: TrajectoryEstimates) -> bool:
    return restricted.family == full.family


def _sigmas_nested(restricted: TrajectoryEstimates, full: TrajectoryEstimates) -> bool:
    return (restricted.spec.dispersion, full.spec.dispersion) != ("group", "common")


def _constraints_nested(restricted: TrajectoryEstimates, full: TrajectoryEstimates) -> bool:
    return {_bare(text) for text in full.spec.constraints} <= {_bare(text) for text in restricted.spec.constraints}


def _bare(text: str) -> str:
    return "".join(text.split())


def _curves_nested(restricted: TrajectoryEstimates, full: TrajectoryEstimates) -> bool:
    """Whether the columns of each group lie in the span of those of a group of the other model.

    Degrees are nested in one another, so that groups are matched by how many columns they have.
    """
    inner, outer = (fit.used_rows("a likelihood ratio test")[1] for fit in (restricted, full))
    if not _same_offset(inner, outer):
        return False
    own, other = _columns(inner), _columns(outer)
    pairs = zip(_by_size(restricted.spec.layout.beta >= 0), _by_size(full.spec.layout.beta >= 0), strict=True)
    return all(_within(own[:, kept], other[:, among]) for kept, among in pairs)


def _by_size(kept: np.ndarray) -> list[np.ndarray]:
    return sorted(kept, key=lambda row: int(row.sum()))


def _same_offset(one: Design, other: Design) -> bool:
    values = [0.0 if design.offset is None else design.offset.numpy() for design in (one, other)]
    return bool(np.all(values[0] == values[1]))


def _membership_nested(restricted: TrajectoryEstimates, full: TrajectoryEstimates) -> bool:
    return _within(_membership_columns(restricted), _membership_columns(full))


def _membership_columns(fit: TrajectoryEstimates) -> np.ndarray:
    """Design of the membership, a row each unit."""
    frame = fit.held_rows("a likelihood ratio test").used_frame()
    units, index = fit.unit_frame(frame)
    if fit.spec.membership is None:
        return np.ones((len(index), 1))
    return _columns(fit.spec.membership.apply(units))


# Why a model is not nested in another, where the answer to the question is no.
PARTS: dict[str, Callable[[TrajectoryEstimates, TrajectoryEstimates], bool]] = {
    "their families differ": _same_family,
    "it has a sigma for each group, and the other one for all": _sigmas_nested,
    "the other has constraints that it has not": _constraints_nested,
    "its curves are not among those of the other, or offsets differ": _curves_nested,
    "its covariates of membership are not among those of the other": _membership_nested,
}


def _columns(design: Design) -> np.ndarray:
    return np.column_stack([design.matvec(unit).numpy() for unit in np.eye(design.k)])


def _within(inner: np.ndarray, outer: np.ndarray) -> bool:
    """Whether the columns of one matrix lie in the span of another's, but for rounding."""
    basis = _basis(outer)
    rest = (own := _basis(inner)) - basis @ (basis.T @ own)
    return bool((np.linalg.norm(rest, axis=0) <= NESTED).all())


def _basis(columns: np.ndarray) -> np.ndarray:
    """Orthonormal columns of the same span; the constant apart, so that calendar years cost no digits."""
    constant = np.ptp(columns, axis=0) == 0
    moved = columns[:, ~constant]
    if constant.any():
        moved = moved - moved.mean(axis=0)
    left, lengths, _ = np.linalg.svd(moved / np.linalg.norm(moved, axis=0), full_matrices=False)
    found = left[:, lengths > DEPENDENT * lengths.max(initial=0.0)]
    ones = np.full((len(columns), int(constant.any())), len(columns) ** -0.5)
    return np.column_stack([ones, found])
