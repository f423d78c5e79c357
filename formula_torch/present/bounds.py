"""What a fit within bounds says of them, under its summary."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from formula_torch.solvers.box import Box

__all__ = ["bound_notes"]

GIVEN = "errors and tests of the others hold given that {} there (they do not account for the constraint)."


def bound_notes(names: Sequence[str], box: Box | None, held: Mapping[int, float]) -> list[str]:
    """Sentences on which bounds hold, and what errors are conditional on.

    Parameters
    ----------
    names : sequence of str
        Coefficients.
    box : Box or None
    held : dict of int to float
        Those at a bound, with it.

    Examples
    --------
    >>> bound_notes(["Intercept", "x"], Box.of({"x": (0, 1)}, ["Intercept", "x"]), {1: 0.0})[0][:24]
    '`x` is at its bound 0; e'
    """
    if box is None:
        return []
    fixed = box.fixed
    at_bound = {j: value for j, value in held.items() if j not in fixed}
    notes = [f"Held by equal bounds: {_listed(names, fixed)}."] if fixed else []
    if len(at_bound) == 1:
        ((j, value),) = at_bound.items()
        notes.append(f"`{names[j]}` is at its bound {value:.6g}; {GIVEN.format('it is')}")
    elif at_bound:
        notes.append(f"At a bound: {_listed(names, at_bound)}; {GIVEN.format('they are')}")
    elif not fixed:
        notes.append("No coefficient is at its bound; the numbers are those of the fit without bounds.")
    return notes


def _listed(names: Sequence[str], values: Mapping[int, float]) -> str:
    shown = [f"`{names[j]}` = {value:.6g}" for j, value in list(values.items())[:6]]
    return ", ".join(shown) + (f" and {len(values) - 6} others" if len(values) > 6 else "")
