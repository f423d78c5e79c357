"""Covariates of membership: one value a unit, in well-conditioned columns."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from formula_torch.data import Frame
from formula_torch.errors import CollinearityWarning, FormulaError
from formula_torch.formula.dialect import parse
from formula_torch.formula.learn import learn
from formula_torch.formula.recipe import Recipe
from formula_torch.result.rows import Rows
from formula_torch.result.trajectory.units import covariate_codes
from formula_torch.solvers.least_squares import least_squares
from formula_torch.trajectories.parameters import Columns
from formula_torch.trajectories.unit_rows import UnitsOfRows

__all__ = ["Membership", "membership_columns", "membership_of", "membership_text", "units_without"]


@dataclass(frozen=True, eq=False)
class Membership:
    """What the probabilities of the groups depend on before the response is seen.

    Parameters
    ----------
    recipe : Recipe or None
        None: the same for all units.
    columns : Columns
    z : Tensor, shape (m, n_units)
    """

    recipe: Recipe | None
    columns: Columns
    z: Tensor


def membership_text(given: str | None) -> str | None:
    """The formula of membership with its ``~``; None where it holds a constant only.

    Raises
    ------
    FormulaError
        It has a response, an offset, or names after ``|``.
    """
    if given is None:
        return None
    if not isinstance(given, str):
        raise FormulaError(f"membership is text, such as 'male + ses', not {type(given).__name__}.")
    text = given if "~" in given else f"~ {given}"
    parsed = parse(text)
    if parsed.response is not None or parsed.offsets or parsed.second:
        raise FormulaError(f"membership={given!r} is terms only: no response, no offset(...), nothing after `|`.")
    return text if parsed.expressions else None


def membership_columns(text: str | None, frame: Frame) -> tuple[str, ...]:
    """Columns of the data that the covariates read; other names are contrasts, or unknown and refused later."""
    if text is None:
        return ()
    named = {name for e in parse(text).expressions.values() for name in e.variables.values()}
    return tuple(sorted(named & set(frame.names)))


def units_without(text: str | None, rows: Rows, units: UnitsOfRows) -> dict[str, np.ndarray]:
    """Units of which a covariate is missing, by covariate, bool arrays of shape (n_units,).

    Raises
    ------
    DataError
        A covariate varies within a unit.
    """
    frame = rows.used_frame()
    own = {name: covariate_codes(frame, name, units.codes, units.index) for name in membership_columns(text, frame)}
    return {name: codes < 0 for name, codes in own.items() if (codes < 0).any()}


def membership_of(
    text: str | None,
    rows: Rows,
    units: UnitsOfRows,
    functions: Mapping[str, Callable[..., Any]] | None,
) -> Membership:
    """Read the covariates of the units.

    Warns
    -----
    CollinearityWarning
        Columns are dependent, and dropped.
    """
    if text is None:
        own = Columns(("Intercept",), np.ones((1, 1)), np.zeros(1))
        return Membership(None, own, torch.ones(1, units.count, dtype=torch.float64))
    found = learn(text, rows.used_frame().take(units.first).table.to_native(), functions=functions, response=False)
    design = replace(found.design, y=torch.zeros(units.count, dtype=torch.float64))
    solution = least_squares(design)
    for column, with_these in solution.dependent.items():
        warnings.warn(
            f"the membership column `{design.names[column]}` {_dependence(design.names, with_these)}; it is "
            "dropped, and its coefficients are NaN.",
            CollinearityWarning,
            stacklevel=5,
        )
    coordinates, scale = solution.coordinates, math.sqrt(units.count)
    parts = [part.form().matmat(coordinates.whiten) for part in coordinates.standardised(design).batches()]
    columns = Columns(found.recipe.column_names, coordinates.lift * scale, np.zeros(design.k))
    return Membership(found.recipe, columns, torch.cat(parts, 1) * scale)


def _dependence(names: tuple[str, ...], on: list[int]) -> str:
    return f"is a combination of {', '.join(f'`{names[j]}`' for j in on)}" if on else "is constant"
